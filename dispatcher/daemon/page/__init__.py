"""The page at `/`."""

from dispatcher.daemon.page.page import ROUTES, Page

__all__ = ["ROUTES", "Page"]
