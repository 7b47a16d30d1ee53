"""What was typed and not saved, in a real browser: a tab that is closed, a browser that is killed."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from mailboxes.models import Mailbox
from responders.models import Draft
from tests.browser.conftest import CHROMIUM, OPTIONS, PATIENCE
from tests.conftest import PASSWORD

NO_PREVIEWS = "document.addEventListener('htmx:beforeRequest', event => event.preventDefault())"
# What a page behind another app is told. A Chromium without a window shows each page always, so it is told by us.
OUT_OF_SIGHT = """
Object.defineProperty(document, "visibilityState", { value: "hidden" });
document.dispatchEvent(new Event("visibilitychange"));
"""
# As a browser says of more than 64 KB (Beacon §3.1); not every one counts alike.
NO_BEACONS = "navigator.sendBeacon = () => false"


def kept_text() -> str:
    """Waits for the draft: the browser sends it after the page is gone."""
    patience_ends = time.monotonic() + PATIENCE / 1000
    while not Draft.objects.exists() and time.monotonic() < patience_ends:
        time.sleep(0.1)
    return Draft.objects.get().typed


def test_a_tab_that_is_closed_sends_what_no_preview_had_sent(open_panel: Callable[..., Page], mailbox: Mailbox) -> None:
    page = open_panel(360, "pl-PL")
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    page.evaluate(NO_PREVIEWS)
    page.fill("[name=text_body]", "Jeszcze-nie-zapisane")
    assert not Draft.objects.exists()
    page.on("dialog", lambda dialog: dialog.accept())  # the browser's question before it leaves
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    assert "Jeszcze-nie-zapisane" in kept_text()


def test_a_text_too_long_for_a_beacon_is_sent_all_the_same(open_panel: Callable[..., Page], mailbox: Mailbox) -> None:
    """Of a Polish letter six octets are sent."""
    page = open_panel(360, "pl-PL")
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    page.evaluate(NO_PREVIEWS)
    page.evaluate(NO_BEACONS)
    page.fill("[name=text_body]", "ż" * 20_000 + "-koniec")
    page.evaluate(OUT_OF_SIGHT)
    assert kept_text().count("ż") == 20_000
    assert "-koniec" in Draft.objects.get().typed


@pytest.fixture
def doomed(
    browser: Browser, live_server: LiveServer, mailbox: Mailbox, plain_static_files: None, own_cache: None
) -> Iterator[Browser]:
    """A browser to be killed, signed in with one page: the form of a new responder."""
    doomed = browser.browser_type.launch(executable_path=CHROMIUM, args=OPTIONS)
    page = doomed.new_page(base_url=live_server.url)
    page.set_default_timeout(PATIENCE)
    page.goto("/")
    page.fill("[name=login]", "anna@firma.example")
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_url(live_server.url + "/")
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    yield doomed
    doomed.close()


def kill(doomed: Browser) -> None:
    processes = doomed.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    [number] = [process["id"] for process in processes if process["type"] == "browser"]
    os.kill(number, signal.SIGKILL)


def test_a_browser_that_is_killed_leaves_the_draft_of_the_last_preview(doomed: Browser) -> None:
    [page] = doomed.contexts[0].pages
    page.fill("[name=text_body]", "Zapisane-z-podgladem")
    expect(page.locator("#preview .letter-text")).to_contain_text("Zapisane-z-podgladem")
    kill(doomed)
    assert "Zapisane-z-podgladem" in kept_text()


def test_a_browser_that_is_killed_behind_another_app_leaves_what_was_typed_last(
    doomed: Browser, open_panel: Callable[..., Page], mailbox: Mailbox
) -> None:
    [page] = doomed.contexts[0].pages
    page.evaluate(NO_PREVIEWS)
    page.fill("[name=text_body]", "Pisane-w-kolejce-do-lekarza")
    assert not Draft.objects.exists()
    page.evaluate(OUT_OF_SIGHT)
    assert "Pisane-w-kolejce-do-lekarza" in kept_text()
    kill(doomed)
    page = open_panel(360, "pl-PL")
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    page.locator(".begun").get_by_role("link", name="Wróć do szkicu").click()
    expect(page.locator("[name=text_body]")).to_have_value("Pisane-w-kolejce-do-lekarza")
