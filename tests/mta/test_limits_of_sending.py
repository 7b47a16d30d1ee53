"""Nobody sends without end: neither who signed in with a stolen password nor a client that comes again and again."""

import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.core import mail

from mailboxes import hosting as services
from mailboxes.models import Mailbox, SendingCount, SendingStop
from mailboxes.services import set_sending_limits
from mailboxes.tasks import delete_old_sending_counts
from responders import notices
from responders.services import database_now
from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import STRANGER, Stack, message
from tests.mta.test_who_may_send_what import submission

Clock = Callable[[datetime | None], None]


@pytest.fixture
def sender_of(stack: Stack, hosting: Hosting) -> Iterator[Callable[..., str]]:
    """A mailbox that may send to so many recipients."""

    def make(name: str, per_hour: int | None = None, per_day: int | None = None) -> str:
        address = hosting.mailbox(name, password=PASSWORD)
        set_sending_limits(Mailbox.objects.get(address=address), per_hour, per_day, actor=None)
        return address

    yield make
    SendingCount.objects.all().delete()
    SendingStop.objects.all().delete()


def send_to(stack: Stack, address: str, count: int, *, name: str = "x") -> list[bytes]:
    """One message to so many people, and what was said to each: an empty text for who was taken."""
    people = [f"{name}{number}@klient.example" for number in range(count)]
    with submission(stack, address) as smtp:
        try:
            refused = smtp.send_message(message(address, "x@klient.example"), address, people)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
    return [b" ".join((str(code).encode(), words)) for code, words in (refused.get(who, ("", b"")) for who in people)]


def test_who_has_sent_to_as_many_as_they_may_is_told_to_wait(stack: Stack, sender_of: Callable[..., str]) -> None:
    anna, ewa = sender_of("anna", per_hour=5), sender_of("ewa")
    said = send_to(stack, anna, 7)
    assert [words.strip() == b"" for words in said] == [True] * 5 + [False] * 2
    assert said[5].startswith(b"450 4.7.1 ")
    assert b"as many recipients as it may" in said[5]
    assert all(words.startswith(b"450 4.7.1 ") for words in send_to(stack, anna, 2))
    assert send_to(stack, ewa, 2) == [b" ", b" "]
    assert sum(SendingCount.objects.filter(mailbox__address=anna).values_list("recipients", flat=True)) == 5


def test_it_may_again_when_an_hour_is_over_and_not_before(
    stack: Stack, sender_of: Callable[..., str], clock: Clock
) -> None:
    anna, start = sender_of("anna", per_hour=3, per_day=5), database_now().replace(minute=5)
    steps = [(0, 4, 3), (30, 1, 0), (59, 1, 0), (70, 3, 2), (150, 1, 0), (24 * 60 + 4, 1, 0), (24 * 60 + 10, 4, 3)]
    for minutes, tried, taken in steps:
        clock(start + timedelta(minutes=minutes))
        assert send_to(stack, anna, tried).count(b" ") == taken, minutes
    clock(start + timedelta(hours=80))
    assert delete_old_sending_counts() > 0
    assert not SendingCount.objects.filter(mailbox__address=anna).exists()


