"""The database is the one part that mail waits for: away, the sender is told to come again."""

import imaplib
import smtplib
import time
from collections.abc import Callable, Iterator

import pytest

from tests.mta.conftest import PASSWORD, Hosting, OwnPostgres
from tests.mta.stack import Stack, message, until
from tests.mta.test_who_may_send_what import submission

ANNA = "anna@firma.example"
# Postfix stays away for a minute from a database that did not answer.
SECONDS_UNTIL_POSTFIX_ASKS_AGAIN = 240


@pytest.fixture(autouse=True)
def anna(own_stack: Stack, own_hosting: Hosting) -> Iterator[None]:
    """She is away."""
    own_hosting.domain = "firma.example"
    own_hosting.away("anna")
    with own_stack.nobody_tells_dovecot():
        yield


def test_a_restart_of_the_database_refuses_nobody(own_stack: Stack, own_postgres: OwnPostgres) -> None:
    """Connections that died meanwhile are made anew within the same question."""
    stack = own_stack
    stack.forget_databases_that_went()
    stack.send("adam@klient.example", ANNA)
    stack.sink.wait_for("adam@klient.example")
    own_postgres.stop()
    own_postgres.start()
    assert stack.send("ewa@klient.example", ANNA) == {}
    stack.wait_until_stored(ANNA, 2)
    stack.flush()
    stack.sink.wait_for("ewa@klient.example")


def test_with_the_database_down_the_sender_comes_again_and_nothing_is_lost(
    own_stack: Stack, own_postgres: OwnPostgres
) -> None:
    stack, sender = own_stack, "jan@klient.example"
    stored = len(stack.stored(ANNA))
    own_postgres.stop()
    for _attempt in range(3):
        assert answer_to(stack, sender) == 451
    own_postgres.start()
    until(lambda: answer_to(stack, sender) == 250, "the message is taken", SECONDS_UNTIL_POSTFIX_ASKS_AGAIN)
    stack.wait_until_stored(ANNA, stored + 1)
    stack.sink.wait_for(sender)
    stack.wait_for_empty_queue()
    assert len(stack.stored(ANNA)) == stored + 1
    assert len(stack.sink.mail_for(sender)) == 1


@pytest.fixture
def stopped(own_postgres: OwnPostgres) -> Iterator[Callable[[], None]]:
    """Stops the database; afterwards it is there again, whatever happened."""
    yield own_postgres.stop
    if own_postgres.server.process is None or own_postgres.server.process.poll() is not None:
        own_postgres.start()


def test_who_signs_in_to_send_is_told_to_come_again_and_never_that_the_password_is_wrong(
    own_stack: Stack, own_hosting: Hosting, own_postgres: OwnPostgres, stopped: Callable[[], None]
) -> None:
    """Before signing in and after it; a mail program that hears 535 asks its owner for another password."""
    stack, ewa, customer = own_stack, own_hosting.mailbox("ewa", password=PASSWORD), "klient@klient.example"
    until(lambda: sends(stack, ewa, customer), "the first letter is taken", SECONDS_UNTIL_POSTFIX_ASKS_AGAIN)
    with submission(stack, ewa) as signed_in:
        stopped()
        with pytest.raises(smtplib.SMTPConnectError) as refused:
            submission(stack, ewa)
        assert refused.value.smtp_code == 451
        signed_in.mail(ewa)
        assert signed_in.rcpt(customer)[0] == 451
    own_postgres.start()
    until(lambda: sends(stack, ewa, customer), "the letter is taken", SECONDS_UNTIL_POSTFIX_ASKS_AGAIN)
    assert [one.reverse_path for one in stack.sink.wait_for(customer, 2)] == [ewa, ewa]


def sends(stack: Stack, address: str, to: str) -> bool:
    """Whether it was taken; nobody is refused for good."""
    try:
        with submission(stack, address) as smtp:
            return smtp.sendmail(address, [to], message(address, to).as_bytes()) == {}
    except smtplib.SMTPRecipientsRefused as refused:
        code = refused.recipients[to][0]
    except smtplib.SMTPResponseException as refused:
        code = refused.smtp_code
    assert 400 <= code < 500
    return False


def answer_to(stack: Stack, sender: str) -> int:
    """Send a message as the sender's server would, and return the reply code to its recipient."""
    try:
        stack.send(sender, ANNA)
    except smtplib.SMTPRecipientsRefused as refused:
        return refused.recipients[ANNA][0]
    return 250


def answer_to_sign_in(stack: Stack, address: str, password: str) -> str:
    """What IMAP says. Dovecot's own driver would let us wait for a minute at least."""
    with imaplib.IMAP4("127.0.0.1", stack.imap_port, timeout=55) as imap:
        imap.starttls()
        try:
            return imap.login(address, password)[0]
        except imaplib.IMAP4.error as error:
            return str(error)


def test_who_signed_in_before_reads_mail_and_others_are_told_at_once_that_it_is_temporary(
    own_stack: Stack, own_hosting: Hosting, own_postgres: OwnPostgres, stopped: Callable[[], None]
) -> None:
    stack = own_stack
    ewa, adam = (own_hosting.mailbox(name, password=PASSWORD) for name in ("ewa", "adam"))
    wrong = "a password of nobody"
    assert answer_to_sign_in(stack, ewa, PASSWORD) == "OK"
    assert "AUTHENTICATIONFAILED" in answer_to_sign_in(stack, ewa, wrong)
    assert answer_to_sign_in(stack, ewa, PASSWORD) == "OK"
    time.sleep(3)  # the time in which Dovecot believes what it was told without asking
    stopped()
    for _time in range(2):
        with stack.imap(ewa, PASSWORD) as imap:
            assert imap.select("INBOX")[0] == "OK"
        for address, password in ((ewa, wrong), (adam, PASSWORD), ("nobody@firma.example", wrong)):
            assert "UNAVAILABLE" in answer_to_sign_in(stack, address, password)
    own_postgres.start()
    until(lambda: answer_to_sign_in(stack, adam, PASSWORD) == "OK", "he signs in")
    until(lambda: "AUTHENTICATIONFAILED" in answer_to_sign_in(stack, ewa, wrong), "a wrong one is wrong")


def test_a_name_that_means_harm_finds_nobody_and_breaks_nothing(own_stack: Stack, own_hosting: Hosting) -> None:
    ewa = own_hosting.mailbox("ewa", password=PASSWORD)
    for name in (
        "x' OR '1'='1",
        f"{ewa}' --",
        "%s%d%n",
        "ewa\\' OR 1=1 --",
        '"ewa',
        "a" * 300,
        "[[;]]",
        "ewa@firma.example'||'",
    ):
        with imaplib.IMAP4("127.0.0.1", own_stack.imap_port, timeout=55) as imap:
            imap.starttls()
            with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
                imap.authenticate("PLAIN", lambda _said, name=name: f"\0{name}\0{PASSWORD}".encode())
    assert answer_to_sign_in(own_stack, ewa, PASSWORD) == "OK"
