"""A real Chromium (Debian's), driven by Playwright, on a live server."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from mailboxes.models import Mailbox
from tests.conftest import PASSWORD

CHROMIUM = "/usr/bin/chromium"
# Nothing in the background that would ask the network.
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # Playwright keeps an event loop running in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pictures are kept: SCREENSHOT_DIR, else a temporary folder."""
    folder = Path(os.environ.get("SCREENSHOT_DIR", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_panel(
    browser: Browser, live_server: LiveServer, mailbox: Mailbox, plain_static_files: None
) -> Iterator[Callable[..., Page]]:
    """Opens the panel as the owner, signed in, at a width, in a language; fails on any error of the console."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_as_anna(width: int, language: str, *, javascript: bool = True, dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, locale=language, java_script_enabled=javascript,
            color_scheme="dark" if dark else "light", base_url=live_server.url,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/")
        page.fill("[name=login]", "anna@firma.example")
        page.fill("[name=password]", PASSWORD)
        page.click("main button")
        return page

    yield open_as_anna
    for context in contexts:
        context.close()
    assert [text for text in complaints if "422" not in text] == []
