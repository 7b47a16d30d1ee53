"""A real Chromium (Debian's), driven by Playwright, on a live server."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone, translation
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from mailboxes.models import Mailbox
from tests.browser.walks import Start, Walk
from tests.committed import emptied_afterwards
from tests.conftest import PASSWORD

AGENT = "pomoc@hosting.example"
CHROMIUM = "/usr/bin/chromium-headless-shell"  # the same without windows: two thirds of the work
PATIENCE = 60_000  # milliseconds; a slow machine is no fault of a page
# Nothing in the background that would ask the network.
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# What Chromium says about an answer that the panel means: a form to look at again, a page that is not there.
# The first three: htmx about a preview that the page no longer waits for.
EXPECTED = (
    "htmx:afterRequest", "htmx:sendError", "htmx:sendAbort", "409 (Conflict)", "422 (Unprocessable", "404 (Not Found)",
)  # fmt: skip


@pytest.fixture
def db(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """Rows are committed, for the live server's threads have connections of their own."""
    yield from emptied_afterwards(django_db_blocker)


@pytest.fixture
def transactional_db(db: None) -> None:
    """What pytest-django asks for with `live_server`."""


@pytest.fixture(scope="package", autouse=True)
def plain_static_files_between_tests() -> Iterator[None]:
    """A request that a page sent as its test ended may be answered after it."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # Playwright keeps an event loop running in this thread, which Django takes for asynchronous code. Tests of other
    # folders shall not meet it: the browser ends with this folder's.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        expect.set_options(timeout=PATIENCE)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def user_agent(browser: Browser) -> str:
    """What the browser says that it is."""
    page = browser.new_page()
    name: str = page.evaluate("navigator.userAgent")
    page.close()
    return name


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pictures are kept: SCREENSHOT_DIR, else a temporary folder."""
    folder = Path(os.environ.get("SCREENSHOT_DIR", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_panel(
    browser: Browser, user_agent: str, live_server: LiveServer, mailbox: Mailbox, plain_static_files: None,
    own_cache: None,
) -> Iterator[Callable[..., Page]]:  # fmt: skip
    """Opens the panel at a width and in a language, signed in as the owner unless another address is given.

    `lands_on` is where signing in leads, if that is neither the first page nor, for an agent, the search.

    Fails on any complaint of the console (a breach of the content security policy is one), and on any request
    that leaves the panel's own host.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_signed_in(
        width: int,
        language: str,
        *,
        address: str = "anna@firma.example",
        javascript: bool = True,
        dark: bool = False,
        lands_on: str | None = None,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, locale=language, java_script_enabled=javascript,
            color_scheme="dark" if dark else "light", base_url=live_server.url,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        listen(page, live_server.url, complaints)
        page.goto(sign_in(context, live_server.url, address, language, user_agent))
        page.wait_for_url(live_server.url + (lands_on or ("/support/" if address == AGENT else "/")))
        return page

    yield open_signed_in
    for context in contexts:
        context.close()
    assert complaints == []


def listen(page: Page, panel: str, complaints: list[str]) -> None:
    """Keep what the console complains of, and what is asked of other hosts."""

    def complain(text: str) -> None:
        if not any(expected in text for expected in EXPECTED):
            complaints.append(text)

    own = (panel, "data:", "blob:")
    page.on("console", lambda message: complain(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complain(str(error)))
    page.on("request", lambda request: None if request.url.startswith(own) else complain(request.url))


def sign_in(context: BrowserContext, panel: str, address: str, language: str, user_agent: str) -> str:
    """As the form does it, without showing it: it has tests of its own, and takes twice as long. Where it leads."""
    client = Client(headers={"accept-language": language, "user-agent": user_agent})
    answer = client.post(reverse("account_login"), {"login": address, "password": PASSWORD})
    assert answer.status_code == 302, address
    translation.deactivate()  # the visitor's, which the page left to this thread
    timezone.deactivate()
    context.add_cookies([{"name": name, "value": one.value, "url": panel} for name, one in client.cookies.items()])
    return str(answer["Location"])


@pytest.fixture
def walk(open_panel: Callable[..., Page], screenshots: Path) -> Start:
    """A person signed in, who answers yes to what the browser asks."""

    def start(width: int, language: str) -> Walk:
        page = open_panel(width, language)
        page.on("dialog", lambda dialog: dialog.accept())
        return Walk(page, width, language, screenshots)

    return start


@pytest.fixture
def virtual_key() -> Callable[[Page], CDPSession]:
    """Plugs a security key into a page's browser; it is touched at once."""

    def plug_in(page: Page) -> CDPSession:
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        session.send(
            "WebAuthn.addVirtualAuthenticator",
            {"options": {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True,
                         "isUserVerified": True, "automaticPresenceSimulation": True}},
        )  # fmt: skip
        return session

    return plug_in
