"""The database is the one part that mail waits for: away, the sender is told to come again."""

import os
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mta.conftest import Hosting, database_of, running_stack
from tests.mta.stack import Stack, until
from webmail_panel import embedded

ANNA = "anna@firma.example"
# Postfix stays away for a minute from a database that did not answer.
SECONDS_UNTIL_POSTFIX_ASKS_AGAIN = 70


class OwnPostgres:
    """A database server that nobody else uses, to be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()

    def start(self) -> None:
        self.server = embedded.start_postgres(self._folder, durable=False)

    def stop(self) -> None:
        self.server.stop()


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    server = OwnPostgres(Path(os.environ["PANEL_TESTS_VAR_DIR"]) / "mta-postgres")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def stack_of_its_own(postgres: OwnPostgres, django_db_blocker: Any) -> Iterator[Stack]:
    """A panel on that server; anna@firma.example is away."""
    with running_stack("mta_own", postgres.server.url()) as stack:
        with database_of(stack, django_db_blocker):
            Hosting("firma.example").away("anna")
        yield stack


def test_a_restart_of_the_database_refuses_nobody(stack_of_its_own: Stack, postgres: OwnPostgres) -> None:
    """Connections that died meanwhile are made anew within the same question."""
    stack = stack_of_its_own
    stack.send("adam@klient.example", ANNA)
    stack.sink.wait_for("adam@klient.example")
    postgres.stop()
    postgres.start()
    assert stack.send("ewa@klient.example", ANNA) == {}
    stack.wait_until_stored(ANNA, 2)
    stack.flush()
    stack.sink.wait_for("ewa@klient.example")


def test_with_the_database_down_the_sender_comes_again_and_nothing_is_lost(
    stack_of_its_own: Stack, postgres: OwnPostgres
) -> None:
    stack, sender = stack_of_its_own, "jan@klient.example"
    stored = len(stack.stored(ANNA))
    postgres.stop()
    for _attempt in range(3):
        assert answer_to(stack, sender) == 451
    postgres.start()
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
