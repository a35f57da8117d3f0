"""The pictures that `plan` was asked for: checked before the work, drawn after it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dispatcher.cli.exits import say
from dispatcher.errors import ConfigError

if TYPE_CHECKING:
    from dispatcher.picture import Scene, Tiles

IMAGES = ("png", "svg", "pdf")
"""By the end of the file's name."""


class Pictures:
    """Files to be drawn.

    Args:
        page: path of the HTML page, None for none.
        image: path of the image, None for none.
        tile_url: the setting; map tiles for the page, "" for none.

    Raises:
        click.UsageError: the image's name does not say what it is to be.
        ConfigError: a file cannot be written, or a package for it is missing.
    """

    def __init__(self, *, page: str | None, image: str | None, tile_url: str) -> None:
        self._page: Path | None = None
        self._image: Path | None = None
        self._form = ""
        self._tiles: Tiles | None = None
        if page is None and image is None:
            return
        from dispatcher.picture import Tiles, writable  # noqa: PLC0415 - only with a picture

        if image is not None:
            self._form = image.rpartition(".")[2].lower()
            if self._form not in IMAGES or image == self._form:
                raise click.UsageError(f"--plot {image}: the name must end in .png, .svg or .pdf")
            try:
                import_module("dispatcher.picture.plot")
            except ModuleNotFoundError as error:
                raise ConfigError(
                    f"--plot needs matplotlib, and there is no {error.name} here: "
                    "pip install 'hellotracks-dispatcher[plot]'"
                ) from error
        self._tiles = Tiles(tile_url) if tile_url else None
        self._page = writable(page, flag="--map") if page is not None else None
        self._image = writable(image, flag="--plot") if image is not None else None

    def draw(self, scene: Callable[[], Scene], *, quiet: bool) -> None:
        """Write the files, each as a whole or not at all; `scene` is only asked for when there is one.

        Raises:
            ConfigError: a file cannot be written.
        """
        if self._page is None and self._image is None:
            return
        from dispatcher.picture import page, replace_file  # noqa: PLC0415

        plan = scene()
        written = []
        if self._page is not None:
            replace_file(self._page, page(plan, tiles=self._tiles), flag="--map")
            written.append(self._page)
        if self._image is not None:
            from dispatcher.picture.plot import plot  # noqa: PLC0415 - matplotlib loads with the image that needs it

            replace_file(self._image, plot(plan, form=self._form), flag="--plot")
            written.append(self._image)
        for path in () if quiet else written:
            say(f"wrote {path}")
