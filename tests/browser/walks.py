"""A person who goes through the panel on one screen. What each flow promises stands in its own test."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import Locator, Page, expect

from tests.browser import pictures
from tests.conftest import PASSWORD

SCREENS = [(360, "pl-PL"), (360, "en-GB"), (1280, "pl-PL"), (1280, "en-GB")]
on_every_screen = pytest.mark.parametrize(("width", "language"), SCREENS)


@dataclass(frozen=True)
class Walk:
    """A person on one screen. Words are the catalogue's: what was not translated is not found."""

    page: Page
    width: int
    language: str
    folder: Path

    def word(self, english: str, **filled: object) -> str:
        """The panel's own words for it in the person's language."""
        with translation.override(self.language[:2]):
            found = gettext(english)
        assert self.language.startswith("en") or found != english, f"not translated: {english}"
        return found % filled if filled else found

    def button(self, english: str) -> Locator:
        return self.page.locator("main").get_by_role("button", name=self.word(english), exact=True)

    def link(self, english: str) -> Locator:
        return self.page.locator("main").get_by_role("link", name=self.word(english), exact=True)

    def see(self, english: str, **filled: object) -> None:
        """That the person can read it."""
        expect(self.page.locator("main")).to_contain_text(self.word(english, **filled))

    def picture(self, name: str) -> None:
        """Kept, and nothing of it is wider than the screen."""
        pictures.keep(self.page, self.folder / f"flow-{name}-{self.width}-{self.language}.png")
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width, name

    def sign_out_and_in(self) -> None:
        """Up to where the second step is asked for."""
        self.page.locator("header").get_by_role("button").click()
        self.page.fill("[name=login]", "anna@firma.example")
        self.page.fill("[name=password]", PASSWORD)
        self.button("Sign in").click()


Start = Callable[[int, str], Walk]


def drop(page: Page, file: Path, onto: str) -> None:
    """As the system's file manager does it."""
    page.locator(onto).scroll_into_view_if_needed()
    box = page.locator(onto).bounding_box()
    assert box is not None
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "data": data, **where})
        if kind == "dragOver":
            expect(page.locator(".drop-zone")).to_be_visible()
            expect(page.locator("html.is-dropping")).to_have_count(1)
    session.detach()
