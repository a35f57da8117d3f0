"""A scene as one HTML file that needs nothing else: no other host, no other file, open to `file://`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from dispatcher.errors import ConfigError
from dispatcher.picture.colours import BAD_DARK, BAD_LIGHT, DARK, LIGHT
from dispatcher.picture.columns import columns
from dispatcher.picture.scene import Scene
from dispatcher.picture.tiles import Tiles

SCRIPTS = ("scene", "state", "sheet", "marks", "tiles", "card", "map", "list", "charts", "tables", "start")
"""In the order in which they run; together they are one function."""

HUES = {"light": LIGHT, "dark": DARK, "badLight": BAD_LIGHT, "badDark": BAD_DARK}


def page(scene: Scene, *, tiles: Tiles | None = None) -> bytes:
    """The file's content, UTF-8.

    Names from the plan stand in a block of JSON only, in which no tag can begin, and the script writes them as text.
    The content security policy lets exactly the two scripts run that are in the file, named by their digests, and
    nothing be loaded but tiles, when there is an address for them.

    Raises:
        ConfigError: the package plotly is not installed.
    """
    return b"".join(_parts(scene, tiles))


def _parts(scene: Scene, tiles: Tiles | None) -> Iterator[bytes]:
    library, script = plotly_js(), _script()
    runs = " ".join(f"'sha256-{_digest(text)}'" for text in (library, script))
    pictures = f"data: blob: {tiles.origin}" if tiles else "data: blob:"
    policy = (
        f"default-src 'none'; script-src {runs}; style-src 'unsafe-inline'; img-src {pictures}; "
        "base-uri 'none'; form-action 'none'"
    )
    yield b'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'.encode()
    yield b'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield b'<meta name="referrer" content="strict-origin">\n<title>Plan</title>\n<style>\n'
    yield _static("page.css")
    yield b"</style>\n</head>\n"
    yield _static("page.html")
    yield f"<noscript><p>{_in_short(scene)} The map and the tables need JavaScript.</p></noscript>\n".encode()
    yield _data("plan", columns(scene))
    yield _data("hues", HUES)
    yield _data("tiles", {"url": tiles.url, "credit": tiles.credit} if tiles else None)
    yield _data("head", {"about": _about(scene)})
    for text in (library, script):
        yield b"<script>"
        yield text
        yield b"</script>\n"
    yield b"</body>\n</html>\n"


@cache
def plotly_js() -> bytes:
    """Plotly's script as its Python package carries it.

    Raises:
        ConfigError: the package is not installed, or has no script.
    """
    spec = find_spec("plotly")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "package_data" / "plotly.min.js"
        if path.is_file():
            return path.read_bytes().replace(b"\r\n", b"\n").replace(b"</script", rb"<\/script")
    raise ConfigError("--map needs the package plotly, which this project depends on: pip install plotly")


def _script() -> bytes:
    parts = b"\n".join(_static(f"{name}.js") for name in SCRIPTS)
    return b'\n(() => {\n"use strict";\n' + parts + b"})();\n"


def _static(name: str) -> bytes:
    return files("dispatcher.picture").joinpath("static", name).read_bytes()


def _digest(text: bytes) -> str:
    return base64.b64encode(hashlib.sha256(text).digest()).decode()


def _data(name: str, document: Any) -> bytes:
    """A block of JSON; `<` can only stand in texts, where it may be written as an escape."""
    text = orjson.dumps(document).replace(b"<", rb"\u003c")
    return f'<script type="application/json" id="{name}">'.encode() + text + b"</script>\n"


def _in_short(scene: Scene) -> str:
    left = len(scene.jobs) - scene.assigned
    return f"{len(scene.jobs)} jobs: {scene.assigned} with a member, {left} without."


def _about(scene: Scene) -> str:
    at = datetime.fromtimestamp(scene.now, ZoneInfo(scene.timezone))
    how = {
        "nearest": "each job goes to the nearest member who can take it",
        "least_detour": "each job goes where it adds least travel",
        "none": "jobs keep the member that they name",
    }[scene.policy]
    return f"A dry run: nothing was sent. As of {at:%a %-d %b %Y, %H:%M} ({scene.timezone}); {how}."
