"""A session that ends while somebody writes: what was typed is there again after signing in."""

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from mailboxes.models import Mailbox, User
from responders.drafting import drafts
from responders.models import Responder
from responders.typed import MAX_CHARACTERS
from tests.web.test_responder_form import TYPED, longest, new


@pytest.fixture
def lost(client: Client, anna: User, mailbox: Mailbox) -> Client:
    """Anna's browser, whose session ended before she saved a new responder."""
    page = client.post(new(mailbox), TYPED | {"text_body": "Wracam „w poniedziałek” & nie wcześniej."})
    assert page.status_code == 302
    assert page["Location"] == f"{reverse('account_login')}?next={new(mailbox)}"
    return client


def test_what_was_typed_is_there_after_signing_in(lost: Client, anna: User, mailbox: Mailbox) -> None:
    lost.force_login(anna)
    page = lost.get(new(mailbox))
    assert page.status_code == 200
    assert "You were signed out before this was saved." in page.text
    assert "Wracam „w poniedziałek” &amp; nie wcześniej." in page.text
    assert 'value="2099-12-24T17:00"' in page.text
    lost.post(new(mailbox), TYPED)
    assert "You were signed out" not in lost.get(new(mailbox)).text


def test_it_may_be_thrown_away(lost: Client, anna: User, mailbox: Mailbox) -> None:
    lost.force_login(anna)
    page = lost.post(new(mailbox), {"throw_away": "1"}, follow=True)
    assert "Wracam" not in page.text
    assert not Responder.objects.exists()


def test_nobody_else_sees_it(lost: Client, as_support: Client, somebody_elses: Mailbox, mailbox: Mailbox) -> None:
    assert "Wracam" not in as_support.get(new(mailbox)).text  # another browser
    lost.force_login(somebody_elses.owner)
    assert lost.get(new(mailbox)).status_code == 404
    assert "Wracam" not in lost.get(new(somebody_elses)).text


def test_a_change_keeps_the_version_it_began_with(
    client: Client, anna: User, standing_reply: Responder, as_support: Client
) -> None:
    """Somebody else saved meanwhile: that is shown, as always."""
    page = reverse("responder_edit", args=[standing_reply.pk])
    typed = TYPED | {"type": "standing", "version": str(standing_reply.version)}
    client.post(page, typed | {"text_body": "Moje"})
    as_support.post(reverse("acting", args=[standing_reply.mailbox_id]), {"reason": "Telefon"})
    as_support.post(page, typed | {"text_body": "Wsparcie"})
    client.force_login(anna)
    again = client.get(page)
    assert "Moje" in again.text
    assert again.context["form"]["version"].value() == typed["version"]
    assert client.post(page, typed | {"text_body": "Moje"}).status_code == 409


def test_the_preview_says_that_the_session_is_over(client: Client, mailbox: Mailbox) -> None:
    part = client.post(new(mailbox), TYPED | {"preview": "1"}, headers={"hx-request": "true"})
    assert part.status_code == 200
    assert "You have been signed out." in part.text
    assert "What you typed is kept for an hour." in part.text
    assert f"?next={new(mailbox)}" in part.text
    assert "<html" not in part.text


def test_more_than_a_form_holds_is_not_kept(client: Client, mailbox: Mailbox) -> None:
    typed = TYPED | {"preview": "1", "text_body": "x" * MAX_CHARACTERS}
    part = client.post(new(mailbox), typed, headers={"hx-request": "true"})
    assert "You have been signed out." in part.text
    assert "is kept" not in part.text
    assert drafts.COOKIE not in client.cookies


@pytest.mark.parametrize("letter", ["a", "ж", "語", "🏖"])
def test_the_longest_text_is_kept_in_any_script(client: Client, anna: User, mailbox: Mailbox, letter: str) -> None:
    texts = longest(letter)
    client.post(new(mailbox), TYPED | texts)
    client.force_login(anna)
    form = client.get(new(mailbox)).context["form"]
    assert [form[name].value() for name in ("text_body", "html_body")] == [texts["text_body"], texts["html_body"]]
    assert cache.get(f"typed:{client.cookies[drafts.COOKIE].value}") is not None


def test_what_would_take_too_much_memory_is_not_kept(client: Client, mailbox: Mailbox) -> None:
    client.post(new(mailbox), TYPED | {"text_body": "🏖" * (drafts.MAX_OCTETS // 4)})
    assert drafts.COOKIE not in client.cookies


def test_a_name_that_somebody_made_up_is_replaced(client: Client, anna: User, mailbox: Mailbox) -> None:
    client.cookies[drafts.COOKIE] = "../../x"
    assert client.post(new(mailbox), TYPED).status_code == 302
    assert len(client.cookies[drafts.COOKIE].value) == 32


def test_only_so_much_is_kept_for_one_place(
    client: Client, anna: User, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(drafts.LIMITS, "keep", "1/h/ip")
    client.post(new(mailbox), TYPED)
    client.post(new(mailbox), TYPED | {"text_body": "Zbyt wiele"})
    client.force_login(anna)
    assert "Zbyt wiele" not in client.get(new(mailbox)).text


@pytest.mark.parametrize("limit", ["begin", "begin-anywhere"])
def test_nobody_fills_the_memory_with_made_up_browsers(
    mailbox: Mailbox, anna: User, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setitem(drafts.LIMITS, limit, drafts.LIMITS[limit].replace("400", "2").replace("40", "2"))
    kept = []
    for number in range(4):
        client = Client()
        client.cookies[drafts.COOKIE] = f"{number}" * 32
        client.post(new(mailbox), TYPED)
        kept.append(client.cookies[drafts.COOKIE].value != f"{number}" * 32)
        client.post(new(mailbox), TYPED | {"text_body": "Wciąż ja"})  # the same browser goes on
    assert kept == [True, True, False, False]


def test_one_browser_goes_on_keeping(lost: Client, anna: User, mailbox: Mailbox) -> None:
    name = lost.cookies[drafts.COOKIE].value
    lost.post(new(mailbox), TYPED | {"text_body": "Druga próba"})
    assert lost.cookies[drafts.COOKIE].value == name
    lost.force_login(anna)
    assert "Druga próba" in lost.get(new(mailbox)).text
