"""Errors as RFC 9457 problem details, in the caller's language, with the request's id and no stack trace."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from quanyu.kernel.errors import QuanyuError
from quanyu.kernel.label import Label

log = logging.getLogger(__name__)

_HTTP_TITLES = {
    404: ("not_found", Label("没有这个地址", "There is nothing at this address")),
    405: ("method_not_allowed", Label("不支持这种请求方法", "This method is not allowed here")),
}

_VALIDATION = {
    "missing": Label("必填", "Required"),
    "extra_forbidden": Label("不认识的字段", "Unknown field"),
    "string_too_short": Label("太短", "Too short"),
    "string_too_long": Label("太长", "Too long"),
    "int_parsing": Label("需要整数", "A whole number is needed"),
    "json_invalid": Label("不是合法的 JSON", "Not valid JSON"),
}


def language_of(request: Request) -> str:
    """`en` when the caller asks for English, else `zh`."""
    return "en" if request.headers.get("accept-language", "").lower().startswith("en") else "zh"


def problem(
    request: Request,
    status: int,
    code: str,
    title: Label,
    *,
    detail: Label | None = None,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A problem details answer."""
    language = language_of(request)
    body: dict[str, Any] = {
        "type": f"urn:quanyu:problem:{code}",
        "title": title.text(language),
        "status": status,
        "code": code,
        "detail": detail.text(language) if detail else None,
        "errors": errors or [],
        "request_id": getattr(request.state, "request_id", None),
    }
    # The demonstration's password is shown to whoever sits at this machine, and to nobody else.
    if status == 401 and getattr(request.app.state, "demo_login", None) and _is_local(request):
        body["demo_login"] = request.app.state.demo_login
    return Response(msgspec.json.encode(body), status, headers=headers, media_type="application/problem+json")


def _is_local(request: Request) -> bool:
    return request.client is not None and request.client.host in ("127.0.0.1", "::1")


def install(app: FastAPI) -> None:
    """Answer every failure of `app` with problem details."""

    @app.exception_handler(QuanyuError)
    def on_quanyu_error(request: Request, error: QuanyuError) -> Response:
        language = language_of(request)
        errors = [
            {"field": item.field, "message": item.message.text(language)}
            | ({"label": item.label.text(language)} if item.label else {})
            for item in error.fields
        ]
        headers = {"Retry-After": str(max(1, round(error.retry_after)))} if error.retry_after else None
        if error.status >= 500:
            log.error("request_failed", extra={"code": error.code, "path": request.url.path})
        return problem(
            request, error.status, error.code, error.title, detail=error.detail, errors=errors, headers=headers
        )

    @app.exception_handler(RequestValidationError)
    def on_validation(request: Request, error: RequestValidationError) -> Response:
        language = language_of(request)
        errors = []
        for item in error.errors():
            place = ".".join(str(part) for part in item["loc"] if part not in ("body", "query", "path"))
            known = _VALIDATION.get(item["type"])
            errors.append({"field": place, "message": known.text(language) if known else item["msg"]})
        return problem(
            request,
            422,
            "invalid",
            Label("请求内容有误", "The request is not valid"),
            detail=Label("请按 errors 里的字段逐项修改", "Mend the fields listed in errors"),
            errors=errors,
        )

    @app.exception_handler(HTTPException)
    def on_http(request: Request, error: HTTPException) -> Response:
        code, title = _HTTP_TITLES.get(error.status_code, ("http_error", Label("请求失败", "The request failed")))
        return problem(request, error.status_code, code, title, headers=dict(error.headers or {}))

    @app.exception_handler(DataError)
    @app.exception_handler(OverflowError)
    def on_unstorable(request: Request, error: Exception) -> Response:
        # A NUL in a text, a number beyond 64 bits: the databases differ in what they take, so the last word is theirs.
        if isinstance(error, OverflowError) and "too large to convert" not in str(error):
            return on_anything(request, error)
        log.warning("value_not_storable", extra={"path": request.url.path})
        return problem(
            request,
            422,
            "value_not_storable",
            Label("请求里有无法保存的内容", "The request holds what cannot be stored"),
            detail=Label(
                "请去掉空字符（\\u0000）和超出范围的数字", "Remove NUL characters (\\u0000) and numbers out of range"
            ),
        )

    @app.exception_handler(Exception)
    def on_anything(request: Request, error: Exception) -> Response:
        log.error("request_crashed", extra={"path": request.url.path}, exc_info=error)
        return problem(
            request,
            500,
            "internal",
            Label("服务器内部错误", "The server made a mistake"),
            detail=Label(
                "已记录；请把 request_id 告诉管理员", "It has been recorded; give the request_id to an administrator"
            ),
        )
