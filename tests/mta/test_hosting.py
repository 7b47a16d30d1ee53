"""What a hosting company promises, on real servers: space, suspension, catch-alls, another address, passwords."""

import imaplib
import smtplib
import ssl
from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.utils import timezone

from mailboxes import hosting as services
from mailboxes.deletion import deleted_aliases, deleted_domains
from mailboxes.models import Alias, Domain, Mailbox
from mailboxes.services import (
    add_alias,
    add_mailbox,
    end_app_password,
    give_password,
    set_sending_limits,
    set_sign_in,
    set_successor,
)
from responders.services import database_now
from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import Stack, message, until
from tests.mta.test_the_main_job import read_inbox
from tests.mta.test_who_may_send_what import submission


def mailbox_of(address: str) -> Mailbox:
    return Mailbox.objects.get(address=address)


def refusal(stack: Stack, sender: str, recipient: str, size: int = 100) -> tuple[int, bytes]:
    """What Postfix says of one recipient; (250, b"") if it takes the message."""
    text = ("x" * 70 + "\n") * (size // 71 + 1)
    try:
        stack.send(sender, recipient, message(sender, recipient, text=text))
    except smtplib.SMTPRecipientsRefused as refused:
        return refused.recipients[recipient]
    return 250, b""


def test_from_one_hosted_mailbox_to_another(stack: Stack, hosting: Hosting) -> None:
    anna, ewa = hosting.mailbox("anna", password=PASSWORD), hosting.mailbox("ewa", password=PASSWORD)
    with submission(stack, anna) as smtp:
        smtp.send_message(message(anna, ewa), anna, [ewa])
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="not owned by user"):
            smtp.sendmail(ewa, [anna], b"Subject: x\r\n\r\nx")
    stack.wait_until_stored(ewa)
    assert [letter["From"] for letter in read_inbox(stack, ewa)] == [f"Jan Kowalski <{anna}>"]


def test_a_letter_that_comes_without_date_and_name_gets_them_from_a_mail_program_alone(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    anna, since = hosting.mailbox("anna", password=PASSWORD), stack.log_length()
    bare = f"From: {anna}\r\nTo: {anna}\r\nSubject: bare\r\n\r\nx\r\n"
    with submission(stack, anna) as smtp:
        smtp.sendmail(anna, [anna], bare)
    stack.send(sender, anna, bare.replace(anna, sender, 1).encode())
    until(lambda: len(read_inbox(stack, anna)) == 2, "both letters")
    dated = {letter["From"]: bool(letter["Date"] and letter["Message-ID"]) for letter in read_inbox(stack, anna)}
    assert dated == {anna: True, sender: False}
    assert "ignored: no SASL" not in stack.log(since)


def test_mail_programs_may_speak_tls_from_the_first_octet(stack: Stack, hosting: Hosting) -> None:
    anna, ewa = hosting.mailbox("anna", password=PASSWORD), hosting.mailbox("ewa")
    context = ssl.create_default_context(cafile=str(stack.folder / "certificate.pem"))
    context.check_hostname = False
    with smtplib.SMTP_SSL("127.0.0.1", stack.submissions_port, "client.example", context=context, timeout=60) as smtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="not logged in"):
            smtp.sendmail(anna, [ewa], b"Subject: x\r\n\r\nx")
        smtp.login(anna, PASSWORD)
        smtp.send_message(message(anna, ewa), anna, [ewa])
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="not owned by user"):
            smtp.sendmail(ewa, [anna], b"Subject: x\r\n\r\nx")
    stack.wait_until_stored(ewa)


