"""The main job in a real browser: write an absence message, see when it answers, end it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mailboxes.models import Mailbox
from responders.models import Decision, Responder

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = {
    "en-GB": ["New autoresponder", "Save", "Answering until", "End now", "Off"],
    "pl-PL": ["Nowy autoresponder", "Zapisz", "Odpowiada do:", "Zakończ teraz", "Wyłączony"],
}


@pytest.mark.parametrize("language", ["en-GB", "pl-PL"])
@pytest.mark.parametrize("width", [360, 1280])
def test_an_absence_message_is_written_and_ended(
    open_panel: Callable[..., Page], mailbox: Mailbox, screenshots: Path, width: int, language: str
) -> None:
    new, save, answers, end, off = WORDS[language]
    page = open_panel(width, language)
    page.click(".mailboxes a")
    page.get_by_role("link", name=new).click()
    page.fill("[name=to_date]", "2099-01-04T08:00")
    page.fill("[name=text_body]", "Nie ma mnie do {{ absence.end }}.")
    page.screenshot(path=screenshots / f"form-{width}-{language}.png", full_page=True)
    page.get_by_role("button", name=save).click()
    expect(page.locator("article .state")).to_contain_text(answers)
    assert Responder.objects.get().to_date == datetime(2099, 1, 4, 8, 0)
    for reason, sender in (("list-or-bulk", "sklep@example.com"), ("replied", "jan.kowalski@example.com")):
        Decision.objects.create(
            mailbox=mailbox, decided_at=datetime.now(UTC), reverse_path=sender, forward_path=mailbox.address,
            reason=reason, evidence="List-Id: <oferty.example.com>" if reason != "replied" else "",
        )  # fmt: skip
    page.reload()
    page.screenshot(path=screenshots / f"mailbox-{width}-{language}.png", full_page=True)
    page.get_by_role("button", name=end).click()
    expect(page.locator("article .state")).to_have_text(off)
    assert not Responder.objects.get().is_enabled


@pytest.mark.parametrize("width", [320, 360, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_is_wider_than_the_screen(
    open_panel: Callable[..., Page], mailbox: Mailbox, standing_reply: Responder, width: int, dark: bool
) -> None:
    page = open_panel(width, "pl-PL", dark=dark)
    for path in ("/", f"/mailboxes/{mailbox.pk}/", f"/responders/{standing_reply.pk}/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_type_decides_which_fields_are_there(open_panel: Callable[..., Page], mailbox: Mailbox) -> None:
    page = open_panel(1280, "en-GB")
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    expect(page.locator("[name=from_date]")).to_be_visible()
    page.get_by_label("Standing reply").check()
    expect(page.locator("[name=from_date]")).to_be_hidden()


def test_it_all_works_without_javascript(open_panel: Callable[..., Page], mailbox: Mailbox) -> None:
    page = open_panel(360, "en-GB", javascript=False)
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    page.fill("[name=text_body]", "I am away {{ nowhere }}")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".invalid-feedback")).to_contain_text("There is no placeholder “nowhere”")
    page.fill("[name=text_body]", "I am away")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("article .state")).to_have_text("Answering until switched off")
    page.get_by_role("button", name="End now").click()
    expect(page.locator("article .state")).to_have_text("Off")
