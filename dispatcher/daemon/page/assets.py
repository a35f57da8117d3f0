"""The page's files, and what browsers are told to do with them.

All files lie under one path that holds a digest of them all: they may be kept for ever, and a new version has a new
path. Plotly comes from its Python package.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import importlib.util
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from dispatcher.daemon.reply import Refusal

FOLDER = Path(__file__).with_name("static")
PLOTLY = "plotly.min.js"
PATH = "/page/static"
FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_PLOTLY_STYLE = re.compile(rb'getElementById\("([0-9a-f]{64})"\)')
_EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""An empty `<style>`, which Plotly fills rule by rule: the only inline style that is let in."""


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    kind: str
    zipped: bytes | None = None
    style_ids: tuple[str, ...] = ()


class Assets:
    """Serves the files.

    Args:
        tile_url: where map images come from, "" for nowhere.
        folder: of the page's own files.
    """

    def __init__(self, *, tile_url: str = "", folder: Path = FOLDER) -> None:
        self._files = {
            file.name: _File(file.read_bytes(), _TYPES[file.suffix])
            for file in sorted(folder.iterdir())
            if file.is_file()
        }
        self._plotly_file = _plotly_file()
        self._plotly: asyncio.Task[_File] | None = None
        digest = hashlib.blake2b(digest_size=8)
        for name, file in self._files.items():
            digest.update(name.encode() + b"\0" + file.content)
        if self._plotly_file is not None:
            digest.update(str(self._plotly_file.stat().st_size).encode())
        self.base = f"{PATH}/{digest.hexdigest()}"
        tiles = f" {_origin(tile_url)}" if tile_url else ""
        self.headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; script-src 'self'; style-src 'self' {_EMPTY}; connect-src 'self'; "
                f"img-src 'self' data:{tiles}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
        }

    @property
    def has_plotly(self) -> bool:
        """Charts and map can be drawn."""
        return self._plotly_file is not None

    @cached_property
    def shell(self) -> bytes:
        """The page, with the paths of its files."""
        return self._files["index.html"].content.replace(b"{{base}}", self.base.encode())

    async def style_ids(self) -> tuple[str, ...]:
        """Names of style elements that Plotly writes in one piece unless they are there: they are of no use here."""
        return (await self._drawn()).style_ids if self.has_plotly else ()

    async def answer(self, request: web.Request) -> web.Response:
        """`GET /page/static/DIGEST/NAME`."""
        name = request.match_info["name"]
        if request.match_info["digest"] != self.base.rpartition("/")[2]:
            raise Refusal(404, "not found")
        file = await self._drawn() if name == PLOTLY and self.has_plotly else self._files.get(name)
        if file is None:
            raise Refusal(404, "not found")
        headers = self.headers | {"Cache-Control": FOR_EVER}
        body = file.content
        if file.zipped is not None and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            body = file.zipped
            headers[str(hdrs.CONTENT_ENCODING)] = "gzip"
            headers[str(hdrs.VARY)] = "Accept-Encoding"
        elif not body and self._plotly_file is not None:
            body = await asyncio.to_thread(self._plotly_file.read_bytes)
        return web.Response(body=body, content_type=file.kind, charset="utf-8", headers=headers)

    async def _drawn(self) -> _File:
        """Plotly, zipped when it is first asked for; its megabytes are kept in that form only."""
        if self._plotly is None:
            self._plotly = asyncio.create_task(asyncio.to_thread(_zipped, self._plotly_file), name="zip plotly")
        return await asyncio.shield(self._plotly)


def _zipped(path: Path | None) -> _File:
    content = path.read_bytes() if path else b""
    style_ids = tuple(sorted({name.decode() for name in _PLOTLY_STYLE.findall(content)}))
    return _File(b"", "text/javascript", gzip.compress(content, 6, mtime=0), style_ids)


def _plotly_file() -> Path | None:
    """Where Plotly's script lies; the package itself is not loaded."""
    found = importlib.util.find_spec("plotly")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder, "package_data", PLOTLY)
        if path.is_file():
            return path
    return None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
