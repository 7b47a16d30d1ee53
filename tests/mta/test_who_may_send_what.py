"""Whose mail Postfix takes: no open relay, and the copies' domain is closed to everybody."""

import smtplib
import ssl
import time
from collections.abc import Callable

import pytest

from mailboxes.models import AliasTarget
from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import HOSTNAME, STRANGER, TRUSTED, Stack

COPY_ADDRESSES = [
    "anna={domain}@autoreply.invalid",
    "anna={domain}@AutoReply.INVALID",
    "anna={domain}@autoreply.invalid.",
    "anna={domain}+x@autoreply.invalid",
    "anna+x={domain}@autoreply.invalid",
    '"anna={domain}"@autoreply.invalid',
    "x@sub.autoreply.invalid",
    "@client.example:anna={domain}@autoreply.invalid",
    "@a.example,@autoreply.invalid:anna={domain}@autoreply.invalid",
    "anna={domain}%autoreply.invalid",
    f"anna={{domain}}%autoreply.invalid@{HOSTNAME}",
    "anna={domain}%autoreply.invalid@{domain}",
    f"autoreply.invalid!anna={{domain}}@{HOSTNAME}",
    "autoreply.invalid!anna={domain}",
    f'"anna={{domain}}@autoreply.invalid"@{HOSTNAME}',
    '"anna={domain}@autoreply.invalid"@{domain}',
    '"anna={domain}@autoreply.invalid"',
    f"anna={{domain}}@autoreply.invalid@{HOSTNAME}",
    "anna={domain}@[autoreply.invalid]",
]
# After more refusals than this Postfix answers slowly (smtpd_soft_error_limit).
ADDRESSES_A_CONNECTION = 9
Connect = Callable[[], smtplib.SMTP]


@pytest.fixture(params=["a stranger", "one of mynetworks", "somebody signed in", "the hook's own host"])
def connect(request: pytest.FixtureRequest, stack: Stack, hosting: Hosting) -> Connect:
    """How a client of that kind connects."""
    owner = hosting.mailbox("owner", password=PASSWORD)
    return {
        "a stranger": lambda: stack.smtp(STRANGER),
        "one of mynetworks": lambda: stack.smtp(TRUSTED),
        "somebody signed in": lambda: submission(stack, owner),
        "the hook's own host": lambda: stack.smtp(TRUSTED, stack.reply_port),
    }[request.param]


def submission(stack: Stack, address: str, password: str = PASSWORD) -> smtplib.SMTP:
    """A mail program that signed in."""
    smtp = stack.smtp(STRANGER, stack.submission_port)
    context = ssl.create_default_context(cafile=str(stack.folder / "certificate.pem"))
    context.check_hostname = False
    try:
        smtp.starttls(context=context)
        smtp.login(address, password)
    except smtplib.SMTPException:
        smtp.close()
        raise
    return smtp


def test_nobody_reaches_the_hook_by_an_address(stack: Stack, hosting: Hosting, connect: Connect) -> None:
    """Most are refused; what names this host's own domain in the end is mail for the postmaster."""
    hosting.away("anna")
    written = stack.log_length()
    for start in range(0, len(COPY_ADDRESSES), ADDRESSES_A_CONNECTION):
        with connect() as smtp:
            sender = "" if smtp.sock.getpeername()[1] == stack.reply_port else f"owner@{hosting.domain}"
            for template in COPY_ADDRESSES[start : start + ADDRESSES_A_CONNECTION]:
                send_past_refusals(smtp, sender, template.format(domain=hosting.domain))
    stack.wait_for_empty_queue()
    assert "No such domain" in stack.log(written)
    assert "postfix/autoreply" not in stack.log(written)


def send_past_refusals(smtp: smtplib.SMTP, sender: str, recipient: str) -> None:
    smtp.ehlo_or_helo_if_needed()
    smtp.docmd("RSET")
    assert smtp.mail(sender)[0] == 250
    code, answer = smtp.docmd(f"RCPT TO:<{recipient}>")
    if recipient.lower().endswith("autoreply.invalid"):
        assert code in (550, 501, 504, 554), (recipient, answer)
    if code == 250:
        assert smtp.data(b"Subject: x\r\n\r\nx\r\n")[0] == 250


def test_no_alias_leads_to_the_hook(stack: Stack, hosting: Hosting) -> None:
    hosting.away("anna")
    alias = hosting.alias("sprytny", "x@klient.example")
    AliasTarget.objects.filter(alias__address=alias).update(outside_address=f"anna={hosting.domain}@Autoreply.invalid")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        stack.send("jan@klient.example", alias)
    assert refused.value.recipients[alias][0] == 550


