"""The database is the one part that mail waits for: away, the sender is told to come again."""

import smtplib

import pytest

from tests.mta.conftest import Hosting, OwnPostgres
from tests.mta.stack import Stack, until

ANNA = "anna@firma.example"
# Postfix stays away for a minute from a database that did not answer.
SECONDS_UNTIL_POSTFIX_ASKS_AGAIN = 120


@pytest.fixture(autouse=True)
def anna(own_hosting: Hosting) -> None:
    """She is away."""
    own_hosting.domain = "firma.example"
    own_hosting.away("anna")


def test_a_restart_of_the_database_refuses_nobody(own_stack: Stack, own_postgres: OwnPostgres) -> None:
    """Connections that died meanwhile are made anew within the same question."""
    stack = own_stack
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


def answer_to(stack: Stack, sender: str) -> int:
    """Send a message as the sender's server would, and return the reply code to its recipient."""
    try:
        stack.send(sender, ANNA)
    except smtplib.SMTPRecipientsRefused as refused:
        return refused.recipients[ANNA][0]
    return 250
