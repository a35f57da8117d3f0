"""Pictures of a plan: a page for the browser and an image, of one and the same scene."""

from __future__ import annotations

from dispatcher.picture.compose import compose
from dispatcher.picture.page import page
from dispatcher.picture.scene import Scene
from dispatcher.picture.tiles import Tiles
from dispatcher.picture.whole_file import replace_file, writable

__all__ = ["Scene", "Tiles", "compose", "page", "replace_file", "writable"]
