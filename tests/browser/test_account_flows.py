"""Every flow of an owner's account in a real browser, on a telephone and at a desk, in both languages.

As test_flows.py; what can go wrong on the way stands in test_account.py.
"""

from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import CDPSession, Page, expect

from mailboxes.models import Delegation, Mailbox, User
from responders.models import HelpVote
from tests import second_factor
from tests.browser.walks import Start, Walk, on_every_screen
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@on_every_screen
def test_a_colleague_looks_after_it_until_it_is_taken_back(
    walk: Start, mailbox: Mailbox, width: int, language: str
) -> None:
    ewa = User.objects.create_user("ewa@firma.example", PASSWORD, name="Ewa Lis")
    Mailbox.objects.create(domain=mailbox.domain, local_part="ewa", owner=ewa)
    at = walk(width, language)
    page = at.page
    page.goto(f"/mailboxes/{mailbox.pk}/")
    at.link("Who else looks after it").click()
    page.fill("main [name=email]", "ewa@firma.example")
    at.button("Add").click()
    assert Delegation.objects.get().user == ewa
    at.picture("colleague")
    page.get_by_role("button", name=at.word("Take it back")).click()
    expect(page.get_by_role("button", name=at.word("Take it back"))).to_have_count(0)
    assert not Delegation.objects.exists()


@on_every_screen
def test_help_is_found_read_and_judged(walk: Start, mailbox: Mailbox, width: int, language: str) -> None:
    at = walk(width, language)
    page = at.page
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


@on_every_screen
def test_others_are_signed_out_password_and_language_changed(
    walk: Start, open_panel: Callable[..., Page], anna: User, width: int, language: str
) -> None:
    at = walk(width, language)
    open_panel(width, language)  # a second device
    sign_the_others_out(at)
    change_the_password(at, anna)
    at.page.goto("/account/")
    at.picture("account")
    other = "en" if language.startswith("pl") else "pl"
    at.page.select_option("main [name=language]", other)
    at.button("Save").click()
    expect(at.page.locator("html")).to_have_attribute("lang", other)


def sign_the_others_out(at: Walk) -> None:
    at.page.goto("/account/devices/")
    expect(at.page.locator(".device")).to_have_count(2)
    at.picture("devices")
    at.button("Sign out everywhere else").click()
    expect(at.page.locator(".device")).to_have_count(1)


def change_the_password(at: Walk, anna: User) -> None:
    at.page.goto("/account/password/")
    at.page.fill("[name=oldpassword]", PASSWORD)
    for name in ("password1", "password2"):
        at.page.fill(f"[name={name}]", "siedem zielonych parasoli")
    at.button("Change the password").click()
    expect(at.page.get_by_role("status").first).to_be_visible()
    anna.refresh_from_db()
    assert anna.check_password("siedem zielonych parasoli")


@on_every_screen
def test_an_app_and_recovery_codes_are_asked_for_at_sign_in(
    walk: Start, mailbox: Mailbox, width: int, language: str
) -> None:
    at = walk(width, language)
    at.page.goto("/account/")
    at.link("Set it up").click()
    at.link("Set up the app").click()
    secret, codes = set_up_the_app(at)
    for code in (second_factor.code(secret), codes[3]):
        at.sign_out_and_in()
        at.page.fill("[name=code]", code)
        at.picture("second-step")
        at.button("Sign in").click()
        expect(at.page.locator("h1")).to_have_text(at.word("My mailboxes"))
    at.sign_out_and_in()
    at.page.fill("[name=code]", codes[3])  # once only
    at.button("Sign in").click()
    expect(at.page.locator(".invalid-feedback")).to_be_visible()
    at.button("Cancel").click()
    expect(at.page.locator("h1")).to_have_text(at.word("Sign in"))


def set_up_the_app(at: Walk) -> tuple[str, list[str]]:
    """After a code that is wrong; the app's secret, and the recovery codes."""
    page = at.page
    page.locator("details summary").click()
    secret = page.locator("#secret").inner_text()
    page.fill("[name=code]", second_factor.wrong_code(secret))
    at.button("Switch on").click()
    expect(page.locator(".invalid-feedback")).to_be_visible()
    assert page.locator("#secret").text_content() == secret
    page.fill("[name=code]", second_factor.code(secret))
    at.picture("app")
    at.button("Switch on").click()
    expect(page.locator("h1")).to_have_text(at.word("Recovery codes"))
    expect(page.locator(".codes code")).to_have_count(10)
    at.picture("codes")
    return secret, page.locator(".codes code").all_inner_texts()


@on_every_screen
def test_a_key_is_added_renamed_asked_for_and_removed(
    walk: Start, virtual_key: Callable[[Page], CDPSession], anna: User, width: int, language: str
) -> None:
    at = walk(width, language)
    virtual_key(at.page)
    add_a_key(at)
    rename_it(at)
    at.sign_out_and_in()
    at.picture("second-step-with-a-key")
    at.button("Use the security key").click()
    expect(at.page.locator("h1")).to_have_text(at.word("My mailboxes"))
    assert Authenticator.objects.get(user=anna, type=Authenticator.Type.WEBAUTHN).last_used_at
    remove_it(at)
    assert not Authenticator.objects.exists()


def add_a_key(at: Walk) -> None:
    at.page.goto("/account/second-factor/keys/add/")
    at.button("Add a key").click()
    at.see(
        "The key is added. From now on, signing in asks for it, and mail programs want passwords of their own: "
        "you make them under Account."
    )
    expect(at.page.locator("h1")).to_have_text(at.word("Recovery codes"))
    at.page.goto("/account/second-factor/keys/add/")
    at.button("Add a key").click()
    expect(at.page.get_by_role("alert")).to_have_text(at.word("This key is in your list already."))


def rename_it(at: Walk) -> None:
    at.page.goto("/account/second-factor/")
    at.page.get_by_role("link", name=at.word("Rename")).click()
    at.page.fill("[name=name]", "Blue one")
    at.button("Save").click()
    expect(at.page.locator("main")).to_contain_text("Blue one")
    at.picture("factors")


def remove_it(at: Walk) -> None:
    at.page.goto("/account/second-factor/")
    at.page.get_by_role("link", name=f"{at.word('Remove')}: Blue one").click()
    at.button("Remove the key").click()
    at.see("The key is removed.")
