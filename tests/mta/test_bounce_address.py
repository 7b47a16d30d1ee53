"""A domain whose replies have a bounce address: who refuses is learnt from it, and nothing sent to it is answered."""

import re
import smtplib

import pytest
from django.conf import settings

from mailboxes.models import Domain
from responders.hook.refusals import bounce_address
from responders.models import Decision, Refusal
from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import STRANGER, TRUSTED, Stack, message, until
from tests.mta.test_who_may_send_what import submission

NO_SUCH_USER = "550 5.1.1 No such user here"
REPORT = """\
From: Mail Delivery System <mailer-daemon@klient.example>
To: {to}
Subject: Undelivered Mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.klient.example

Final-Recipient: rfc822; {about}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 gone

--b--
"""


def away(hosting: Hosting, local_part: str) -> str:
    """A mailbox that answers, in a domain with a bounce address."""
    address = hosting.away(local_part)
    Domain.objects.filter(name=hosting.domain).update(has_bounce_address=True)
    return address


def reply_to(stack: Stack, sender: str, mailbox: str) -> str:
    """Write to the mailbox; the reverse-path of its reply."""
    stack.send(sender, mailbox)
    [reply] = stack.sink.wait_for(sender)
    return reply.reverse_path


def read(stack: Stack, written: int, to: str) -> None:
    """Wait until the hook has read what was sent to a bounce address."""
    copy = to.replace("@", "=") + "@autoreply.invalid"
    until(lambda: re.search(rf"to=<{re.escape(copy)}>.*250 2.0.0 Read", stack.log(written)), "it is read")


def test_a_reply_has_a_bounce_address_of_its_own_domain(stack: Stack, hosting: Hosting, sender: str) -> None:
    reverse_path = reply_to(stack, sender, away(hosting, "anna"))
    assert re.fullmatch(rf"bounces=[0-9a-f]{{40}}@{hosting.domain}", reverse_path)
    assert reverse_path == bounce_address(settings.SECRET_KEY.encode(), sender, hosting.domain)


def test_other_domains_keep_the_null_reverse_path(stack: Stack, hosting: Hosting, sender: str) -> None:
    assert reply_to(stack, sender, hosting.away("anna")) == ""


def test_who_refuses_while_postfix_delivers_gets_no_other(stack: Stack, hosting: Hosting, sender: str) -> None:
    """Postfix's own report goes to the bounce address."""
    anna, ewa = away(hosting, "anna"), hosting.away("ewa")
    stack.sink.refuse(sender, NO_SUCH_USER)
    stack.send(sender, anna)
    refusal = until(lambda: Refusal.objects.filter(address=sender).first(), "the refusal")
    assert NO_SUCH_USER in refusal.words
    stack.wait_for_empty_queue()
    stack.send(sender, ewa)
    until(lambda: hosting.decisions(ewa) == ["undeliverable"], "the decision")
    assert Decision.objects.count() == 2  # the report itself left none


@pytest.mark.parametrize("reverse_path", ["", "mailer-daemon@klient.example"])
def test_a_report_that_comes_later_is_read(stack: Stack, hosting: Hosting, sender: str, reverse_path: str) -> None:
    to = reply_to(stack, sender, away(hosting, "anna"))
    written = stack.log_length()
    stack.send(reverse_path, to, REPORT.format(to=to, about=sender).encode())
    read(stack, written, to)
    assert "550 5.1.1 gone" in Refusal.objects.get(address=sender).words


def test_a_report_about_somebody_else_is_no_business_of_that_address(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    to = reply_to(stack, sender, away(hosting, "anna"))
    written, other = stack.log_length(), f"prezes@other-{hosting.domain}"
    stack.send("", to, REPORT.format(to=to, about=other).encode())
    read(stack, written, to)
    assert not Refusal.objects.filter(address__in=[sender, other]).exists()


def test_a_name_that_nobody_gave_proves_nothing(stack: Stack, hosting: Hosting, sender: str) -> None:
    away(hosting, "anna")
    to = f"bounces={'0' * 40}@{hosting.domain}"
    written = stack.log_length()
    stack.send("", to, REPORT.format(to=to, about=sender).encode())
    stack.wait_for_empty_queue()
    assert "status=sent" in stack.log(written)
    assert not Refusal.objects.filter(address=sender).exists()


def test_what_is_no_name_is_no_address(stack: Stack, hosting: Hosting, sender: str) -> None:
    away(hosting, "anna")
    for name in ("f00d", "0" * 39, "0" * 41, "g" * 40):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            stack.send(sender, f"bounces={name}@{hosting.domain}")


def test_an_address_that_looks_so_elsewhere_gets_its_mail(stack: Stack, hosting: Hosting) -> None:
    """Another panel's, maybe: what a person here writes to it goes there."""
    anna, elsewhere = hosting.mailbox("anna", password=PASSWORD), f"bounces={'a' * 40}@elsewhere.example"
    with submission(stack, anna) as smtp:
        smtp.send_message(message(anna, elsewhere), anna, [elsewhere])
    [sent] = stack.sink.wait_for(elsewhere)
    assert sent.reverse_path == anna


def test_a_letter_to_a_bounce_address_is_answered_by_nobody(stack: Stack, hosting: Hosting, sender: str) -> None:
    """Another responder, or a person; even where a mailbox called `bounces` answers."""
    bounces = hosting.away("bounces")
    to = reply_to(stack, sender, away(hosting, "anna"))
    written = stack.log_length()
    stack.send("ewa@klient.example", to)
    read(stack, written, to)
    stack.wait_for_empty_queue()
    assert hosting.decisions(bounces) == []
    assert stack.sink.mail_for("ewa@klient.example") == []


def test_the_listener_for_replies_takes_bounce_addresses_and_no_other_sender(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    hosting.mailbox("anna")
    for reverse_path, code in [
        (f"bounces={'a' * 40}@{hosting.domain}", 250), (f"anna@{hosting.domain}", 554),
        (f"bounces@{hosting.domain}", 554), (f"bounces=x@{hosting.domain}", 554),
    ]:  # fmt: skip
        with stack.smtp(TRUSTED, stack.reply_port) as smtp:
            smtp.ehlo()
            smtp.mail(reverse_path)
            assert smtp.rcpt(sender)[0] == code, reverse_path


@pytest.mark.parametrize("client", [STRANGER, "signed in"])
def test_nobody_else_sends_from_a_bounce_address(stack: Stack, hosting: Hosting, sender: str, client: str) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    forged = f"bounces={'a' * 40}@{hosting.domain}"
    connection = submission(stack, anna) if client == "signed in" else stack.smtp(client)
    with connection as smtp, pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused)):
        smtp.sendmail(forged, [sender], message(forged, sender).as_bytes())
