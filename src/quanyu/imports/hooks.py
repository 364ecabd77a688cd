"""The addresses that other systems call: one secret path per webhook, 200 when what came is durable."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quanyu.imports.api import Imports
from quanyu.imports.errors import file_too_large
from quanyu.kernel.errors import QuanyuError


def hooks(imports: Imports, most_bytes: int) -> list[Route]:
    """The routes of webhooks."""

    async def receive(request: Request) -> Response:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise file_too_large(most_bytes)
            signature = request.headers.get("x-signature-256", "")
            done = await run_in_threadpool(
                imports.webhooks.receive, request.path_params["secret"], bytes(body), signature
            )
        except ClientDisconnect:
            return Response(status_code=400)
        except QuanyuError as error:
            said = {"code": error.code, "title": error.title.en, "detail": error.detail.en if error.detail else ""}
            headers = {"Retry-After": str(int(error.retry_after or 5))} if error.transient else None
            return JSONResponse(said, error.status, headers=headers)
        return JSONResponse(done)

    return [Route("/hooks/imports/{secret}", receive, methods=["POST"])]
