"""Every flow of an owner in a real browser, on a telephone and at a desk, in both languages.

What each flow promises stands in its own test; here each is gone through once on every screen, and a picture of every
step is kept (SCREENSHOT_DIR).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import Locator, Page, expect

from mailboxes.models import Delegation, Mailbox, User
from responders import notices, services
from responders.models import Decision, HelpVote, Responder
from responders.services import database_now
from responders.validation import as_input
from tests import second_factor
from tests.browser import pictures
from tests.browser.test_account import virtual_key as virtual_key  # noqa: PLC0414 (a fixture)
from tests.conftest import PASSWORD
from tests.services.test_calendars import ics

pytestmark = pytest.mark.django_db(transaction=True)
SCREENS = [(360, "pl-PL"), (360, "en-GB"), (1280, "pl-PL"), (1280, "en-GB")]
on_every_screen = pytest.mark.parametrize(("width", "language"), SCREENS)
LETTER = b"From: Jan <jan@klient.example>\r\nTo: anna@firma.example\r\nSubject: Oferta\r\n\r\nKiedy?\r\n"


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


@pytest.fixture
def walk(open_panel: Callable[..., Page], screenshots: Path) -> Callable[[int, str], Walk]:
    def start(width: int, language: str) -> Walk:
        page = open_panel(width, language)
        page.on("dialog", lambda dialog: dialog.accept())
        return Walk(page, width, language, screenshots)

    return start


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


@on_every_screen
def test_writing_a_responder_and_ending_it(
    walk: Callable[[int, str], Walk], mailbox: Mailbox, anna: User, standing_reply: Responder, width: int, language: str
) -> None:
    """List and switch, quick choices, ready texts, warnings, preview, test mail, draft, conflict, banner."""
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

    page.click("#ready summary")
    page.locator("#ready button").filter(has_text=at.word("Illness, informal")).click()
    expect(page.locator("[name=text_body]")).to_have_value("Cześć!\n\nPrzez kilka dni nie pracuję i nie zaglądam do "
        "poczty. Odezwę się, jak tylko wrócę.\n\nPozdrawiam\n{{ mailbox.name }}")  # fmt: skip
    page.click("[data-end=week]")
    page.fill("[name=text_body]", "Nie ma mnie do [data]. Wracam {{ absence.return_date }}.")
    at.see("The text has a place that nobody filled in: […] or XXX.")
    expect(page.locator("#kept")).to_be_visible()
    at.picture("form")

    page.close()  # as a tab that is closed, a browser that is killed
    page = page.context.new_page()
    at = Walk(page, width, language, at.folder)
    page.goto(f"/mailboxes/{mailbox.pk}/")
    at.picture("draft")
    at.link("Take it up").click()
    expect(page.locator("[name=text_body]")).to_have_value("Nie ma mnie do [data]. Wracam {{ absence.return_date }}.")
    page.fill("[name=text_body]", "Wracam {{ absence.return_date }}.")
    expect(page.locator("#preview .letter-text")).to_contain_text("Wracam ")
    at.button("Send me a test").click()
    expect(page.get_by_role("status").first).to_contain_text("anna@firma.example")
    assert [letter.to for letter in mail.outbox] == [["anna@firma.example"]]
    page.fill("[name=subject]", "")
    at.button("Save").click()
    at.see("Not saved yet: something below needs another look.")
    expect(page.locator("[name=text_body]")).to_have_value("Wracam {{ absence.return_date }}.")
    at.picture("mistake")
    page.fill("[name=subject]", "Urlop: {{ subject }}")
    at.button("Save").click()
    expect(page.locator(".banner .state-active")).to_be_visible()
    expect(page.locator(".begun")).to_have_count(0)

    row = Responder.objects.get(type="absence")
    page.locator("article").filter(has_text="Urlop").get_by_role("link", name=at.word("Edit")).click()
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
    row.refresh_from_db()
    assert row.text_body == "Moja wersja."
    expect(page.locator(".timeline .line-active")).to_have_count(1)
    at.picture("mailbox")
    page.locator(".banner").get_by_role("button", name=at.word("End now")).click()
    expect(page.locator(".banner .state-active")).to_have_count(0)
    row.refresh_from_db()
    assert not row.is_enabled
    at.picture("ended")


@on_every_screen
def test_trying_calendar_hours_and_notices(
    walk: Callable[[int, str], Walk], mailbox: Mailbox, anna: User, standing_reply: Responder, width: int,
    language: str, tmp_path: Path,
) -> None:  # fmt: skip
    """Try it, calendar and feed, dates from a dropped file, weekly hours, notices and the link that ends it."""
    now = database_now()
    Decision.objects.create(
        mailbox=mailbox, decided_at=now - timedelta(hours=2), reverse_path="jan@klient.example",
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

    file = tmp_path / "urlop.ics"
    begin, end = (now.date() + timedelta(days=days) for days in (40, 49))
    file.write_bytes(ics(f"SUMMARY:Urlop\r\nDTSTART;VALUE=DATE:{begin:%Y%m%d}\r\nDTEND;VALUE=DATE:{end:%Y%m%d}"))
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    drop(page, file, "h1")  # anywhere on the page
    expect(page.locator("[name=from_date]")).to_have_value(f"{begin}T00:00")
    expect(page.locator("[name=to_date]")).to_have_value(f"{end}T00:00")
    at.picture("from-a-file")
    at.button("Save").click()
    expect(page.locator("article")).to_have_count(2)

    page.goto(f"/calendar/?month={begin:%Y-%m}")
    expect(page.locator(".absence:visible").first).to_be_visible()
    at.picture("calendar")
    page.goto("/calendar/feed/")
    at.button("Make the address").click()
    address = page.locator("#feed").input_value()
    feed = page.request.get(urlsplit(address).path)
    assert "BEGIN:VEVENT" in feed.text()
    at.picture("feed")

    page.goto(f"/responders/{standing_reply.pk}/")
    page.locator("summary").filter(has_text=at.word("Office hours")).click()
    page.select_option("[name=hours_mode]", "outside")
    page.fill("[name=office_closes]", "17:00")
    at.picture("hours")
    at.button("Save").click()
    expect(page.locator(".limits").first).to_contain_text("08:00–17:00")

    at.link("Notices by mail").click()
    page.uncheck("[name=notify_still_on]")
    at.picture("notices")
    at.button("Save").click()
    mailbox.refresh_from_db()
    assert not mailbox.notify_still_on
    page.context.clear_cookies()
    page.goto(urlsplit(notices.end_link(standing_reply)).path)
    standing_reply.refresh_from_db()
    assert standing_reply.is_enabled  # looking at the link ends nothing
    at.picture("end")
    at.button("End now").click()
    at.see("It is off.")
    standing_reply.refresh_from_db()
    assert not standing_reply.is_enabled


@on_every_screen
def test_account_colleagues_and_help(
    walk: Callable[[int, str], Walk], open_panel: Callable[..., Page], virtual_key: Callable[[Page], object],
    mailbox: Mailbox, anna: User, width: int, language: str,
) -> None:  # fmt: skip
    """Delegation, help and its question, devices, app, passkey, recovery codes, password, language."""
    User.objects.create_user("ewa@firma.example", PASSWORD, name="Ewa Lis")
    Mailbox.objects.create(domain=mailbox.domain, local_part="ewa", owner=User.objects.get(email="ewa@firma.example"))
    at = walk(width, language)
    page = at.page
    page.goto(f"/mailboxes/{mailbox.pk}/")
    at.link("Who else looks after it").click()
    page.fill("main [name=email]", "ewa@firma.example")
    at.button("Add").click()
    assert Delegation.objects.get().user.email == "ewa@firma.example"
    at.picture("colleague")
    page.get_by_role("button", name=at.word("Take it back")).click()
    expect(page.get_by_role("button", name=at.word("Take it back"))).to_have_count(0)
    assert not Delegation.objects.exists()

    page.goto("/help/")
    page.fill("[name=q]", at.word("Second factor").split()[0])
    at.button("Search").click()
    expect(page.locator(".articles a").first).to_be_visible()
    at.picture("help")
    page.locator(".articles a").first.click()
    page.check("#helped-no")
    page.fill("[name=comment]", "Za krótko")
    at.button("Send").click()
    vote = HelpVote.objects.get()
    assert (vote.is_helpful, vote.comment) == (False, "Za krótko")

    open_panel(width, language)  # a second device
    page.goto("/account/devices/")
    expect(page.locator(".device")).to_have_count(2)
    at.picture("devices")
    at.button("Sign out everywhere else").click()
    expect(page.locator(".device")).to_have_count(1)

    page.goto("/account/second-factor/app/")
    page.locator("details summary").click()
    secret = page.locator("#secret").inner_text()
    page.fill("[name=code]", second_factor.code(secret))
    at.picture("app")
    at.button("Switch on").click()
    expect(page.locator(".codes code")).to_have_count(10)
    recovery_code = page.locator(".codes code").nth(2).inner_text()
    at.picture("codes")
    virtual_key(page)
    page.goto("/account/second-factor/keys/add/")
    at.button("Add a key").click()
    at.see("The key is added. From now on, signing in asks for it.")
    page.goto("/account/second-factor/")
    expect(page.get_by_role("link", name=at.word("Rename"))).to_have_count(1)
    at.picture("factors")

    def sign_out_and_in() -> None:
        page.locator("header").get_by_role("button").click()
        page.fill("[name=login]", "anna@firma.example")
        page.fill("[name=password]", PASSWORD)
        at.button("Sign in").click()

    sign_out_and_in()
    at.picture("second-step")
    at.button("Use the security key").click()
    expect(page.locator("h1")).to_have_text(at.word("My mailboxes"))
    sign_out_and_in()
    page.fill("[name=code]", recovery_code)
    at.button("Sign in").click()
    expect(page.locator("h1")).to_have_text(at.word("My mailboxes"))

    page.goto("/account/password/")
    page.fill("[name=oldpassword]", PASSWORD)
    for name in ("password1", "password2"):
        page.fill(f"[name={name}]", "siedem zielonych parasoli")
    at.button("Change the password").click()
    anna.refresh_from_db()
    assert anna.check_password("siedem zielonych parasoli")
    page.goto("/account/")
    at.picture("account")
    other = "en" if language.startswith("pl") else "pl"
    page.select_option("main [name=language]", other)
    page.locator("main").get_by_role("button", name=at.word("Save"), exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", other)


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
