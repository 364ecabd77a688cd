"""The pages in the browser: the overview, the phone, their live feed, and the pictures they show. No build, no CDN."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from quanyu_sandbox.world import World

_FOLDER = Path(__file__).parent / "static"
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_KEEP_ALIVE = 15.0
_COLOURS = ("#4a7c59", "#b4654a", "#3b6ea5", "#8a5a83", "#b08a2e", "#2f7f86", "#a64d5f", "#5b6b8c")


class Pages:
    """The routes of the pages."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[Route | Mount]:
        """All routes of the pages."""
        return [
            Route("/", self.page("overview.html")),
            Route("/phone", self.page("phone.html")),
            Route("/phone/scan/{config_id}", self.scan),
            Route("/sandbox/live", self.live),
            Route("/sandbox/media/{media_id}", self.media),
            Route("/sandbox/avatar/{key}", self.avatar),
            Mount("/static", StaticFiles(directory=_FOLDER)),
        ]

    @staticmethod
    def page(name: str) -> Callable[[Request], Awaitable[Response]]:
        """A page."""

        async def answer(_: Request) -> Response:
            return FileResponse(_FOLDER / name, headers=_HEADERS)

        return answer

    async def scan(self, request: Request) -> Response:
        """Where the picture of a channel code leads: the phone, asked whose it is."""
        return RedirectResponse(f"/phone?scan={request.path_params['config_id']}")

    async def live(self, _: Request) -> Response:
        """Server-sent events: `change` whenever the world has changed, at most five a second."""

        async def feed() -> AsyncIterator[bytes]:
            bell = self.world.bell.listen()
            try:
                yield b"retry: 1000\nevent: change\ndata: hello\n\n"
                while True:
                    try:
                        await asyncio.wait_for(bell.wait(), _KEEP_ALIVE)
                    except TimeoutError:
                        yield b": still here\n\n"
                        continue
                    bell.clear()
                    yield b"event: change\ndata: world\n\n"
                    await asyncio.sleep(0.2)
            finally:
                self.world.bell.leave(bell)

        return StreamingResponse(feed(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    async def media(self, request: Request) -> Response:
        """A picture that was uploaded."""
        row = self.world.store.one(
            "SELECT * FROM media WHERE media_id = ? AND kind = 'image'", request.path_params["media_id"]
        )
        if row is None:
            return Response("no such picture", 404)
        kind = "image/png" if bytes(row["data"]).startswith(b"\x89PNG") else "image/jpeg"
        return Response(row["data"], media_type=kind, headers={"X-Content-Type-Options": "nosniff"})

    async def avatar(self, request: Request) -> Response:
        """A face for a customer or a member: the first sign of the name on a colour of its own."""
        key = request.path_params["key"]
        row = self.world.store.one("SELECT name FROM customer WHERE external_userid = ?", key) or self.world.store.one(
            "SELECT name FROM staff WHERE userid = ?", key
        )
        sign = html.escape((row["name"] if row is not None else key)[:1])
        colour = _COLOURS[int(self.world.chance.digest("face", key)[:4], 16) % len(_COLOURS)]
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 80 80">'
            f'<rect width="80" height="80" fill="{colour}"/>'
            '<text x="40" y="42" text-anchor="middle" dominant-baseline="central" font-size="36" fill="#fff"'
            ' font-family="PingFang SC, Noto Sans CJK SC, Microsoft YaHei, sans-serif">' + sign + "</text></svg>"
        )
        return Response(svg, media_type="image/svg+xml", headers={"Cache-Control": "max-age=3600"})
