"""Puts the routes of all contexts into one ASGI application with one OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from quanyu.http import problems
from quanyu.http.middleware import Observe
from quanyu.http.quick import Quick
from quanyu.http.static import ConsoleFiles
from quanyu.kernel.label import Label

Check = Callable[[], str | None]

_COLLECTOR = ("/v1/", "/sa", "/debug", "/sourceConfig")


class Application(FastAPI):
    """FastAPI, except that what SDKs call goes straight to the collector, past every middleware and route table."""

    collector: ASGIApp
    quick: Quick

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] == "http" and scope["path"].startswith(_COLLECTOR):
            await self.collector(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def build(
    *,
    version: str,
    routers: Sequence[APIRouter],
    collector: Sequence[BaseRoute],
    quick: Quick,
    callbacks: Sequence[BaseRoute],
    collector_paths: Mapping[str, Any],
    checks: Mapping[str, Check],
    before_metrics: Callable[[], None],
    new_id: Callable[[], str],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    demo_login: Mapping[str, str] | None = None,
) -> Application:
    """The application.

    `checks` say what is wrong with a part, or None; `/readyz` fails when one does. `before_metrics` brings the
    gauges up to date. `collector` routes stand in front of everything else, for speed, and `quick`
    is asked before them (see `quick.py`).
    """
    app = Application(
        title="Quanyu",
        version=version,
        description="Customer growth platform · 全域客户增长平台",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    app.state.demo_login = dict(demo_login) if demo_login else None
    problems.install(app)
    for router in routers:
        app.include_router(router, prefix="/api/v1")

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok", "version": version})

    def readyz(_: Request) -> Response:
        broken = {name: text for name, check in checks.items() if (text := check())}
        body = {"status": "unavailable" if broken else "ready", "checks": {**dict.fromkeys(checks, "ok"), **broken}}
        return JSONResponse(body, 503 if broken else 200)

    def metrics(_: Request) -> Response:
        before_metrics()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    def openapi(_: Request) -> Response:
        return JSONResponse(document(app, collector_paths))

    async def api_missing(request: Request) -> Response:
        return problems.problem(request, 404, "not_found", Label("没有这个接口", "There is no such API route"))

    app.router.routes.extend(
        [
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/openapi.json", openapi),
            *callbacks,
            Route("/api/{path:path}", api_missing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            ConsoleFiles().route(),
        ]
    )
    app.add_middleware(Observe, new_id=new_id)
    app.quick = quick
    app.collector = Router(routes=list(collector))
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def document(app: FastAPI, collector_paths: Mapping[str, Any]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the whole product, collector included."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        for path, item in collector_paths.items():
            schema["paths"].setdefault(path, {}).update(item)
        app.openapi_schema = schema
    return app.openapi_schema
