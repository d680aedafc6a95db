"""The built page (`static/`), read once and kept in memory: no path of a request ever reaches the file system."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import Final

from fastapi import Request
from starlette.responses import PlainTextResponse, Response

STATIC: Final = Path(__file__).parent / "static"
_KINDS: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
}


class Pages:
    """The files of a folder.

    Args:
        folder: Where the build put them.

    Attributes:
        build: Changes when a file does; "" when nothing was built.
    """

    def __init__(self, folder: Path = STATIC) -> None:
        self._files: dict[str, tuple[bytes, str, str]] = {}
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.is_file() and not path.name.startswith("."):
                body = path.read_bytes()
                kind = _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
                self._files[path.name] = body, kind, f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        marks = "".join(mark for _, _, mark in self._files.values())
        self.build = hashlib.sha256(marks.encode()).hexdigest()[:16] if self._files else ""

    def answer(self, name: str, request: Request) -> Response:
        """A file, 304 when the browser has it already, 404 when there is none."""
        if name not in self._files:
            if name == "index.html":
                return PlainTextResponse("The page was not built. Run: python hatch_build.py", 503)
            return PlainTextResponse("not found", 404)
        body, kind, mark = self._files[name]
        headers = {"etag": mark, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == mark:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=kind, headers=headers)
