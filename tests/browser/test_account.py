"""The account in a real browser: second factors, devices, and pages that everybody can read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import CDPSession, Page, expect
from pytest_django import Settings

from mailboxes.models import Mailbox, User
from tests import second_factor
from tests.browser.axe import violations
from tests.browser.test_main_flow import SMALL_TARGETS
from tests.conftest import PASSWORD


def sign_out_and_in(page: Page) -> None:
    """Up to where the second step is asked for."""
    page.locator("header").get_by_role("button").click()
    page.fill("[name=login]", "anna@firma.example")
    page.fill("[name=password]", PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()


def test_an_app_is_set_up_and_asked_for_without_javascript(open_panel: Callable[..., Page], anna: User) -> None:
    page = open_panel(360, "en-GB", javascript=False)
    page.goto("/account/second-factor/app/")
    page.get_by_text("It cannot scan?").click()
    secret = page.locator("#secret").inner_text()
    page.fill("[name=code]", second_factor.wrong_code(secret))
    page.get_by_role("button", name="Switch on").click()
    expect(page.locator(".invalid-feedback")).to_contain_text("This code is not right")
    page.fill("[name=code]", second_factor.code(secret))
    page.get_by_role("button", name="Switch on").click()
    expect(page.locator(".codes code")).to_have_count(10)
    sign_out_and_in(page)
    page.fill("[name=code]", second_factor.code(secret))
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="anna@firma.example")).to_be_visible()


def test_the_picture_for_the_app_is_seen_in_the_dark_too(open_panel: Callable[..., Page], screenshots: Path) -> None:
    page = open_panel(360, "pl-PL", dark=True)
    page.goto("/account/second-factor/app/")
    assert page.locator(".qr").evaluate("image => image.complete && image.naturalWidth") > 100
    page.screenshot(path=screenshots / "account-app-dark.png", full_page=True)


def test_a_key_that_does_not_answer_is_said_and_a_code_does(
    open_panel: Callable[..., Page], virtual_key: Callable[[Page], CDPSession], anna: User
) -> None:
    page = open_panel(360, "en-GB")
    session = virtual_key(page)
    page.goto("/account/second-factor/keys/add/")
    page.get_by_role("button", name="Add a key").click()
    recovery_code = page.locator(".codes code").first.inner_text()
    sign_out_and_in(page)
    session.send("WebAuthn.disable")
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {"protocol": "ctap2", "transport": "usb", "automaticPresenceSimulation": True}},
    )
    page.get_by_role("button", name="Use the security key").click()
    expect(page.get_by_role("alert")).to_contain_text("did not answer")
    page.fill("[name=code]", recovery_code)
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="anna@firma.example")).to_be_visible()


def test_without_javascript_the_page_says_that_keys_need_it(open_panel: Callable[..., Page]) -> None:
    page = open_panel(360, "pl-PL", javascript=False)
    page.goto("/account/second-factor/keys/add/")
    expect(page.locator("noscript p")).to_contain_text("wymagają JavaScriptu")
    page.get_by_role("button", name="Dodaj klucz").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dodaj klucz")


def test_another_device_is_signed_out(open_panel: Callable[..., Page], mailbox: Mailbox) -> None:
    here, there, elsewhere = (open_panel(width, "en-GB") for width in (1280, 360, 800))
    here.goto("/account/devices/")
    expect(here.locator(".device")).to_have_count(3)
    expect(here.locator(".device").first).to_contain_text("this one")
    expect(here.locator(".device").first).to_contain_text("Chrome on Linux")
    here.locator(".device").nth(1).get_by_role("button").click()
    expect(here.locator(".device")).to_have_count(2)
    elsewhere.goto("/")
    expect(elsewhere.get_by_role("heading", level=1)).to_have_text("Sign in")
    there.goto("/account/password/")
    there.fill("[name=oldpassword]", PASSWORD)
    for name in ("password1", "password2"):
        there.fill(f"[name={name}]", "seven green umbrellas")
    there.get_by_role("button", name="Change the password").click()
    expect(there.get_by_role("status")).to_contain_text("Everywhere else you are signed out")
    here.goto("/")
    expect(here.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_staff_set_up_a_factor_before_anything_else(open_panel: Callable[..., Page], settings: Settings) -> None:
    settings.REQUIRE_STAFF_MFA = True
    User.objects.create_superuser("admin@hosting.example", PASSWORD)
    page = open_panel(1280, "en-GB", address="admin@hosting.example", lands_on="/account/second-factor/")
    page.goto("/admin/")
    expect(page.locator(".note-warning")).to_contain_text("your password alone is not enough")
    page.get_by_role("link", name="Set up the app").click()
    secret = page.locator("#secret").text_content() or ""
    page.fill("[name=code]", second_factor.code(secret))
    page.get_by_role("button", name="Switch on").click()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("link", name="Administration").click()
    expect(page).to_have_title("Administration | Webmail Panel")


WITHOUT_FACTORS = {
    "overview": "/account/",
    "password": "/account/password/",
    "zone": "/account/mailboxes/{mailbox}/time-zone/",
    "devices": "/account/devices/",
    "factors-none": "/account/second-factor/",
    "app": "/account/second-factor/app/",
    "key-add": "/account/second-factor/keys/add/",
}
WITH_FACTORS = {
    "overview-on": "/account/",
    "factors": "/account/second-factor/",
    "app-remove": "/account/second-factor/app/remove/",
    "key-rename": "/account/second-factor/keys/{key}/",
    "key-remove": "/account/second-factor/keys/{key}/remove/",
    "codes-new": "/account/second-factor/recovery-codes/new/",
    "again": "/sign-in/again/",
    "again-code": "/sign-in/again/code/",
    "again-key": "/sign-in/again/key/",
}


@dataclass
class Look:
    """Looks at page after page, and keeps what is wrong with them."""

    page: Page
    width: int
    pictures: Path
    theme: str
    troubles: list[str] = field(default_factory=list)

    def at_all(self, paths: dict[str, str], **keys: int) -> None:
        for name, path in paths.items():
            self.page.goto(path.format(**keys))
            self.at(name)

    def at(self, name: str) -> None:
        """The page that is shown."""
        page = self.page
        page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
        page.screenshot(path=self.pictures / f"account-{name}-{self.theme}.png", full_page=True)
        self.troubles += [f"{name}: {trouble}" for trouble in violations(page)]
        self.troubles += [f"{name}: low {html}" for html in page.evaluate(SMALL_TARGETS)]
        if page.evaluate("document.documentElement.scrollWidth") > self.width:
            self.troubles.append(f"{name}: wider than the screen")


@pytest.mark.parametrize(("width", "language", "dark"), [
    (360, "pl-PL", True), (1280, "pl-PL", False), (320, "en-GB", False), (1280, "en-GB", True),
])  # fmt: skip
def test_everybody_can_read_and_use_the_pages(
    open_panel: Callable[..., Page], virtual_key: Callable[[Page], CDPSession], anna: User, mailbox: Mailbox,
    screenshots: Path, width: int, language: str, dark: bool,
) -> None:  # fmt: skip
    page = open_panel(width, language, dark=dark)
    open_panel(1280, language)
    look = Look(page, width, screenshots, f"{width}-{language}-{'dark' if dark else 'light'}")
    look.at_all(WITHOUT_FACTORS, mailbox=mailbox.pk)
    virtual_key(page)
    page.locator("main button").click()
    page.wait_for_selector(".codes")
    look.at("codes")
    second_factor.give_app(anna)
    look.at_all(WITH_FACTORS, key=Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN).pk)
    look_at_the_way_in(look)
    assert look.troubles == []


def look_at_the_way_in(look: Look) -> None:
    page = look.page
    page.locator("header").get_by_role("button").click()
    look.at("sign-in")
    page.fill("[name=login]", "anna@firma.example")
    page.fill("[name=password]", PASSWORD)
    page.locator("main button").click()
    page.wait_for_selector("[name=code]")
    look.at("second-step")
    look.at_all({"blocked": "/sign-in/blocked/"})
