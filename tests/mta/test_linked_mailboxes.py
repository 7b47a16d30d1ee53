"""Each mailbox has its password, for the panel and for mail programs, whatever sign-in opens it beside its own."""

import smtplib

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mailboxes import access
from mailboxes.linking import own_sign_ins
from mailboxes.models import Mailbox, MailboxLink, User
from mailboxes.services import give_password
from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import Stack, message, until
from tests.mta.test_hosting import is_refused, mailbox_of
from tests.mta.test_who_may_send_what import submission

OTHER = "another horse battery staple"


@pytest.fixture(autouse=True)
def _pages(plain_static_files: None, own_cache: None) -> None:
    """Wrong passwords are counted for each test alone."""


def in_the_panel(address: str, password: str) -> Client:
    client = Client()
    assert client.post(reverse("account_login"), {"login": address, "password": password}).status_code == 302
    return client


def opens_alone(stack: Stack, address: str, password: str, others: list[str]) -> bool:
    """Whether a password opens this mailbox, and none of the others, by IMAP."""
    return not is_refused(stack, address, password) and all(is_refused(stack, other, password) for other in others)


def test_each_password_opens_its_own_mailbox_after_they_were_linked(stack: Stack, hosting: Hosting) -> None:
    anna, info = hosting.mailbox("anna", password=PASSWORD), hosting.mailbox("info", password=OTHER)
    panel = in_the_panel(anna, PASSWORD)
    panel.post(reverse("account_links"), {"email": info, "password": OTHER})
    assert panel.get(reverse("mailbox", args=[mailbox_of(info).pk])).status_code == 200
    until(lambda: opens_alone(stack, anna, PASSWORD, [info]), "Anna's opens hers alone")
    until(lambda: opens_alone(stack, info, OTHER, [anna]), "the other one opens the other alone")
    with submission(stack, anna) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused, match="not owned by user"):
        smtp.sendmail(info, [anna], b"Subject: x\r\n\r\nx")
    with submission(stack, info, OTHER) as smtp:
        smtp.send_message(message(info, anna), info, [anna])
    stack.wait_until_stored(anna)
    its_own = in_the_panel(info, OTHER)
    assert its_own.get(reverse("mailbox", args=[mailbox_of(info).pk])).status_code == 200
    assert its_own.get(reverse("mailbox", args=[mailbox_of(anna).pk])).status_code == 404


def test_a_new_password_for_the_one_changes_nothing_for_the_other(stack: Stack, hosting: Hosting) -> None:
    anna, info = hosting.mailbox("anna", password=PASSWORD), hosting.mailbox("info", password=OTHER)
    in_the_panel(anna, PASSWORD).post(reverse("account_links"), {"email": info, "password": OTHER})
    given = give_password(mailbox_of(info), now=timezone.now(), actor=None)
    until(lambda: is_refused(stack, info, OTHER), "the old one is refused")
    until(lambda: opens_alone(stack, info, given, [anna]), "the new one opens")
    assert opens_alone(stack, anna, PASSWORD, [info])
    assert not access.is_linked(User.objects.get(email=anna), mailbox_of(info))


def test_mailboxes_that_share_a_password_get_one_each(stack: Stack, hosting: Hosting) -> None:
    anna, info = hosting.mailbox("anna", password=PASSWORD), hosting.mailbox("info")
    Mailbox.objects.filter(address=info).update(owner=mailbox_of(anna).owner)
    User.objects.filter(email=info).delete()
    until(lambda: not is_refused(stack, info, PASSWORD), "one password opens both")
    own_sign_ins.part(mailbox_of(info), OTHER, now=timezone.now(), actor=None)
    until(lambda: is_refused(stack, info, PASSWORD), "it opens the other no more")
    until(lambda: opens_alone(stack, info, OTHER, [anna]), "its own does")
    assert opens_alone(stack, anna, PASSWORD, [info])
    assert MailboxLink.objects.get().user.email == anna
