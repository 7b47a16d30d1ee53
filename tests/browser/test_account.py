"""The account in a real browser: second factors, devices, and pages that everybody can read."""

from collections.abc import Callable
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


def sign_out_and_in(page: Page) -> None:
    """Up to where the second step is asked for."""
    page.locator("header").get_by_role("button").click()
    page.fill("[name=login]", "anna@firma.example")
    page.fill("[name=password]", PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("javascript", [True, False])
def test_an_app_is_set_up_and_its_code_asked_for_at_sign_in(
    open_panel: Callable[..., Page], anna: User, javascript: bool
) -> None:
    page = open_panel(360, "en-GB", javascript=javascript)
    page.get_by_role("link", name="Account").click()
    page.get_by_role("link", name="Set it up").click()
    page.get_by_role("link", name="Set up the app").click()
    page.get_by_text("It cannot scan?").click()
    secret = page.locator("#secret").inner_text()
    page.fill("[name=code]", second_factor.wrong_code(secret))
    page.get_by_role("button", name="Switch on").click()
    expect(page.locator(".invalid-feedback")).to_contain_text("This code is not right")
    assert page.locator("#secret").text_content() == secret
    page.fill("[name=code]", second_factor.code(secret))
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    recovery_codes = page.locator(".codes code").all_inner_texts()
    assert len(recovery_codes) == 10
    sign_out_and_in(page)
    page.fill("[name=code]", second_factor.code(secret))
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="anna@firma.example")).to_be_visible()
    sign_out_and_in(page)
    page.fill("[name=code]", recovery_codes[3])
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="anna@firma.example")).to_be_visible()
    sign_out_and_in(page)
    page.fill("[name=code]", recovery_codes[3])
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.locator(".invalid-feedback")).to_contain_text("This code is not right")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_the_picture_for_the_app_is_seen_in_the_dark_too(open_panel: Callable[..., Page], screenshots: Path) -> None:
    page = open_panel(360, "pl-PL", dark=True)
    page.goto("/account/second-factor/app/")
    assert page.locator(".qr").evaluate("image => image.complete && image.naturalWidth") > 100
    page.screenshot(path=screenshots / "account-app-dark.png", full_page=True)


def test_a_key_is_added_renamed_asked_for_and_removed(
    open_panel: Callable[..., Page], virtual_key: Callable[[Page], CDPSession], anna: User
) -> None:
    page = open_panel(1280, "en-GB")
    virtual_key(page)
    page.goto("/account/second-factor/keys/add/")
    page.get_by_role("button", name="Add a key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    page.goto("/account/second-factor/keys/add/")
    page.get_by_role("button", name="Add a key").click()
    expect(page.get_by_role("alert")).to_contain_text("in your list already")
    page.goto("/account/second-factor/")
    page.get_by_role("link", name="Rename: Security key").click()
    page.fill("[name=name]", "Blue one")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Blue one")
    sign_out_and_in(page)
    page.get_by_role("button", name="Use the security key").click()
    expect(page.get_by_role("link", name="anna@firma.example")).to_be_visible()
    key = Authenticator.objects.get(user=anna, type=Authenticator.Type.WEBAUTHN)
    assert key.last_used_at
    page.goto("/account/second-factor/")
    page.get_by_role("link", name="Remove: Blue one").click()
    page.get_by_role("button", name="Remove the key").click()
    expect(page.get_by_role("status")).to_contain_text("The key is removed.")
    assert not Authenticator.objects.exists()


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


@pytest.mark.parametrize(("width", "language", "dark"), [
    (360, "pl-PL", True), (1280, "pl-PL", False), (320, "en-GB", False), (1280, "en-GB", True),
])  # fmt: skip
def test_everybody_can_read_and_use_the_pages(
    open_panel: Callable[..., Page],
    virtual_key: Callable[[Page], CDPSession],
    anna: User,
    mailbox: Mailbox,
    screenshots: Path,
    width: int,
    language: str,
    dark: bool,
) -> None:
    page = open_panel(width, language, dark=dark)
    open_panel(1280, language)
    theme = f"{width}-{language}-{'dark' if dark else 'light'}"
    troubles: list[str] = []

    def look(name: str, path: str) -> None:
        page.goto(path)
        look_at(name)

    def look_at(name: str) -> None:
        page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
        page.screenshot(path=screenshots / f"account-{name}-{theme}.png", full_page=True)
        troubles.extend(f"{name}: {trouble}" for trouble in violations(page))
        troubles.extend(f"{name}: low {html}" for html in page.evaluate(SMALL_TARGETS))
        if page.evaluate("document.documentElement.scrollWidth") > width:
            troubles.append(f"{name}: wider than the screen")

    for name, path in (
        ("overview", "/account/"),
        ("password", "/account/password/"),
        ("zone", f"/account/mailboxes/{mailbox.pk}/time-zone/"),
        ("devices", "/account/devices/"),
        ("factors-none", "/account/second-factor/"),
        ("app", "/account/second-factor/app/"),
        ("key-add", "/account/second-factor/keys/add/"),
    ):
        look(name, path)
    virtual_key(page)
    page.locator("main button").click()
    page.wait_for_selector(".codes")
    look_at("codes")
    second_factor.give_app(anna)
    key = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN).pk
    for name, path in (
        ("overview-on", "/account/"),
        ("factors", "/account/second-factor/"),
        ("app-remove", "/account/second-factor/app/remove/"),
        ("key-rename", f"/account/second-factor/keys/{key}/"),
        ("key-remove", f"/account/second-factor/keys/{key}/remove/"),
        ("codes-new", "/account/second-factor/recovery-codes/new/"),
        ("again", "/sign-in/again/"),
        ("again-code", "/sign-in/again/code/"),
        ("again-key", "/sign-in/again/key/"),
    ):
        look(name, path)
    page.locator("header").get_by_role("button").click()
    look_at("sign-in")
    page.fill("[name=login]", "anna@firma.example")
    page.fill("[name=password]", PASSWORD)
    page.locator("main button").click()
    page.wait_for_selector("[name=code]")
    look_at("second-step")
    look("blocked", "/sign-in/blocked/")
    assert troubles == []
