"""The page of mail programs: its picture read as a phone reads it, and what that leads to."""

import io
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page
from pytest_django import Settings

from mailboxes.models import Mailbox


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("width", "language"), [(360, "pl-PL"), (1280, "en-GB")])
def test_a_phone_reads_the_picture_and_gets_its_profile(
    open_panel: Callable[..., Page], mailbox: Mailbox, settings: Settings, screenshots: Path,
    width: int, language: str, *, dark: bool,
) -> None:  # fmt: skip
    settings.PANEL_URL = "https://panel.firma.example"
    page = open_panel(width, language, dark=dark)
    page.goto(f"/mailboxes/{mailbox.pk}/programs/")
    page.screenshot(path=screenshots / f"programs-{width}-{language}-{'dark' if dark else 'light'}.png", full_page=True)
    [found] = zxingcpp.read_barcodes(Image.open(io.BytesIO(page.locator(".qr").screenshot())))
    link = urlsplit(found.text)
    assert (link.scheme, link.netloc) == ("https", "panel.firma.example")
    phone = open_panel(width, language, dark=dark)
    phone.context.clear_cookies()
    phone.goto(link.path)
    assert "anna@firma.example" in phone.inner_text("h1")
    phone.screenshot(path=screenshots / f"program-link-{width}-{language}.png", full_page=True)
    with phone.expect_download() as download:
        phone.locator("a[download]").click()
    assert download.value.suggested_filename == "anna@firma.example.mobileconfig"
    assert b"com.apple.mail.managed" in download.value.path().read_bytes()