def test_many_connections_at_once_get_no_more_than_one(stack: Stack, sender_of: Callable[..., str]) -> None:
    anna = sender_of("anna", per_hour=20)
    taken: list[int] = []

    def one(number: int) -> None:
        taken.append(send_to(stack, anna, 6, name=f"y{number}-").count(b" "))

    threads = [threading.Thread(target=one, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(taken) == 20


def test_without_a_limit_of_its_own_the_usual_one_holds_and_0_is_none(
    stack: Stack, sender_of: Callable[..., str]
) -> None:
    usual, unlimited = sender_of("anna"), sender_of("ewa", per_hour=0, per_day=0)
    file = stack.config / "pgsql-sending.cf"
    before = file.read_text()
    assert ", 300, 2000)" in before
    file.write_text(before.replace(", 300, 2000)", ", 2, 2000)"))
    try:
        stack.reload_postfix()
        assert send_to(stack, usual, 4).count(b" ") == 2
        assert send_to(stack, unlimited, 4).count(b" ") == 4
    finally:
        file.write_text(before)
        stack.reload_postfix()
    assert not SendingCount.objects.filter(mailbox__address=unlimited).exists()


def test_mail_that_comes_and_replies_that_go_out_count_for_nothing(
    stack: Stack, hosting: Hosting, sender_of: Callable[..., str], sender: str
) -> None:
    anna = sender_of("anna", per_hour=1)
    hosting.responder(anna)
    for number in range(3):
        stack.send(f"{number}{sender}", anna)
        stack.sink.wait_for(f"{number}{sender}")
    assert send_to(stack, anna, 1) == [b" "]


def test_owner_and_staff_are_told_once_of_a_stop(
    stack: Stack, sender_of: Callable[..., str], clock: Clock, settings: object
) -> None:
    settings.STAFF_NOTICES, settings.PANEL_URL = ["staff@panel.example"], "https://panel.example"  # type: ignore[attr-defined]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"  # type: ignore[attr-defined]
    anna, start = sender_of("anna", per_hour=1), database_now()
    for minutes, told in ((0, 1), (20, 0), (90, 0), (100, 1)):
        clock(start + timedelta(minutes=minutes))
        tried = 1 if minutes == 90 else 3  # there is room for one after an hour
        send_to(stack, anna, tried)
        assert notices.tell_of_stopped_senders() == told, minutes
    to_owner, to_staff, *_later = mail.outbox
    assert (to_owner.to, to_staff.to) == ([anna], ["staff@panel.example"])
    assert "https://panel.example/account/" in to_owner.body
    assert to_staff.subject == f"Sending stopped: {anna}"
    assert "wrote to 1 recipients within an hour" in to_staff.body


def test_a_mailbox_that_was_deleted_takes_its_counts_with_it(stack: Stack, sender_of: Callable[..., str]) -> None:
    anna = sender_of("anna", per_hour=1)
    send_to(stack, anna, 2)
    services.delete_mailbox(Mailbox.objects.get(address=anna), now=database_now(), actor=None)
    Mailbox.objects.get(address=anna).delete()
    assert not SendingCount.objects.exists()
    assert not SendingStop.objects.exists()


def test_one_client_cannot_come_again_and_again(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.mailbox("anna")
    with stack.postfix_with(smtpd_client_event_limit_exceptions="127.0.0.1", smtpd_client_message_rate_limit="3"):
        said = []
        for _number in range(5):
            try:
                stack.send(sender, anna)
                said.append("250")
            except smtplib.SMTPException as refused:
                said.append(str(getattr(refused, "smtp_code", "")))
        assert said == ["250", "250", "250", "450", "450"]


@pytest.fixture
def postscreen(stack: Stack) -> Iterator[None]:
    """The same Postfix with its port 25 behind postscreen."""
    files = [stack.config / name for name in ("main.cf", "master.cf")]
    before = [file.read_text() for file in files]
    stack.configure_postfix("--postscreen", "--dnsbl=bl.invalid*2")
    stack.set_postfix(postscreen_greet_wait="2s")
    stack.restart_postfix()
    yield
    for file, text in zip(files, before, strict=True):
        file.write_text(text)
    stack.restart_postfix()


@pytest.mark.usefixtures("postscreen")
def test_behind_postscreen_who_waits_gets_through_and_who_does_not_is_refused(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    anna = hosting.mailbox("anna")
    since = stack.log_length()
    with socket.create_connection(("127.0.0.1", stack.smtp_port), timeout=30, source_address=("127.0.0.3", 0)) as bot:
        bot.sendall(f"EHLO bot\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<{anna}>\r\nQUIT\r\n".encode())
        said = b""
        while part := bot.recv(4096):
            said += part
    assert b"\r\n550 5.5.1 " in said or b"\r\n521 5.5.1 " in said, said
    assert "PREGREET" in stack.log(since)
    stack.send(sender, anna, client=STRANGER)
    stack.wait_until_stored(anna)
    assert f"PASS NEW [{STRANGER}]" in stack.log(since)
