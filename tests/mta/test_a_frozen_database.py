"""A database that is frozen, not dead, as on a host whose disk hangs: it takes connections and answers nothing."""

import smtplib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.mta.conftest import PASSWORD, Hosting, OwnPostgres
from tests.mta.stack import Stack, until
from tests.mta.test_doctor import Doctor
from tests.mta.test_the_database_away import SECONDS_UNTIL_POSTFIX_ASKS_AGAIN, answer_to, answer_to_sign_in

ANNA = "anna@firma.example"


@pytest.fixture(autouse=True)
def anna(own_stack: Stack, own_hosting: Hosting) -> Iterator[None]:
    """She is away; what Postfix remembers of a database that was away is forgotten."""
    own_stack.forget_databases_that_went()
    own_hosting.domain = "firma.example"
    own_hosting.away("anna")
    with own_stack.nobody_tells_dovecot():
        yield
    own_stack.forget_databases_that_went()


def test_who_signed_in_before_reads_mail_and_others_are_told_soon_that_it_is_temporary(
    own_stack: Stack, own_hosting: Hosting, own_postgres: OwnPostgres
) -> None:
    """The client of this test waits for less than the minute that Dovecot waits for a question that hangs."""
    stack = own_stack
    hanna, igor = (own_hosting.mailbox(name, password=PASSWORD) for name in ("hanna", "igor"))
    assert answer_to_sign_in(stack, hanna, PASSWORD) == "OK"
    time.sleep(4)  # the connection has rested
    with own_postgres.frozen():
        for _time in range(2):
            assert answer_to_sign_in(stack, hanna, PASSWORD) == "OK"
            assert "UNAVAILABLE" in answer_to_sign_in(stack, igor, PASSWORD)
    until(lambda: answer_to_sign_in(stack, igor, PASSWORD) == "OK", "he signs in")


def test_a_dovecot_that_starts_meanwhile_lets_nobody_wait_for_a_minute_either(
    own_stack: Stack, own_hosting: Hosting, own_postgres: OwnPostgres
) -> None:
    """None of its processes has asked anything yet: neither for who signs in nor for where mail is."""
    stack, igor = own_stack, own_hosting.mailbox("igor", password=PASSWORD)
    with own_postgres.frozen():
        stack.restart_dovecot()
        assert "UNAVAILABLE" in answer_to_sign_in(stack, igor, PASSWORD)
        with smtplib.LMTP(str(stack.folder / "sockets" / "lmtp"), timeout=55) as lmtp:
            lmtp.ehlo()
            lmtp.mail("")
            assert lmtp.rcpt(igor)[0] == 451
    until(lambda: answer_to_sign_in(stack, igor, PASSWORD) == "OK", "he signs in")


def test_a_letter_that_comes_meanwhile_is_taken_and_answered_when_the_database_goes_on(
    own_stack: Stack, own_postgres: OwnPostgres
) -> None:
    stack, sender = own_stack, "zofia@klient.example"
    stored = len(stack.stored(ANNA))
    # Connections are open then. Dovecot leaves a database that let it wait alone for some seconds.
    until(lambda: is_taken(stack, "olga@klient.example"), "the first letter is taken", SECONDS_UNTIL_POSTFIX_ASKS_AGAIN)
    stack.wait_until_stored(ANNA, stored + 1)
    with ThreadPoolExecutor(1) as client:
        with own_postgres.frozen():
            sent = client.submit(is_taken, stack, sender)
            time.sleep(5)
        taken = sent.result()
    if not taken:
        until(lambda: is_taken(stack, sender), "the letter is taken", SECONDS_UNTIL_POSTFIX_ASKS_AGAIN)
    stack.wait_until_stored(ANNA, stored + 2)
    stack.sink.wait_for(sender)
    stack.wait_for_empty_queue()
    assert len(stack.sink.mail_for(sender)) == 1


def is_taken(stack: Stack, sender: str) -> bool:
    """Nobody is refused for good."""
    code = answer_to(stack, sender)
    assert code in {250, 450, 451}  # Postfix says 450 where Dovecot does not know of the space
    return code == 250


def test_the_doctor_says_so_and_comes_to_an_end(own_stack: Stack, own_postgres: OwnPostgres, tmp_path: Path) -> None:
    doctor = Doctor(own_stack, {"VAR_DIR": str(tmp_path)})
    with own_postgres.frozen():
        report = doctor()
    assert report.code == 1
    assert {"database", "hook", "map domains", "map aliases"} <= report.failed
    assert (report["migrations"], report["clock"], report["dovecot"]) == ("unknown", "unknown", "unknown")