def test_a_stranger_cannot_send_through_us(stack: Stack) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        stack.send("jan@klient.example", "ewa@gdzie-indziej.example")
    assert refused.value.recipients["ewa@gdzie-indziej.example"][0] == 554


def test_an_address_that_does_not_exist_is_refused_at_once(stack: Stack, hosting: Hosting) -> None:
    hosting.mailbox("anna")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        stack.send("jan@klient.example", nobody := f"nikt@{hosting.domain}")
    assert refused.value.recipients[nobody][0] == 550


def test_one_of_mynetworks_may_send_out(stack: Stack, hosting: Hosting) -> None:
    outside = f"ewa@{hosting.domain}.klient.example"
    stack.send("cron@panel.example", outside, client=TRUSTED)
    stack.sink.wait_for(outside)


def test_an_owner_sends_out_under_the_own_address_alone(stack: Stack, hosting: Hosting) -> None:
    anna, outside = hosting.mailbox("anna", password=PASSWORD), f"ewa@{hosting.domain}.klient.example"
    office, colleague = hosting.alias("biuro", anna), hosting.mailbox("bob")
    with submission(stack, anna) as smtp:
        for own in (anna, office):
            assert smtp.sendmail(own, outside, b"Subject: x\r\n\r\nx\r\n") == {}
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="not owned by user"):
            smtp.sendmail(colleague, outside, b"Subject: x\r\n\r\nx\r\n")
    stack.sink.wait_for(outside, 2)


def test_nobody_signs_in_without_encryption(stack: Stack) -> None:
    with stack.smtp(STRANGER, stack.submission_port) as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("auth")
        assert smtp.mail("anna@firma.example")[0] == 530


def test_only_the_hook_uses_the_way_of_the_replies(stack: Stack, hosting: Hosting) -> None:
    outside = f"ewa@{hosting.domain}.klient.example"
    with stack.smtp(STRANGER, stack.reply_port) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused):
        smtp.sendmail("", outside, b"Subject: x\r\n\r\nx\r\n")
    with stack.smtp(TRUSTED, stack.reply_port) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused):
        smtp.sendmail("anna@firma.example", outside, b"Subject: x\r\n\r\nx\r\n")
    with stack.smtp(TRUSTED, stack.reply_port) as smtp:
        smtp.sendmail("", outside, b"Subject: x\r\n\r\nx\r\n")
    stack.sink.wait_for(outside)


def test_the_hook_is_answered_quickly_however_many_replies_are_refused(stack: Stack, hosting: Hosting) -> None:
    """Senders of spam forge addresses of ours that do not exist."""
    hosting.mailbox("anna")
    with stack.smtp(TRUSTED, stack.reply_port) as smtp:
        smtp.ehlo()
        took = []
        for number in range(50):
            smtp.docmd("RSET")
            smtp.mail("")
            began = time.monotonic()
            assert smtp.rcpt(f"nikt{number}@{hosting.domain}")[0] == 550
            took.append(time.monotonic() - began)
    assert min(took[20:]) < 0.9  # each a second at least, if those beyond the tenth were answered slowly


def test_bytes_that_are_no_text_do_not_take_the_database_away(stack: Stack, hosting: Hosting) -> None:
    """A query that fails would keep Postfix from the database for a minute, and everybody's mail with it."""
    anna = hosting.away("anna")
    with stack.smtp() as smtp:
        smtp.ehlo()
        smtp.mail("jan@klient.example")
        for local_part in (b"\xff\xfe", b"\xc5", b"\xed\xa0\x80", b"a\x80b", b"'; DROP TABLE x; --", b"\\'"):
            smtp.sock.sendall(b"RCPT TO:<" + local_part + f"@{hosting.domain}>\r\n".encode())
            assert smtp.getreply()[0] // 100 == 5
    assert stack.send("jan@klient.example", anna) == {}
    stack.wait_until_stored(anna)


@pytest.mark.parametrize("local_part", ["anna", "o'brien"])
def test_the_maps_know_their_addresses_and_no_others(stack: Stack, hosting: Hosting, local_part: str) -> None:
    address = hosting.away(local_part)
    alias = hosting.alias(f"{local_part}-alias", address)
    assert stack.look_up("pgsql-domains.cf", hosting.domain) == "ours"
    assert stack.look_up("pgsql-mailboxes.cf", address) == "mailbox"
    assert stack.look_up("pgsql-aliases.cf", alias) == address
    assert stack.look_up("pgsql-copies.cf", alias) == alias.replace("@", "=") + "@autoreply.invalid"
    assert stack.look_up("pgsql-senders.cf", alias) == stack.look_up("pgsql-senders.cf", address) == address
    for stranger in (f"x{address}", f"żółw@{hosting.domain}"):
        assert stack.look_up("pgsql-mailboxes.cf", stranger) == ""
