"""The head of every page names who is signed in: all of the address, however long, or at a telephone nothing of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mailboxes.models import User
from tests.browser.axe import violations
from tests.browser.pictures import keep

LONG = "katarzyna.wisniewska-kowalczyk@przedsiebiorstwo-uslug.example"  # 61 characters

# Of what is laid out in the head: the text that does not fit its box, and boxes that lie over each other.
CUT = """() => [...document.querySelectorAll(".panel-header > div > *")].filter(
    (one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflow !== "visible"
).map((one) => one.className)"""
OVERLAPS = """() => {
    const boxes = [...document.querySelectorAll(".panel-header > div > *")].map((one) => one.getBoundingClientRect());
    return boxes.filter((a) => a.width && boxes.some((b) => b !== a && b.width && a.left < b.right - 1
        && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)).length;
}"""
# Middles of all but the address, in whole pixels: a button is no higher than a link.
MIDDLES = """() => [...document.querySelectorAll(".panel-header > div > :not(.panel-who)")].map((one) => {
    const box = one.getBoundingClientRect();
    return Math.round((box.top + box.bottom) / 2);
})"""


@pytest.mark.parametrize("address", ["ja@firma.example", LONG], ids=["short", "long"])
@pytest.mark.parametrize("language", ["pl-PL", "en-GB"])
def test_all_of_the_address_is_seen(
    open_panel: Callable[..., Page], support: User, address: str, language: str, screenshots: Path
) -> None:
    """Of somebody whose head of the page has the most links: staff who open the administration, too."""
    User.objects.filter(pk=support.pk).update(email=address, is_staff=True)
    page = open_panel(1280, language, address=address, lands_on="/support/")
    for width in (1280, 1024, 768, 360, 320):
        page.set_viewport_size({"width": width, "height": 800})
        who = page.locator(".panel-who")
        expect(who).to_have_text(address)
        expect(who).to_be_visible(visible=width > 500)
        assert page.evaluate(CUT) == []
        assert page.evaluate(OVERLAPS) == 0
        assert page.evaluate("document.documentElement.scrollWidth") == width
        middles = page.evaluate(MIDDLES)
        assert len(set(middles)) == 1, f"{width}: more than the address stands on a second line"
        keep(page, screenshots / f"head-{width}-{language}-{len(address)}.png")
    assert violations(page) == []
