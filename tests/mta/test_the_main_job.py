"""A message comes in over SMTP: it is stored, and an answer goes out."""

import imaplib
import smtplib
from collections.abc import Callable
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage

import pytest
from pytest_django import Settings

from responders.drafting import sample_letters
from responders.services import database_now
from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import HOSTNAME, TRUSTED, Stack, message, until


def test_a_message_is_stored_and_answered(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.away("anna", name="Anna Żak", password=PASSWORD)
    question = message(sender, anna, subject="Zażółć gęślą jaźń")
    assert stack.send(sender, anna, question) == {}

    [reply] = stack.sink.wait_for(sender)
    assert (reply.reverse_path, reply.forward_paths) == ("", (sender,))
    headers = reply.message
    assert headers["From"] == f"Anna Żak <{anna}>"
    assert headers["To"] == sender
    assert headers["Subject"] == "Auto: Zażółć gęślą jaźń"
    assert headers["Auto-Submitted"] == "auto-replied"
    assert headers["X-Auto-Response-Suppress"] == "All"
    assert headers["Precedence"] == "bulk"
    assert headers["In-Reply-To"] == headers["References"] == question["Message-ID"]
    assert headers["Content-Language"] == "pl"
    assert headers["Message-ID"].endswith(f"@{HOSTNAME}>")
    assert headers["Message-ID"] != question["Message-ID"]
    assert headers["Date"].datetime.tzinfo is not None
    assert "Wracam wkrótce." in reply.text

    stack.wait_until_stored(anna)
    [read] = read_inbox(stack, anna)
    assert read["Message-ID"] == question["Message-ID"]
    assert read["Return-Path"] == f"<{sender}>"
    assert hosting.decisions(anna) == ["replied"]


def read_inbox(stack: Stack, address: str) -> list[EmailMessage]:
    """What a mail program of the owner sees."""
    with stack.imap(address, PASSWORD) as imap:
        imap.select()
        _ok, [numbers] = imap.search(None, "ALL")
        fetched = [imap.fetch(number, "(RFC822)")[1][0][1] for number in numbers.decode().split()]
        return [message_from_bytes(content) for content in fetched]  # type: ignore[misc]  # one parser, two names


def test_a_test_of_the_reply_arrives_and_nothing_answers_it(stack: Stack, hosting: Hosting, settings: Settings) -> None:
    """Through the operator's mail server, from the panel's address, into the mailbox itself."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = TRUSTED, stack.smtp_port
    anna = hosting.away("anna", name="Anna Żak")
    row = hosting.mailboxes[anna].responders.get()
    assert sample_letters.send(row.mailbox, row, anna, database_now()) == 1
    [letter] = stack.wait_until_stored(anna)
    assert letter["Subject"] == "Auto: Pytanie o ofertę"
    assert letter["From"] == f"Anna Żak <{anna}>"
    assert letter["Auto-Submitted"] == "auto-replied"
    until(lambda: hosting.decisions(anna) == ["auto-submitted"], "the decision about the test itself")


def test_a_second_message_of_the_same_sender_is_not_answered(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.away("anna")
    stack.send(sender, anna)
    stack.sink.wait_for(sender)
    stack.send(sender, anna)
    until(lambda: hosting.decisions(anna) == ["replied", "already-replied"], "the second decision")
    stack.wait_until_stored(anna, 2)
    assert len(stack.sink.mail_for(sender)) == 1


def test_a_message_through_an_alias_is_answered(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.away("anna")
    office = hosting.alias("biuro", anna)
    stack.send(sender, office)
    [reply] = stack.sink.wait_for(sender)
    assert reply.message["From"].addresses[0].addr_spec == office
    stack.wait_until_stored(anna)


@pytest.mark.parametrize("written", ["ANNA@{}", "Anna@{}", "anna+faktury@{}", "anna+@{}"])
def test_capitals_and_subaddresses_are_answered(stack: Stack, hosting: Hosting, sender: str, written: str) -> None:
    anna = hosting.away("anna")
    stack.send(sender, written.format(hosting.domain.upper()))
    stack.sink.wait_for(sender)
    stack.wait_until_stored(anna)


@pytest.mark.parametrize("local_part", ["o'brien", "a=b", "x#$&^_`{|}~-"])
def test_unusual_local_parts_are_answered(stack: Stack, hosting: Hosting, sender: str, local_part: str) -> None:
    address = hosting.away(local_part)
    stack.send(sender, address)
    stack.sink.wait_for(sender)


def test_mail_for_a_mailbox_without_an_active_responder_never_meets_the_hook(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    now = database_now().replace(tzinfo=None)
    bob, over, later = hosting.mailbox("bob"), hosting.mailbox("over"), hosting.mailbox("later")
    hosting.responder(bob, is_enabled=False)
    hosting.responder(later, type="absence", from_date=now + timedelta(days=1), to_date=now + timedelta(days=2))
    written = stack.log_length()
    for address in (bob, over, later):
        stack.send(sender, address)
        stack.wait_until_stored(address)
    stack.wait_for_empty_queue()
    assert "postfix/autoreply" not in stack.log(written)
    assert [hosting.decisions(address) for address in (bob, over, later)] == [[], [], []]


@pytest.mark.parametrize(
    ("edge", "seconds", "reasons"),
    [
        ("start", -1, ["inactive"]),
        ("start", 0, ["replied"]),
        ("end", -1, ["replied"]),
        ("end", 0, ["inactive"]),
        ("start", -60, []),
        ("end", 60, []),
    ],
)
def test_replies_start_and_stop_to_the_second(
    stack: Stack, hosting: Hosting, sender: str, clock: Callable[[datetime | None], None],
    edge: str, seconds: int, reasons: list[str],
) -> None:  # fmt: skip
    """The clock is the database's; no worker runs here. Five seconds around the window the hook decides."""
    anna = hosting.mailbox("anna")
    now = database_now().replace(microsecond=0)
    window = {"start": now - timedelta(minutes=5), "end": now + timedelta(minutes=5)}
    hosting.responder(
        anna, type="absence", time_zone="UTC",
        from_date=window["start"].replace(tzinfo=None), to_date=window["end"].replace(tzinfo=None),
    )  # fmt: skip
    clock(window[edge] + timedelta(seconds=seconds))
    stack.send(sender, anna)
    stack.wait_until_stored(anna)
    stack.wait_for_empty_queue()
    assert hosting.decisions(anna) == reasons
    assert len(stack.sink.mail_for(sender)) == reasons.count("replied")


def test_an_alias_and_its_mailbox_in_one_message_get_one_reply(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.away("anna")
    office = hosting.alias("biuro", anna)
    stack.send(sender, [office, anna])
    until(lambda: hosting.decisions(anna) and hosting.decisions(office), "a decision for each address")
    stack.wait_for_empty_queue()
    assert len(stack.sink.mail_for(sender)) == 1
    assert len(stack.stored(anna)) == 1


def test_an_alias_and_its_mailbox_in_two_messages_get_one_reply(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.away("anna")
    office = hosting.alias("biuro", anna)
    both = message(sender, f"{office}, {anna}")
    stack.send(sender, office, both)
    stack.send(sender, anna, both)
    until(lambda: hosting.decisions(anna) and hosting.decisions(office), "a decision for each address")
    stack.wait_for_empty_queue()
    assert len(stack.sink.mail_for(sender)) == 1


def test_members_of_a_group_answer_if_they_count_its_address_as_their_own(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    anna, bob, cleo = hosting.away("anna"), hosting.away("bob"), hosting.mailbox("cleo")
    group = hosting.alias("sprzedaz", anna, bob, cleo, own=True)
    stack.send(sender, group)
    replies = stack.sink.wait_for(sender, 2)
    assert {reply.message["From"].addresses[0].addr_spec for reply in replies} == {group}
    for address in (anna, bob, cleo):
        stack.wait_until_stored(address)
    stack.wait_for_empty_queue()
    assert len(stack.sink.mail_for(sender)) == 2


def test_members_of_a_group_are_silent_if_its_address_is_not_their_own(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    group = hosting.alias("sprzedaz", hosting.away("anna"), hosting.away("bob"), hosting.mailbox("cleo"))
    stack.send(sender, group)
    until(lambda: hosting.decisions(group) == ["not-addressed"] * 3, "a decision for each")
    stack.wait_for_empty_queue()
    assert stack.sink.mail_for(sender) == []


def test_a_colleague_gets_the_reply_and_nothing_loops(stack: Stack, hosting: Hosting) -> None:
    """Both are away, and both are hosted here."""
    anna, bob = hosting.away("anna"), hosting.away("bob")
    stack.send(bob, anna)
    [reply] = stack.wait_until_stored(bob)
    stack.wait_for_empty_queue()
    assert reply["Auto-Submitted"] == "auto-replied"
    assert (hosting.decisions(anna), hosting.decisions(bob)) == (["replied"], [])
    assert len(stack.stored(anna)) == 1


def test_a_reply_to_an_alias_reaches_the_mailbox_behind_it(stack: Stack, hosting: Hosting) -> None:
    anna, bob = hosting.away("anna"), hosting.mailbox("bob")
    stack.send(hosting.alias("pan.bob", bob), anna)
    [reply] = stack.wait_until_stored(bob)
    assert reply["Auto-Submitted"] == "auto-replied"


def test_a_sender_with_an_international_address_is_answered(stack: Stack, hosting: Hosting) -> None:
    anna, sender = hosting.away("anna"), f"żółw@{hosting.domain}.klient.example"
    stack.send(sender, anna)
    [reply] = stack.sink.wait_for(sender)
    assert "SMTPUTF8" in reply.mail_options
    stack.wait_until_stored(anna)


def test_what_dovecot_cannot_take_is_refused_and_not_returned_later(stack: Stack, hosting: Hosting) -> None:
    """Dovecot 2.3 has no SMTPUTF8, and Postfix has no ASCII form for such a domain."""
    anna = hosting.away("anna")
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        stack.send("jan@bücher.example", anna)
    assert refused.value.smtp_code == 501
    assert stack.queue() == []


def test_a_message_of_fifty_megabytes_is_stored_and_answered(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.away("anna")
    line = b"x" * 76 + b"\r\n"
    head = f"From: {sender}\r\nTo: {anna}\r\nSubject: big\r\n\r\n".encode()
    stack.send(sender, anna, head + line * (50 * 1024 * 1024 // len(line)))
    stack.sink.wait_for(sender)
    stack.wait_until_stored(anna)


def test_line_ends_in_a_subject_add_no_header_field(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.away("anna")
    head = f"From: {sender}\r\nTo: {anna}\r\nSubject: =?utf-8?q?a=0D=0ABcc:_x=40klient.example?=\r\n\r\nBody\r\n"
    stack.send(sender, anna, head.encode())
    [reply] = stack.sink.wait_for(sender)
    assert reply.message["Subject"] == "Auto: a Bcc: x@klient.example"
    assert "Bcc" not in reply.message


@pytest.mark.parametrize("content", [b"", b"\r\n", b"Subject: \xff\xfe\r\n\r\n\x00\xff", b"From: a\r\n\r\n\r\n"])
def test_a_message_that_is_hardly_one_is_stored_and_decided(
    stack: Stack, hosting: Hosting, sender: str, content: bytes
) -> None:
    anna = hosting.away("anna")
    stack.send(sender, anna, content)
    stack.wait_until_stored(anna)
    until(lambda: hosting.decisions(anna) == ["not-addressed"], "a decision")
    stack.wait_for_empty_queue()
    assert stack.sink.mail_for(sender) == []


def test_an_owner_signs_in_with_the_password_of_the_panel(stack: Stack, hosting: Hosting) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    with stack.imap(anna.upper(), PASSWORD) as imap:
        assert imap.select()[0] == "OK"
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"), stack.imap(anna, f"{PASSWORD}!"):
        pass


def test_a_sieve_script_cannot_answer(stack: Stack, hosting: Hosting, sender: str) -> None:
    """Two responders in one mailbox would answer twice."""
    anna = hosting.mailbox("anna")
    stack.send(sender, anna)
    stack.wait_until_stored(anna)
    home = stack.folder / "mail" / hosting.domain / "anna"
    (home / ".dovecot.sieve").write_text('require "vacation";\nvacation "Nie ma mnie.";\n')
    stack.send(sender, anna)
    stack.wait_until_stored(anna, 2)
    stack.wait_for_empty_queue()
    assert stack.sink.mail_for(sender) == []


@pytest.mark.parametrize("to", ["anna", "anna+urlop"])
def test_that_a_mailbox_leads_to_itself_is_told_nobody(stack: Stack, hosting: Hosting, sender: str, to: str) -> None:
    """Who wants to hear of success hears once that it went to Dovecot, and nothing of an alias (RFC 3461 §5.2.7)."""
    anna = hosting.mailbox("anna")
    written = anna.replace("anna@", f"{to}@")
    with stack.smtp() as smtp:
        smtp.ehlo()
        smtp.mail(sender)
        assert smtp.rcpt(written, ["NOTIFY=SUCCESS"])[0] == 250
        assert smtp.data(message(sender, written).as_bytes())[0] == 250
    stack.wait_until_stored(anna)
    [report] = stack.sink.wait_for(sender)
    assert report.message.get_content_type() == "multipart/report"
    assert "Action: relayed" in report.message.as_string()
    assert "Action: expanded" not in report.message.as_string()
