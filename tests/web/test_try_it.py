"""The page that says what would become of a message."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from mailboxes.models import Mailbox
from responders.core.decision import RULES
from responders.models import Decision, PreviousResponse, Responder
from responders.reasons import PASSED
from responders.services import database_now

LIST = b"From: Sklep <nowosci@sklep.example>\r\nTo: anna@firma.example\r\nList-Id: <x.sklep.example>\r\n\r\nHej\r\n"


def ask(client: Client, mailbox: Mailbox, **typed: object) -> object:
    values = {"sender": "jan@example.com", "recipient": mailbox.address} | typed
    return client.post(reverse("try_it", args=[mailbox.pk]), values)


def test_it_shows_the_verdict_every_rule_and_the_reply(
    as_anna: Client, mailbox: Mailbox, standing_reply: Responder
) -> None:
    page = ask(as_anna, mailbox, subject="Oferta")
    assert "It gets a reply." in page.text
    assert "Auto: Oferta" in page.text
    assert "Dziękuję za wiadomość." in page.text
    assert [rule.is_hit for rule in page.context["told"]] == [False] * len(RULES)
    assert not Decision.objects.exists()
    assert not PreviousResponse.objects.exists()


def test_silence_is_explained_in_the_persons_language(
    as_anna: Client, mailbox: Mailbox, standing_reply: Responder
) -> None:
    page = as_anna.post(
        reverse("try_it", args=[mailbox.pk]), {"recipient": mailbox.address, "source": LIST.decode()},
        headers={"accept-language": "pl"},
    )  # fmt: skip
    assert "Nie dostanie odpowiedzi." in page.text
    assert "newslettera" in page.text
    decided = [rule for rule in page.context["told"] if rule.decided]
    assert [rule.evidence for rule in decided] == ["List-Id: <x.sklep.example>"]


def test_a_file_names_its_own_sender(as_anna: Client, mailbox: Mailbox, standing_reply: Responder) -> None:
    returned = b"Return-Path: <owner-lista@sklep.example>\r\n" + LIST.replace(b"List-Id", b"X-Id")
    page = ask(as_anna, mailbox, sender="", file=SimpleUploadedFile("a.eml", returned))
    assert [rule.evidence for rule in page.context["told"] if rule.decided] == ["MAIL FROM:<owner-lista@sklep.example>"]


def test_a_moment_is_in_the_mailboxs_zone(as_anna: Client, mailbox: Mailbox) -> None:
    Responder.objects.create(
        mailbox=mailbox, subject="x", text_body="x", to_date="2099-01-04T08:00", to_utc="2099-01-04T07:00:00Z"
    )
    assert "It gets a reply." in ask(as_anna, mailbox, at="2099-01-04T07:59").text
    assert "It gets no reply." in ask(as_anna, mailbox, at="2099-01-04T08:00").text
    page = ask(as_anna, mailbox, at="2099-03-29T02:30")
    assert (page.status_code, list(page.context["form"].errors)) == (422, ["at"])


def test_what_was_answered_lately_counts(as_anna: Client, mailbox: Mailbox, standing_reply: Responder) -> None:
    PreviousResponse.objects.create(
        responder=standing_reply, text_revision=1, activation=1, reverse_path_key="jan@example.com", queue_id="x",
        state="replied", claimed_at=database_now(), lease_until=database_now(), replied_at=database_now(),
    )  # fmt: skip
    assert "This sender has had this reply lately." in ask(as_anna, mailbox).text
    later = (database_now() + timedelta(days=8)).strftime("%Y-%m-%dT%H:%M")
    assert "It gets a reply." in ask(as_anna, mailbox, at=later).text


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"sender": ""}, "sender"),
        ({"recipient": "ewa@elsewhere.example"}, "recipient"),
        ({"at": "tomorrow"}, "at"),
        ({"file": SimpleUploadedFile("big.eml", b"x" * 1_000_001)}, "file"),
    ],
)
def test_a_mistake_stands_beside_its_field(
    as_anna: Client, mailbox: Mailbox, typed: dict[str, object], field: str
) -> None:
    page = ask(as_anna, mailbox, **typed)
    assert (page.status_code, list(page.context["form"].errors)) == (422, [field])


@pytest.mark.parametrize("content", [b"\0\xff" * 1000, b"", b"Subject: " + b"=?x?q?" * 5000, b"(" * 100_000])
def test_no_message_is_too_strange(
    as_anna: Client, mailbox: Mailbox, standing_reply: Responder, content: bytes
) -> None:
    assert ask(as_anna, mailbox, file=SimpleUploadedFile("x.eml", content)).status_code == 200


def test_a_line_of_the_log_leads_to_it(as_anna: Client, mailbox: Mailbox) -> None:
    Decision.objects.create(
        mailbox=mailbox, decided_at=database_now(), reverse_path="jan+x@example.com", forward_path=mailbox.address,
        reason="inactive",
    )  # fmt: skip
    address = f"{reverse('try_it', args=[mailbox.pk])}?sender=jan%2Bx%40example.com"
    assert address in as_anna.get(reverse("mailbox", args=[mailbox.pk])).text
    assert as_anna.get(address).context["form"]["sender"].value() == "jan+x@example.com"


def test_a_message_that_came_lately_is_taken_over(
    as_anna: Client, mailbox: Mailbox, standing_reply: Responder, somebody_elses: Mailbox
) -> None:
    at = datetime(2026, 7, 1, 10, 30, 15, 123, tzinfo=UTC)
    facts = {"decided_at": at, "reason": "replied", "forward_path": "anna@firma.example"}
    row = Decision.objects.create(mailbox=mailbox, reverse_path="jan@example.com", **facts)
    theirs = Decision.objects.create(mailbox=somebody_elses, reverse_path="tajny@example.com", **facts)
    page = as_anna.get(reverse("try_it", args=[mailbox.pk]))
    assert f'<a href="?message={row.pk}">jan@example.com</a>' in page.text
    assert "tajny" not in page.text
    taken = as_anna.get(reverse("try_it", args=[mailbox.pk]), {"message": row.pk}).context["form"]
    assert taken["sender"].value() == "jan@example.com"
    assert 'value="2026-07-01T12:30' in str(taken["at"])
    for number in (str(theirs.pk), "9" * 30, "-1", "x", "\u0663"):
        assert "tajny" not in as_anna.get(reverse("try_it", args=[mailbox.pk]), {"message": number}).text


def test_nobody_tries_out_another_persons_mailbox(as_anna: Client, somebody_elses: Mailbox) -> None:
    assert as_anna.get(reverse("try_it", args=[somebody_elses.pk])).status_code == 404
    assert ask(as_anna, somebody_elses).status_code == 404


def test_every_rule_has_a_sentence_for_passing() -> None:
    assert {rule.reason for rule in RULES} <= set(PASSED)
