"""“Send me a test”: the reply as it would be, to an address of one's own, before anything is saved."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.urls import reverse

from mailboxes.models import Mailbox, User
from responders.models import Responder
from responders.pages import form_views
from tests.web.test_responder_form import TYPED, new

PAGE_OF_THE_TEST = TYPED | {"send_test": "1"}


def sent() -> list[EmailMessage]:
    contents = [message.message().as_bytes() for message in mail.outbox]
    return [cast(EmailMessage, message_from_bytes(content, policy=default)) for content in contents]


def test_the_real_reply_comes_and_nothing_is_saved(as_anna: Client, mailbox: Mailbox) -> None:
    page = as_anna.post(new(mailbox), PAGE_OF_THE_TEST)
    assert page.status_code == 200
    assert "1 test is on its way to anna@firma.example." in page.text
    assert "2099-12-24T17:00" in page.text
    [letter] = sent()
    assert mail.outbox[0].recipients() == ["anna@firma.example"]
    assert letter["To"] == "anna@firma.example"
    assert letter["From"] == "Anna Nowak <anna@firma.example>"
    assert letter["Subject"] == "Auto: Pytanie o ofertę"
    assert letter["Auto-Submitted"] == "auto-replied"
    assert letter.get_content().strip() == "Nie ma mnie do 4 stycznia 2100, godz. 08:00."
    assert not Responder.objects.exists()


def test_every_text_comes(as_anna: Client, mailbox: Mailbox) -> None:
    german = {
        "texts-TOTAL_FORMS": "2", "texts-INITIAL_FORMS": "0", "texts-0-language": "de", "texts-0-subject": "Abwesend",
        "texts-0-text_body": "Ich bin nicht da.", "texts-0-for_colleagues": "", "texts-1-language": "pl",
        "texts-1-subject": "Dla swoich", "texts-1-text_body": "Klucz leży u Ewy.", "texts-1-for_colleagues": "True",
    }  # fmt: skip
    page = as_anna.post(new(mailbox), PAGE_OF_THE_TEST | german)
    assert "3 tests are on their way" in page.text
    assert [letter["Subject"] for letter in sent()] == ["Auto: Pytanie o ofertę", "Abwesend", "Dla swoich"]
    assert {letter["To"] for letter in sent()} == {"anna@firma.example"}


def test_it_may_go_to_another_mailbox_of_ones_own_and_nowhere_else(
    as_anna: Client, anna: User, mailbox: Mailbox, somebody_elses: Mailbox
) -> None:
    other = Mailbox.objects.create(domain=mailbox.domain, local_part="biuro", owner=anna)
    assert f'<option value="{other.address}">' in as_anna.get(new(mailbox)).text
    as_anna.post(new(mailbox), PAGE_OF_THE_TEST | {"test_to": other.address})
    assert mail.outbox.pop().recipients() == [other.address]
    for address in (somebody_elses.address, "jan@example.com", "x\r\nBcc: y@example.com"):
        page = as_anna.post(new(mailbox), PAGE_OF_THE_TEST | {"test_to": address})
        assert "A test goes to your own addresses only." in page.text
    assert mail.outbox == []


def test_what_cannot_be_saved_is_not_sent(as_anna: Client, mailbox: Mailbox) -> None:
    page = as_anna.post(new(mailbox), PAGE_OF_THE_TEST | {"text_body": "{{ nic }}"})
    assert page.status_code == 422
    assert mail.outbox == []


def test_a_mail_server_that_is_away_is_said(as_anna: Client, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    page = as_anna.post(new(mailbox), PAGE_OF_THE_TEST)
    assert page.status_code == 200
    assert "The mail server did not take the test." in page.text
    assert "Nie ma mnie do" in page.text


def test_nobody_sends_tests_without_end(as_anna: Client, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(form_views.TESTS, "send", "2/h/user")
    pages = [as_anna.post(new(mailbox), PAGE_OF_THE_TEST) for _attempt in range(3)]
    assert "Enough tests for now" in pages[2].text
    assert len(mail.outbox) == 2


def test_a_stranger_sends_none(as_anna: Client, somebody_elses: Mailbox) -> None:
    assert as_anna.post(reverse("responder_new", args=[somebody_elses.pk]), PAGE_OF_THE_TEST).status_code == 404
    assert mail.outbox == []
