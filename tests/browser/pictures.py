"""Pictures of whole pages."""

from pathlib import Path

from playwright.sync_api import Page


def keep(page: Page, file: Path) -> None:
    """As on a screen on which all of it has room: what sticks to an edge of the window covers nothing."""
    size = page.viewport_size
    assert size is not None
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(height, size["height"])})
    page.screenshot(path=file, full_page=True)
    page.set_viewport_size(size)
