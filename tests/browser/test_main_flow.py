"""The main job in a real browser: write an absence message, see when it answers, end it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mailboxes.models import Mailbox
from responders.models import Decision, Responder
from tests.browser import pictures

NOW = datetime(2026, 12, 28, 9, 30, tzinfo=UTC)
WORDS = {
    "en-GB": {
        "new": "New autoresponder", "save": "Save", "saved": "It answers until Mon, 4 Jan 2027, 08:00 (Warsaw time)",
        "answers": "Answering until", "end": "End now", "off": "Off",
        "subject": "Holiday: {{ subject }}",
        "text": "Thank you for your message. I am away until {{ absence.return_date }}.\n\n"
                "In urgent matters please write to office@firma.example.\n\nAnna Nowak",
    },
    "pl-PL": {
        "new": "Nowy autoresponder", "save": "Zapisz", "saved": "Odpowiada do pon., 4 sty 2027, 08:00 (czas: Warszawa)",
        "answers": "Odpowiada do:", "end": "Zakończ teraz", "off": "Wyłączony",
        "subject": "Urlop: {{ subject }}",
        "text": "Dziękuję za wiadomość. Wracam {{ absence.return_date }}.\n\n"
                "W pilnych sprawach proszę pisać na adres biuro@firma.example.\n\nAnna Nowak",
    },
}  # fmt: skip


@pytest.fixture
def at_christmas(database_clock: Callable[[datetime], None], transactional_db: None) -> None:
    """The panel's clock stands at NOW."""
    database_clock(NOW)


def decided(mailbox: Mailbox, minutes_ago: int, reason: str, sender: str, evidence: str = "") -> None:
    Decision.objects.create(
        mailbox=mailbox, decided_at=NOW - timedelta(minutes=minutes_ago), reverse_path=sender,
        forward_path=mailbox.address, reason=reason, evidence=evidence,
    )  # fmt: skip


@pytest.mark.parametrize("language", ["en-GB", "pl-PL"])
@pytest.mark.parametrize("width", [360, 1280])
def test_an_absence_message_is_written_and_ended(
    open_panel: Callable[..., Page], mailbox: Mailbox, at_christmas: None, screenshots: Path, width: int, language: str
) -> None:
    words = WORDS[language]
    page = open_panel(width, language)
    page.click(".mailboxes a")
    page.get_by_role("link", name=words["new"]).click()
    expect(page.locator("#quick-ends")).to_be_visible()  # the form's script runs
    page.fill("[name=to_date]", "2027-01-04T08:00")
    page.fill("[name=subject]", words["subject"])
    page.fill("[name=text_body]", words["text"])
    expect(page.locator("#preview .letter-text")).to_contain_text("firma.example")
    pictures.keep(page, screenshots / f"form-{width}-{language}.png")
    page.get_by_role("button", name=words["save"]).click()
    expect(page.get_by_role("status")).to_contain_text(words["saved"])
    expect(page.locator("article .state")).to_contain_text(words["answers"])
    assert Responder.objects.get().to_date == datetime(2027, 1, 4, 8, 0)
    decided(mailbox, 130, "list-or-bulk", "nowosci@sklep.example", "List-Id: <oferty.sklep.example>")
    decided(mailbox, 65, "replied", "jan.kowalski@klient.example")
    decided(mailbox, 12, "already-replied", "jan.kowalski@klient.example")
    page.reload()
    page.screenshot(path=screenshots / f"mailbox-{width}-{language}.png", full_page=True)
    page.get_by_role("button", name=words["end"]).click()
    expect(page.locator("article .state")).to_have_text(words["off"])
    assert not Responder.objects.get().is_enabled


def test_the_switch_says_what_it_is_and_keeps_the_focus(
    open_panel: Callable[..., Page], mailbox: Mailbox, standing_reply: Responder
) -> None:
    page = open_panel(1280, "en-GB")
    page.goto(f"/mailboxes/{mailbox.pk}/")
    switch = page.get_by_role("switch", name="Auto: …")
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.focus()
    page.keyboard.press("Enter")
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(switch).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("Auto: …: Off")


def test_the_order_is_changed_in_place(
    open_panel: Callable[..., Page], mailbox: Mailbox, standing_reply: Responder
) -> None:
    Responder.objects.create(mailbox=mailbox, type="standing", position=1, subject="Second", text_body="x")
    page = open_panel(1280, "en-GB")
    page.goto(f"/mailboxes/{mailbox.pk}/")
    page.get_by_role("button", name="Move up: Second").click()
    expect(page.locator("article h3").first).to_have_text("Second")


@pytest.mark.parametrize("width", [320, 360, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_is_wider_than_the_screen_and_every_target_is_large_enough(
    open_panel: Callable[..., Page],
    mailbox: Mailbox,
    standing_reply: Responder,
    screenshots: Path,
    width: int,
    dark: bool,
) -> None:
    Responder.objects.create(
        mailbox=mailbox, type="absence", position=1, subject="{{ subject }}" * 9, text_body="x" * 400,
        state="scheduled", from_date=datetime(2099, 1, 1, 8), from_utc=datetime(2099, 1, 1, 7, tzinfo=UTC),
    )  # fmt: skip
    decided(mailbox, 3, "null-reverse-path", "", "MAIL FROM:<>")
    decided(mailbox, 2, "replied", f"{'bardzo-dlugi-adres-' * 3}@klient.example")
    mailbox_page, form = f"/mailboxes/{mailbox.pk}/", f"/responders/{standing_reply.pk}/"
    page = open_panel(width, "pl-PL", dark=dark)
    for name, path in (
        ("list", "/"),
        ("page", mailbox_page),
        ("edit", form),
        ("delete", f"{form}delete/"),
        ("404", "/-/"),
    ):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
        page.screenshot(path=screenshots / f"{name}-{width}-{'dark' if dark else 'light'}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(SMALL_TARGETS) == [], path


# Links in running text and the skip link, which nobody taps, may be lower.
SMALL_TARGETS = """
[...document.querySelectorAll("a[href]:not(p > a, .skip), button, summary, input:not([type=hidden]), textarea")]
  .map(element => [element.outerHTML.slice(0, 80), (element.closest(".form-check") ?? element).getBoundingClientRect()])
  .filter(([_, box]) => box.height > 0 && box.height < 43.5)
  .map(([html]) => html)
"""


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
    page.get_by_role("switch").click()
    expect(page.locator("article .state")).to_have_text("Off")
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("article")).to_have_count(0)


def test_a_sign_in_that_ran_out_comes_back_to_the_mailbox(
    open_panel: Callable[..., Page], mailbox: Mailbox, standing_reply: Responder
) -> None:
    page = open_panel(1280, "en-GB")
    page.goto(f"/mailboxes/{mailbox.pk}/")
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("switch").click()
    page.fill("[name=login]", "anna@firma.example")
    page.fill("[name=password]", "correct horse battery staple")
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("anna@firma.example")
    standing_reply.refresh_from_db()
    assert standing_reply.is_enabled
