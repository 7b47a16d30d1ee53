"""The calendar and the picture of absences, in a real browser."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mailboxes.models import Mailbox
from responders.models import Responder
from responders.services import database_now
from tests.browser.axe import violations
from tests.services.test_calendars import ics


@pytest.fixture
def absences(mailbox: Mailbox) -> None:
    """One that is on, one that comes, and a standing reply."""
    now = database_now().replace(minute=0, second=0, microsecond=0)
    for place, (start, length) in enumerate([(-3, 9), (25, 14)]):
        begin = now + timedelta(days=start)
        end = begin + timedelta(days=length)
        Responder.objects.create(
            mailbox=mailbox, type="absence", subject=f"Urlop {place + 1}: {{{{ subject }}}}", text_body="Nie ma mnie.",
            from_utc=begin, from_date=begin.replace(tzinfo=None), to_utc=end, to_date=end.replace(tzinfo=None),
            position=place,
        )  # fmt: skip
    Responder.objects.create(mailbox=mailbox, type="standing", subject="Potwierdzenie", text_body="x", position=5)


SCREENS = [(360, "pl-PL", False), (1280, "en-GB", False), (360, "en-GB", True), (1280, "pl-PL", True)]


@pytest.mark.parametrize(("width", "language", "dark"), SCREENS)
def test_it_is_readable_on_every_screen(
    open_panel: Callable[..., Page],
    mailbox: Mailbox,
    absences: None,
    screenshots: Path,
    width: int,
    language: str,
    dark: bool,
) -> None:
    page = open_panel(width, language, dark=dark)
    pages = {"timeline": f"/mailboxes/{mailbox.pk}/", "calendar": "/calendar/", "feed": "/calendar/feed/"}
    for name, address in pages.items():
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        page.screenshot(path=screenshots / f"{name}-{width}-{language}.png", full_page=True)
    page.goto("/calendar/?month=2026-12")
    page.locator("[rel=next]").click()
    page.wait_for_url("**month=2027-01")
    expect(page.locator("h1")).to_contain_text("2027")


def test_a_chosen_file_fills_the_dates_at_once(
    open_panel: Callable[..., Page], mailbox: Mailbox, tmp_path: Path
) -> None:
    file = tmp_path / "urlop.ics"
    file.write_bytes(ics("SUMMARY:Urlop\r\nDTSTART;VALUE=DATE:20991224\r\nDTEND;VALUE=DATE:21000102"))
    page = open_panel(1280, "en-GB")
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    page.fill("[name=text_body]", "Moje słowa")
    page.get_by_text("From a calendar", exact=True).click()
    page.set_input_files("[name=ics]", file)
    expect(page.locator("[name=from_date]")).to_have_value("2099-12-24T00:00")
    expect(page.locator("[name=text_body]")).to_have_value("Moje słowa")
    page.click("[name=save]")
    expect(page.locator("article .state")).to_be_visible()
    assert Responder.objects.get().to_date == datetime(2100, 1, 2, tzinfo=UTC).replace(tzinfo=None)
