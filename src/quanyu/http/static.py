"""The console's files: precompressed, hashed ones cached for ever, every other path answered with the app itself."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

CONSOLE = Path(__file__).parent / "static" / "console"

_MISSING = (
    "<!doctype html><meta charset='utf-8'><title>Quanyu</title><h1>控制台尚未构建 · The console is not built</h1>"
    "<p>在源码目录运行 <code>make demo</code>；从 wheel 安装的版本自带控制台。<br>"
    "Run <code>make demo</code> in the source folder; a wheel carries the console.</p>"
)


class ConsoleFiles:
    """Serves the built console below `root`."""

    def __init__(self, root: Path = CONSOLE) -> None:
        self._root = root.resolve()

    def route(self) -> Route:
        """The route that answers whatever no other route does."""
        return Route("/{path:path}", self.answer, methods=["GET", "HEAD"], include_in_schema=False)

    async def answer(self, request: Request) -> Response:
        """A file, or the app's page for a path of its own router; 404 for a missing file with a suffix."""
        path = request.path_params.get("path", "")
        index = self._root / "index.html"
        if not index.is_file():
            return Response(_MISSING, 503, media_type="text/html")
        wanted = (self._root / path).resolve() if path else index
        if not wanted.is_relative_to(self._root) or not wanted.is_file():
            if Path(path).suffix:
                return Response("not found", 404, media_type="text/plain")
            wanted = index
        return self._file(request, wanted)

    def _file(self, request: Request, wanted: Path) -> Response:
        accepted = request.headers.get("accept-encoding", "")
        sent, encoding = wanted, None
        for suffix, name in ((".br", "br"), (".gz", "gzip")):
            packed = wanted.with_name(wanted.name + suffix)
            if name in accepted and packed.is_file():
                sent, encoding = packed, name
                break
        body = sent.read_bytes()
        headers = {"Vary": "Accept-Encoding"}
        if encoding:
            headers["Content-Encoding"] = encoding
        if wanted.parent.name == "assets":
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            headers["Cache-Control"] = "no-cache"
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
            if request.headers.get("if-none-match") == headers["ETag"]:
                return Response(status_code=304, headers=headers)
        kind = mimetypes.guess_type(wanted.name)[0] or "application/octet-stream"
        return Response(body, headers=headers, media_type=kind)