def test_who_has_no_space_left_is_refused_at_the_door(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna, ewa = hosting.mailbox("anna", password=PASSWORD), hosting.mailbox("ewa")
    Mailbox.objects.filter(address=anna).update(quota_mb=1)
    Domain.objects.filter(name=hosting.domain).update(quota_mb=50)
    for number in range(1, 3):
        assert refusal(stack, sender, anna, size=400_000) == (250, b"")
        stack.wait_until_stored(anna, number)
    code, words = refusal(stack, sender, anna, size=400_000)
    assert (code, words[:5]) == (552, b"5.2.2")
    assert refusal(stack, sender, ewa, size=400_000) == (250, b"")
    with stack.imap(anna, PASSWORD) as imap:
        assert b"STORAGE" in imap.getquotaroot("INBOX")[1][1][0]


def fill(stack: Stack, sender: str, address: str) -> None:
    """A megabyte of space, of which two letters leave too little for a third."""
    Mailbox.objects.filter(address=address).update(quota_mb=1)
    for number in range(1, 3):
        assert refusal(stack, sender, address, size=400_000) == (250, b"")
        stack.wait_until_stored(address, number)


def test_dovecot_is_asked_about_who_has_a_limit_alone_and_keeps_nobodys_mail_back(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    anna, ewa = hosting.mailbox("anna"), hosting.mailbox("ewa")
    Mailbox.objects.filter(address=anna).update(quota_mb=1)
    log, there = stack.folder / "log" / "mail.log", stack.folder / "sockets" / "quota"
    before = log.stat().st_size
    there.rename(there.with_suffix(".away"))
    stack.reload_postfix()  # its processes keep the connection that they have
    try:
        for address, asked in ((ewa, False), (hosting.alias("team", ewa), False), (anna, True)):
            assert refusal(stack, sender, address) == (250, b"")
            told = log.read_bytes()[before:]
            assert (b"problem talking to server " + bytes(there) in told) is asked, address
    finally:
        there.with_suffix(".away").rename(there)


def test_a_reply_to_a_full_mailbox_is_taken(stack: Stack, hosting: Hosting, sender: str) -> None:
    """As a refusal it would count against the address for weeks."""
    anna = hosting.mailbox("anna")
    fill(stack, sender, anna)
    with smtplib.SMTP("127.0.0.1", stack.reply_port) as smtp:
        smtp.ehlo("panel.example")
        assert smtp.mail("", ["SIZE=900000"])[0] == 250
        assert smtp.rcpt(anna)[0] == 250


def test_who_has_no_space_left_is_refused_by_every_address_that_leads_there_alone(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    anna, ewa = hosting.mailbox("anna"), hosting.mailbox("ewa")
    ways = [
        anna.replace("@", "+sklep@"), hosting.alias("team", anna), f"team+x@{hosting.domain}",
        f"nikt@{hosting.domain}", f"nikt+x@{hosting.domain}", f"anna@{hosting.domain}",
    ]  # fmt: skip
    fill(stack, sender, anna)
    services.rename(mailbox_of(anna), "anna.nowak", actor=None)
    Domain.objects.filter(name=hosting.domain).update(catch_all=Mailbox.objects.get(local_part="anna.nowak"))
    told = {way: refusal(stack, sender, way, size=400_000) for way in ways}
    assert {(code, words[:5]) for code, words in told.values()} == {(552, b"5.2.2")}, told
    assert refusal(stack, sender, ewa, size=400_000) == (250, b"")
    assert refusal(stack, sender, hosting.alias("dwie", f"anna.nowak@{hosting.domain}", ewa)) == (250, b"")
    stack.wait_until_stored(ewa, 2)
    assert stack.sink.mail_for(sender) == []  # a short letter still fits


def test_mail_of_somebody_who_left_asks_for_the_space_of_who_gets_it(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    anna, ewa = hosting.mailbox("anna"), hosting.mailbox("ewa")
    fill(stack, sender, anna)
    set_successor(mailbox_of(anna), mailbox_of(ewa), database_now() - timedelta(days=1), actor=None)
    until(lambda: refusal(stack, sender, anna, size=400_000) == (250, b""), "what was told a second ago is forgotten")
    stack.wait_until_stored(ewa)
    Mailbox.objects.filter(address=ewa).update(quota_mb=1)
    until(lambda: refusal(stack, sender, anna, size=1_200_000)[0] == 552, "the successor's space counts")
    assert len(stack.stored(anna)) == 2


def test_an_alias_of_several_takes_what_one_of_them_has_no_space_for(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    """The sender is told of the one; the others have the letter."""
    anna, ewa = hosting.mailbox("anna"), hosting.mailbox("ewa")
    group = hosting.alias("grupa", anna, ewa)
    fill(stack, sender, anna)
    assert refusal(stack, sender, group, size=400_000) == (250, b"")
    stack.wait_until_stored(ewa)
    [report] = stack.sink.wait_for(sender)
    assert report.reverse_path == ""
    assert b"Status: 5.2.2" in report.content
    assert len(stack.stored(anna)) == 2


def test_who_is_suspended_gets_mail_later_and_does_not_sign_in(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.away("anna", password=PASSWORD)
    team = hosting.alias("team", anna)
    services.suspend(mailbox_of(anna), now=database_now(), actor=None)
    assert refusal(stack, sender, anna)[0] == 450
    assert refusal(stack, sender, anna.replace("@", "+x@"))[0] == 450
    with pytest.raises(imaplib.IMAP4.error), stack.imap(anna, PASSWORD):
        pass
    with pytest.raises(smtplib.SMTPAuthenticationError):
        submission(stack, anna)
    assert stack.send(sender, team) == {}  # nothing is lost that came in
    stack.wait_until_stored(anna)
    Mailbox.objects.filter(address=anna).update(refuses_from=database_now() - timedelta(days=1))
    code, words = refusal(stack, sender, anna)
    assert (code, words[:5]) == (550, b"5.2.1")
    services.resume(mailbox_of(anna), actor=None)
    assert refusal(stack, sender, anna) == (250, b"")
    stack.sink.wait_for(sender)


def test_a_whole_domain_is_suspended(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    team = hosting.alias("team", anna)
    domain = Domain.objects.get(name=hosting.domain)
    services.suspend(domain, now=database_now(), actor=None)
    assert {refusal(stack, sender, address)[0] for address in (anna, team)} == {450}
    with pytest.raises(imaplib.IMAP4.error), stack.imap(anna, PASSWORD):
        pass
    services.resume(Domain.objects.get(pk=domain.pk), actor=None)
    assert refusal(stack, sender, anna) == (250, b"")


def test_a_catch_all_gets_what_nobody_has_and_answers_nobody(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna, ewa = hosting.away("anna"), hosting.mailbox("ewa")
    unknown = f"nikt@{hosting.domain}"
    assert refusal(stack, sender, unknown)[0] == 550
    Domain.objects.filter(name=hosting.domain).update(catch_all=mailbox_of(anna))
    assert refusal(stack, sender, unknown) == (250, b"")
    [stored] = stack.wait_until_stored(anna)
    assert stored["To"] == unknown
    for address in (ewa, ewa.replace("@", "+sklep@")):
        stack.send(sender, address)
    stack.wait_until_stored(ewa, 2)
    stack.wait_for_empty_queue()
    assert len(stack.stored(anna)) == 1
    assert stack.sink.mail_for(sender) == []


def test_a_mailbox_that_was_renamed_keeps_its_mail_and_answers_at_both_addresses(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    old = hosting.away("anna", password=PASSWORD)
    stack.send(sender, old)
    stack.wait_until_stored(old)
    stack.sink.wait_for(sender)
    services.rename(mailbox_of(old), "anna.nowak", actor=None)
    new = f"anna.nowak@{hosting.domain}"
    others = f"x{sender}"
    stack.send(others, old)
    [reply] = stack.sink.wait_for(others)
    assert old in reply.message["From"]
    stack.wait_until_stored(old, 2)  # the folder keeps its first name
    assert len(read_inbox(stack, new)) == 2
    with pytest.raises(imaplib.IMAP4.error), stack.imap(old, PASSWORD):
        pass


def test_a_deleted_mailbox_is_gone_until_it_is_taken_back(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    stack.send(sender, anna)
    stack.wait_until_stored(anna)
    services.delete_mailbox(mailbox_of(anna), now=database_now(), actor=None)
    assert refusal(stack, sender, anna)[0] == 550
    with pytest.raises(imaplib.IMAP4.error), stack.imap(anna, PASSWORD):
        pass
    services.restore_mailbox(mailbox_of(anna), actor=None)
    assert refusal(stack, sender, anna) == (250, b"")
    assert read_inbox(stack, anna)


def test_a_deleted_domain_is_unknown_until_it_is_taken_back(stack: Stack, hosting: Hosting, sender: str) -> None:
    """Refused at once and for good, as any domain that is not here; an alias elsewhere leads to the others alone."""
    anna = hosting.away("anna", password=PASSWORD)
    team = hosting.alias("team", anna)
    ewa = add_mailbox(f"ewa@druga.{hosting.domain}", create_domain=True).address
    both = add_alias(f"wszyscy@druga.{hosting.domain}", [anna, ewa]).address
    assert refusal(stack, sender, team) == (250, b"")
    stack.wait_until_stored(anna)
    domain = Domain.objects.get(name=hosting.domain)
    deleted_domains.delete_domain(domain, now=database_now(), actor=None)
    for address in (anna, team, anna.replace("@", "+x@"), f"nikt@{hosting.domain}"):
        # A process of Postfix that knew the domain a moment ago refuses the address (5.1.1), others the domain (5.7.1).
        code, words = refusal(stack, sender, address)
        assert 550 <= code < 560, (address, code, words)
    assert b"Relay access denied" in until(lambda: relay_denied(stack, sender, anna), "the domain is not here any more")
    until(lambda: is_refused(stack, anna, PASSWORD), "the password refused")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        submission(stack, anna)
    assert refusal(stack, f"b{sender}", both) == (250, b"")
    stack.wait_until_stored(ewa)
    stack.wait_for_empty_queue()
    assert stack.sink.mail_for(f"b{sender}") == []  # neither a reply of Anna's nor a report about her
    assert len(stack.stored(anna)) == 1
    deleted_domains.restore_domain(domain, actor=None)
    until(lambda: refusal(stack, f"c{sender}", team) == (250, b""), "the domain is here again")
    stack.wait_until_stored(anna, 2)
    assert len(read_inbox(stack, anna)) == 2
    stack.sink.wait_for(f"c{sender}")
    with submission(stack, anna) as smtp:
        smtp.send_message(message(anna, ewa), anna, [ewa])
    stack.wait_until_stored(ewa, 2)


def relay_denied(stack: Stack, sender: str, address: str) -> bytes:
    """What Postfix says; empty while it says something else."""
    words = refusal(stack, sender, address)[1]
    return words if b"Relay access denied" in words else b""


def test_a_deleted_alias_is_gone_until_it_is_taken_back(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.mailbox("anna")
    team = hosting.alias("team", anna)
    assert refusal(stack, sender, team) == (250, b"")
    stack.wait_until_stored(anna)
    row = deleted_aliases.delete_alias(Alias.objects.get(address=team), now=database_now(), actor=None)
    assert row is not None
    assert refusal(stack, sender, team)[0] == 550
    deleted_aliases.restore_alias(row, actor=None)
    assert refusal(stack, sender, team) == (250, b"")
    stack.wait_until_stored(anna, 2)


def test_a_changed_password_counts_at_once_and_the_old_one_no_more(stack: Stack, hosting: Hosting) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    with stack.imap(anna, PASSWORD):
        pass
    owner = mailbox_of(anna).owner
    assert owner is not None
    owner.set_password("another horse battery staple")
    owner.save()
    with stack.imap(anna, "another horse battery staple"):
        pass
    with pytest.raises(imaplib.IMAP4.error), stack.imap(anna, PASSWORD):
        pass


def suspend_the_domain(anna: Mailbox) -> None:
    services.suspend(anna.domain, now=database_now(), actor=None)


@pytest.mark.parametrize(
    "end",
    [
        lambda anna: give_password(anna, now=timezone.now(), actor=None),
        suspend_the_domain,
        lambda anna: services.suspend(anna, now=database_now(), actor=None),
        lambda anna: services.delete_mailbox(anna, now=database_now(), actor=None),
        lambda anna: services.rename(anna, "anna.nowak", actor=None),
    ],
    ids=["another password", "the domain suspended", "suspended", "deleted", "renamed"],
)
def test_a_password_that_got_in_a_moment_ago_gets_in_no_more_though_nobody_used_another(
    stack: Stack, hosting: Hosting, end: Callable[[Mailbox], object]
) -> None:
    """Neither to read nor to send, with whatever Dovecot remembers."""
    anna = hosting.mailbox("anna", password=PASSWORD)
    with stack.imap(anna, PASSWORD), submission(stack, anna):
        pass
    end(mailbox_of(anna))
    until(lambda: is_refused(stack, anna, PASSWORD), "the old password refused")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        submission(stack, anna)
    assert is_refused(stack, anna, PASSWORD)


def close_sign_in(anna: Mailbox) -> None:
    set_sign_in(anna, allowed=False, actor=None)


@pytest.mark.parametrize(
    ("end", "resume"),
    [
        (
            lambda anna: services.suspend(anna, now=database_now(), actor=None),
            lambda anna: services.resume(anna, actor=None),
        ),
        (suspend_the_domain, lambda anna: services.resume(anna.domain, actor=None)),
        (close_sign_in, lambda anna: set_sign_in(anna, allowed=True, actor=None)),
    ],
    ids=["suspended", "the domain suspended", "may not sign in"],
)
@pytest.mark.parametrize("limit", [None, 0], ids=["usual limits", "no limit"])
def test_who_is_signed_in_already_sends_no_more_once_it_is_not_allowed(
    stack: Stack,
    hosting: Hosting,
    sender: str,
    end: Callable[[Mailbox], object],
    resume: Callable[[Mailbox], object],
    limit: int | None,
) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    set_sending_limits(mailbox_of(anna), limit, limit, actor=None)
    letter = b"Subject: x\r\n\r\nx"
    with submission(stack, anna) as smtp:
        assert smtp.sendmail(anna, [sender], letter) == {}
        end(mailbox_of(anna))
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            smtp.sendmail(anna, [sender], letter)
        assert refused.value.recipients[sender][0] == 550
        assert refused.value.recipients[sender][1].startswith(b"5.7.1 ")
        resume(mailbox_of(anna))
        assert smtp.sendmail(anna, [sender], letter) == {}
    stack.sink.wait_for(sender, 2)


def is_refused(stack: Stack, address: str, password: str) -> bool:
    """What Dovecot was told lately it remembers for a second or two."""
    try:
        with stack.imap(address, password):
            return False
    except imaplib.IMAP4.error:
        return True


def test_with_a_second_factor_each_mail_program_has_its_own_password(stack: Stack, hosting: Hosting) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    mailbox = mailbox_of(anna)
    made, password = services.make_app_password(mailbox, "Telefon", actor=None)
    with stack.imap(anna, password), stack.imap(anna, PASSWORD):
        pass
    Authenticator.objects.create(user=mailbox.owner, type=Authenticator.Type.TOTP, data={})
    until(lambda: is_refused(stack, anna, PASSWORD), "the panel's password refused")
    with stack.imap(anna, password), submission(stack, anna, password):
        pass
    end_app_password(made, actor=None)
    until(lambda: is_refused(stack, anna, password), "the ended password refused")
