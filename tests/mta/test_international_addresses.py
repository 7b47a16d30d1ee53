"""Domains beyond ASCII are hosted; local parts (RFC 6531) are written from and read, not hosted, which is said."""

import smtplib

import pytest

from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import Stack, message
from tests.mta.test_the_main_job import read_inbox
from tests.mta.test_who_may_send_what import submission

UTF8 = ["SMTPUTF8", "BODY=8BITMIME"]


def test_who_writes_to_such_an_address_is_told_at_once_that_it_cannot_be(stack: Stack, hosting: Hosting) -> None:
    """Taken with SMTPUTF8, its copy for a colleague here would be lost: Dovecot 2.3 does not offer that."""
    anna = hosting.mailbox("anna", password=PASSWORD)
    with submission(stack, anna) as smtp:
        smtp.ehlo()
        assert "smtputf8" not in smtp.esmtp_features
        smtp.command_encoding = "utf-8"
        assert smtp.docmd("MAIL", f"FROM:<{anna}> SMTPUTF8")[0] == 555
        assert smtp.mail(anna)[0] == 250
        assert smtp.rcpt("żółw@klient.example")[0] == 553
    assert stack.queue() == []


def test_letters_beyond_ascii_in_a_letter_need_nothing(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna, ewa = hosting.mailbox("anna", password=PASSWORD), hosting.mailbox("ewa")
    letter = message(anna, f"{ewa}, {sender}", "Zażółć")
    with submission(stack, anna) as smtp:
        assert smtp.send_message(letter, anna, [ewa, sender]) == {}
    [stored] = stack.wait_until_stored(ewa)
    assert stored["Subject"] == "Zażółć"
    [sent] = stack.sink.wait_for(sender)
    assert sent.message["Subject"] == "Zażółć"


@pytest.mark.parametrize("options", [UTF8, []], ids=["SMTPUTF8", "without"])
def test_nobody_is_hosted_under_such_an_address_and_the_sender_is_told_at_once(
    stack: Stack, hosting: Hosting, options: list[str]
) -> None:
    hosting.mailbox("anna")
    turtle = f"żółw@{hosting.domain}"
    with stack.smtp() as smtp:
        smtp.ehlo()
        smtp.command_encoding = "utf-8"
        smtp.mail("jan@klient.example", options)
        code, words = smtp.rcpt(turtle)
    assert (code // 100, b"5.1." in words) == (5, True)
    assert stack.queue() == []


def test_a_letter_from_such_an_address_is_read_as_it_was_written(stack: Stack, hosting: Hosting) -> None:
    anna, turtle = hosting.mailbox("anna"), f"żółw@{hosting.domain}.klient.example"
    letter = message(turtle, anna, "Pytanie")
    with stack.smtp() as smtp:
        smtp.send_message(letter, turtle, [anna])
    stack.wait_until_stored(anna)
    [file] = (stack.home(anna) / "Maildir" / "new").iterdir()
    assert f"<{turtle}>".encode() in file.read_bytes()
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        stack.send("jan@klient.example", f"zolw@{hosting.domain}")


def test_a_domain_in_polish_letters_is_hosted_as_any_other(stack: Stack, hosting: Hosting, sender: str) -> None:
    turtles = Hosting(f"żółw-{hosting.domain}")
    anna, ewa = (str(turtles.mailboxes[turtles.mailbox(name, password=PASSWORD)].address) for name in ("anna", "ewa"))
    assert anna.startswith("anna@xn--")
    turtles.responder(f"anna@{turtles.domain}")
    stack.send(sender, anna)
    [reply] = stack.sink.wait_for(sender)
    assert reply.message["From"] == anna
    with submission(stack, ewa) as smtp:
        assert smtp.send_message(message(ewa, anna, "Od ewy"), ewa, [anna]) == {}
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="not owned by user"):
            smtp.sendmail(anna, [ewa], b"Subject: x\r\n\r\nx")
    stack.wait_until_stored(anna, 2)
    assert {letter["Subject"] for letter in read_inbox(stack, anna)} == {"Pytanie", "Od ewy"}
    stack.wait_until_stored(ewa)  # the reply of her colleague
