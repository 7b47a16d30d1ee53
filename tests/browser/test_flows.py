"""Every flow of an owner's autoresponders in a real browser, on a telephone and at a desk, in both languages.

What each flow promises stands in its own test; here each is gone through once on every screen, and a picture of every
step is kept (SCREENSHOT_DIR). Those of the account: test_account_flows.py.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core import mail
from playwright.sync_api import Locator, Page, expect

from mailboxes.models import Mailbox, User
from responders import notices, services
from responders.models import Decision, Responder
from responders.services import database_now
from responders.validation import ResponderInput, as_input
from tests.browser.walks import Start, Walk, drop, on_every_screen
from tests.conftest import PASSWORD
from tests.services.test_calendars import ics

pytestmark = pytest.mark.django_db(transaction=True)
LETTER = b"From: Jan <jan@klient.example>\r\nTo: anna@firma.example\r\nSubject: Oferta\r\n\r\nKiedy?\r\n"
UNFINISHED = "Nie ma mnie do [data]. Wracam {{ absence.return_date }}."


@on_every_screen
def test_the_list_switches_and_tells_the_state(
    walk: Start, mailbox: Mailbox, standing_reply: Responder, width: int, language: str
) -> None:
    at = walk(width, language)
    page = at.page
    page.locator("main").get_by_role("switch").click()
    expect(page.locator("h1")).to_have_text("anna@firma.example")
    expect(page.get_by_role("switch")).to_have_attribute("aria-checked", "false")
    page.locator(".where a").click()
    at.see("My mailboxes")
    expect(page.locator(".mailboxes .state")).to_have_class("state state-off")
    at.picture("list")
    page.click(".mailboxes a")
    at.link("New autoresponder").click()
    expect(page.locator("#responder-form")).to_be_visible()


@on_every_screen
def test_a_reply_is_written_looked_at_tried_saved_and_ended(
    walk: Start, mailbox: Mailbox, width: int, language: str
) -> None:
    at = walk(width, language)
    at.page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    begin_with_a_ready_text(at)
    see_it_as_senders_do(at)
    save_after_a_mistake(at)
    end_it(at)


def begin_with_a_ready_text(at: Walk) -> None:
    page = at.page
    page.click("#ready summary")
    page.locator("#ready button").filter(has_text=at.word("Illness, informal")).click()
    expect(page.locator("[name=text_body]")).to_have_value("Cześć!\n\nPrzez kilka dni nie pracuję i nie zaglądam do "
        "poczty. Odezwę się, jak tylko wrócę.\n\nPozdrawiam\n{{ mailbox.name }}")  # fmt: skip
    page.click("[data-end=week]")
    page.fill("[name=text_body]", UNFINISHED)
    at.see("The text has a place that nobody filled in: […] or XXX.")
    at.picture("form")


def see_it_as_senders_do(at: Walk) -> None:
    page = at.page
    page.fill("[name=text_body]", "Wracam {{ absence.return_date }}.")
    expect(page.locator("#preview .letter-text")).to_contain_text("Wracam ")
    at.button("Send me a test").click()
    expect(page.get_by_role("status").first).to_contain_text("anna@firma.example")
    assert [letter.to for letter in mail.outbox] == [["anna@firma.example"]]


def save_after_a_mistake(at: Walk) -> None:
    page = at.page
    page.fill("[name=subject]", "")
    at.button("Save").click()
    at.see("Not saved yet: something below needs another look.")
    expect(page.locator("[name=text_body]")).to_have_value("Wracam {{ absence.return_date }}.")
    at.picture("mistake")
    page.fill("[name=subject]", "Urlop: {{ subject }}")
    at.button("Save").click()
    expect(page.locator(".banner .state-active")).to_be_visible()
    expect(page.locator(".timeline .line-active")).to_have_count(1)
    expect(page.locator(".begun")).to_have_count(0)
    at.picture("mailbox")


def end_it(at: Walk) -> None:
    at.page.locator(".banner").get_by_role("button", name=at.word("End now")).click()
    expect(at.page.locator(".banner .state-active")).to_have_count(0)
    assert not Responder.objects.get().is_enabled
    at.picture("ended")


@on_every_screen
def test_a_draft_of_a_tab_that_was_closed_is_taken_up(walk: Start, mailbox: Mailbox, width: int, language: str) -> None:
    at = walk(width, language)
    at.page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    at.page.fill("[name=text_body]", UNFINISHED)
    expect(at.page.locator("#kept")).to_be_visible()
    at.page.close()  # as a tab that is closed, a browser that is killed
    page = at.page.context.new_page()
    at = replace(at, page=page)
    page.goto(f"/mailboxes/{mailbox.pk}/")
    at.picture("draft")
    at.link("Take it up").click()
    expect(page.locator("[name=text_body]")).to_have_value(UNFINISHED)
    at.button("Save").click()
    expect(page.locator(".banner .state-active")).to_be_visible()
    expect(page.locator(".begun")).to_have_count(0)


@on_every_screen
def test_what_another_saved_meanwhile_is_shown_before_it_is_replaced(
    walk: Start, mailbox: Mailbox, anna: User, width: int, language: str
) -> None:
    values = ResponderInput(
        type="absence", is_enabled=True, from_date=None, to_date=None, time_zone="Europe/Warsaw",
        subject="Urlop: {{ subject }}", text_body="Wracam wkrótce.",
    )  # fmt: skip
    row = services.save_responder(mailbox, values, actor=anna, now=database_now())
    at = walk(width, language)
    page = at.page
    page.goto(f"/mailboxes/{mailbox.pk}/")
    page.locator("article").filter(has_text="Urlop").get_by_role("link", name=at.word("Edit")).click()
    expect(page.locator("#responder-form")).to_be_visible()
    services.save_responder(
        mailbox, replace(as_input(row), text_body="Wersja koleżanki."), actor=anna,
        now=database_now(), responder=row,
    )  # fmt: skip
    page.fill("[name=text_body]", "Moja wersja.")
    at.button("Save").click()
    at.see("Somebody changed this autoresponder while you were writing.")
    expect(page.locator("main")).to_contain_text("Wersja koleżanki.")
    at.picture("conflict")
    at.button("Save").click()
    expect(page.locator(".banner .state-active")).to_be_visible()
    row.refresh_from_db()
    assert row.text_body == "Moja wersja."


@on_every_screen
def test_a_sender_is_typed_chosen_or_dropped_to_try_it(
    walk: Start, mailbox: Mailbox, standing_reply: Responder, width: int, language: str, tmp_path: Path
) -> None:
    Decision.objects.create(
        mailbox=mailbox, decided_at=database_now() - timedelta(hours=2), reverse_path="jan@klient.example",
        forward_path=mailbox.address, reason="replied",
    )  # fmt: skip
    at = walk(width, language)
    page = at.page
    page.goto(f"/mailboxes/{mailbox.pk}/")
    at.link("Try it").click()
    page.fill("[name=sender]", "noreply@sklep.example")
    at.button("See what happens").click()
    at.see("It gets no reply.")
    page.locator("details", has_text="jan@klient.example").locator("summary").click()
    page.get_by_role("link", name="jan@klient.example").click()
    expect(page.locator("[name=sender]")).to_have_value("jan@klient.example")
    page.fill("[name=sender]", "")
    letter = tmp_path / "oferta.eml"
    letter.write_bytes(LETTER)
    drop(page, letter, "#div_id_file")
    at.see("It gets a reply.")
    expect(page.locator(".preview-letter")).to_contain_text("Auto: Oferta")
    at.picture("try")


@on_every_screen
def test_dates_come_from_a_file_and_stand_in_the_calendar_and_its_feed(
    walk: Start, mailbox: Mailbox, width: int, language: str, tmp_path: Path
) -> None:
    file = tmp_path / "urlop.ics"
    begin, end = (database_now().date() + timedelta(days=days) for days in (40, 49))
    file.write_bytes(ics(f"SUMMARY:Urlop\r\nDTSTART;VALUE=DATE:{begin:%Y%m%d}\r\nDTEND;VALUE=DATE:{end:%Y%m%d}"))
    at = walk(width, language)
    page = at.page
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    drop(page, file, "h1")  # anywhere on the page
    expect(page.locator("[name=from_date]")).to_have_value(f"{begin}T00:00")
    expect(page.locator("[name=to_date]")).to_have_value(f"{end}T00:00")
    at.picture("from-a-file")
    at.button("Save").click()
    expect(page.locator("article")).to_have_count(1)
    page.goto(f"/calendar/?month={begin:%Y-%m}")
    expect(page.locator(".absence:visible").first).to_be_visible()
    at.picture("calendar")
    page.goto("/calendar/feed/")
    at.button("Make the address").click()
    address = page.locator("#feed").input_value()
    feed = page.request.get(urlsplit(address).path)
    assert "BEGIN:VEVENT" in feed.text()
    at.picture("feed")


@on_every_screen
def test_office_hours_limit_it_and_a_notice_ends_it(
    walk: Start, mailbox: Mailbox, standing_reply: Responder, width: int, language: str
) -> None:
    at = walk(width, language)
    at.page.goto(f"/responders/{standing_reply.pk}/")
    limit_it_to_hours(at)
    switch_a_notice_off(at, mailbox)
    at.page.context.clear_cookies()
    end_it_by_link(at, standing_reply)


def limit_it_to_hours(at: Walk) -> None:
    page = at.page
    page.locator("summary").filter(has_text=at.word("Office hours")).click()
    page.select_option("[name=hours_mode]", "outside")
    page.fill("[name=office_closes]", "17:00")
    at.picture("hours")
    at.button("Save").click()
    expect(page.locator(".limits").first).to_contain_text("08:00–17:00")


def switch_a_notice_off(at: Walk, mailbox: Mailbox) -> None:
    at.link("Notices by mail").click()
    at.page.uncheck("[name=notify_still_on]")
    at.picture("notices")
    at.button("Save").click()
    mailbox.refresh_from_db()
    assert not mailbox.notify_still_on


def end_it_by_link(at: Walk, row: Responder) -> None:
    at.page.goto(urlsplit(notices.end_link(row)).path)
    row.refresh_from_db()
    assert row.is_enabled  # looking at the link ends nothing
    at.picture("end")
    at.button("End now").click()
    at.see("It is off.")
    row.refresh_from_db()
    assert not row.is_enabled


@pytest.mark.parametrize("language", ["pl-PL", "en-GB"])
def test_a_person_is_away_in_a_few_taps(
    open_panel: Callable[..., Page], mailbox: Mailbox, live_server: object, language: str
) -> None:
    """From the sign-in to a saved, correct absence on a telephone: what a person has to do is counted."""
    page = open_panel(360, language)
    page.context.clear_cookies()
    done = {"taps": 0, "fields": 0}

    def tap(where: Locator) -> None:
        expect(where).to_be_visible()
        where.click()
        done["taps"] += 1

    def write(name: str, text: str) -> None:
        page.fill(f"[name={name}]", text)
        done["fields"] += 1

    page.goto("/")
    write("login", "anna@firma.example")
    write("password", PASSWORD)
    tap(page.locator("main button"))
    tap(page.locator(".mailboxes .btn"))
    tap(page.locator("[data-end=monday]"))
    tap(page.locator("[name=save]"))
    expect(page.locator(".banner .state-active")).to_be_visible()
    row = Responder.objects.get()
    assert row.to_date is not None
    assert (row.to_date.weekday(), row.to_date.hour, row.is_enabled, row.type) == (0, 8, True, "absence")
    assert "{{ absence.return_date }}" in row.text_body
    assert done == {"taps": 4, "fields": 2}
