"""One sign-in for several mailboxes in a real browser: added, seen, ended from either side."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import CDPSession, Page, expect

from mailboxes.models import Mailbox, MailboxLink, User
from tests import second_factor
from tests.browser.walks import Start, on_every_screen
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ewa(mailbox: Mailbox) -> User:
    """Another person, with a mailbox of her own."""
    ewa = User.objects.create_user("ewa.kowalska-przybylska@firma.example", PASSWORD)
    Mailbox.objects.create(domain=mailbox.domain, local_part="ewa.kowalska-przybylska", owner=ewa)
    return ewa


@on_every_screen
def test_a_mailbox_is_added_seen_and_unlinked(
    walk: Start, open_panel: Callable[..., Page], ewa: User, mailbox: Mailbox, width: int, language: str
) -> None:
    shared = Mailbox.objects.create(domain=mailbox.domain, local_part="info", owner=mailbox.owner)
    at = walk(width, language)
    page = at.page
    page.goto("/account/")
    at.link("Add a mailbox").click()
    page.fill("[name=email]", ewa.email)
    page.fill("[name=password]", "not this one at all")
    at.button("Add the mailbox").click()
    expect(page.locator("main")).to_contain_text(at.word("The address or the password is not right."))
    expect(page.locator("[name=email]")).to_have_value(ewa.email)
    at.picture("links-wrong")
    page.fill("[name=password]", PASSWORD)
    at.button("Add the mailbox").click()
    at.see("%(mailbox)s is among your mailboxes now. Its own sign-in gets a notice.", mailbox=ewa.email)
    at.picture("links")
    page.goto(f"/account/mailboxes/{shared.pk}/password/")
    at.picture("own-password")
    page.goto("/")
    page.get_by_role("link", name=ewa.email).click()
    at.see(
        "You added this mailbox to your sign-in. Who else looks after it, and who gets copies of its mail, is said "
        "where one signs in with its own address."
    )
    at.picture("linked-mailbox")
    hers = open_panel(width, language, address=ewa.email)
    expect(hers.get_by_role("link", name="anna@firma.example")).to_have_count(0)
    hers.goto("/account/")
    hers.screenshot(path=at.folder / f"flow-account-linked-{width}-{language}.png", full_page=True)
    hers.goto("/account/password/")
    hers.screenshot(path=at.folder / f"flow-password-linked-{width}-{language}.png", full_page=True)
    hers.goto("/account/mailboxes/")
    hers.screenshot(path=at.folder / f"flow-who-else-{width}-{language}.png", full_page=True)
    hers.get_by_role("button", name=f"{at.word('End the link')}: anna@firma.example").click()
    expect(hers.get_by_role("status").first).to_contain_text("anna@firma.example")
    page.goto("/")
    expect(page.get_by_role("link", name=ewa.email)).to_have_count(0)


def test_without_javascript_it_is_the_same_and_a_code_is_asked_for(
    open_panel: Callable[..., Page], ewa: User, anna: User
) -> None:
    secret = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"
    second_factor.give_app(ewa)
    page = open_panel(360, "en-GB", javascript=False)
    second_factor.TOTP.activate(anna, secret)
    page.goto("/account/mailboxes/")
    page.fill("[name=email]", ewa.email)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Add the mailbox").click()
    page.fill("[name=code]", second_factor.wrong_code())
    page.get_by_role("button", name="Add the mailbox").click()
    expect(page.locator(".invalid-feedback")).to_contain_text("This code is not right")
    page.fill("[name=code]", second_factor.code())
    page.get_by_role("button", name="Add the mailbox").click()
    expect(page.locator("main")).to_contain_text("is among your mailboxes now")
    assert MailboxLink.objects.get().with_second_factor


def test_a_security_key_of_the_mailboxs_own_sign_in_does_as_well(
    open_panel: Callable[..., Page], virtual_key: Callable[[Page], CDPSession], ewa: User, anna: User, screenshots: Path
) -> None:
    page = open_panel(360, "pl-PL", address=ewa.email)
    virtual_key(page)
    page.goto("/account/second-factor/keys/add/")
    page.get_by_role("button", name="Dodaj klucz").click()
    expect(page.locator(".codes code")).to_have_count(10)
    # Anna at the same computer, with the same key in it.
    page.locator("header").get_by_role("button").click()
    page.fill("[name=login]", anna.email)
    page.fill("[name=password]", PASSWORD)
    page.locator("main").get_by_role("button", name="Zaloguj się").click()
    expect(page.get_by_role("link", name=anna.email)).to_be_visible()
    second_factor.give_app(anna)
    page.goto("/account/mailboxes/")
    page.fill("[name=email]", ewa.email)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Dodaj skrzynkę").click()
    page.screenshot(path=screenshots / "link-second-step.png", full_page=True)
    page.get_by_role("button", name="Użyj klucza bezpieczeństwa").click()
    expect(page.locator("main")).to_contain_text("jest teraz wśród Twoich skrzynek")
    assert MailboxLink.objects.get().with_second_factor
