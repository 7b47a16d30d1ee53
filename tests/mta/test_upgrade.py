"""While mail keeps coming: an upgrade as docs/operate/upgrade.md says, and hooks on several hosts. Nothing is lost."""

import re
import smtplib
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psycopg

from tests.mta.conftest import Hosting
from tests.mta.stack import Stack, until


def senders_of(hosting: Hosting, count: int) -> list[str]:
    return [f"klient{number}@klient-{hosting.domain}" for number in range(count)]


def send_steadily(stack: Stack, senders: list[str], to: str) -> Future[None]:
    """One message of each, ten a second; a sender told to come again (4xx) does."""

    def run() -> None:
        for sender in senders:
            until(lambda sender=sender: is_taken(stack, sender, to), f"the message of {sender} is taken", 60)
            time.sleep(0.1)

    return ThreadPoolExecutor(1).submit(run)


def is_taken(stack: Stack, sender: str, to: str) -> bool:
    try:
        return stack.send(sender, to) == {}
    except smtplib.SMTPRecipientsRefused as refused:
        if refused.recipients[to][0] >= 500:
            raise
        return False


def assert_each_was_stored_and_answered_once(stack: Stack, senders: list[str], to: str) -> None:
    stack.wait_until_stored(to, len(senders), seconds=60)
    for sender in senders:
        stack.sink.wait_for(sender, seconds=60)
    stack.wait_for_empty_queue(60)
    assert len(stack.stored(to)) == len(senders)
    assert {sender: len(stack.sink.mail_for(sender)) for sender in senders} == dict.fromkeys(senders, 1)


def test_an_upgrade_loses_neither_a_letter_nor_a_reply(stack: Stack, hosting: Hosting) -> None:
    anna, senders = hosting.away("anna"), senders_of(hosting, 40)
    sending = send_steadily(stack, senders, anna)
    stack.sink.wait_for(senders[0])
    stack.stop_hook()
    change_tables_for(stack, seconds=3)
    stack.manage("migrate", "--verbosity=0")
    stack.reload_postfix()
    until(lambda: len(stack.queue()) > 0, "a copy waits for the hook")
    stack.start_hook()
    sending.result(180)
    stack.flush()
    assert_each_was_stored_and_answered_once(stack, senders, anna)


def change_tables_for(stack: Stack, seconds: float) -> None:
    """What a migration does at its worst: nobody reads the tables meanwhile."""
    with psycopg.connect(stack.database_url) as migration:
        migration.execute(
            "LOCK TABLE mailboxes_mailbox, mailboxes_domain, responders_responder IN ACCESS EXCLUSIVE MODE"
        )
        time.sleep(seconds)


def test_with_one_of_two_hooks_dead_the_other_answers_at_once(stack: Stack, hosting: Hosting, tmp_path: Path) -> None:
    """As with hooks on two hosts: the first of the list is dead, Postfix goes on to the next."""
    anna, senders = hosting.away("anna"), senders_of(hosting, 5)
    dead = stack.free_address()
    hooks = [f"--hook={dead}", f"--hook=127.0.0.1:{stack.hook_port}"]
    stack.manage("mailconfig", "postfix", f"--output={tmp_path}", *hooks)
    (line,) = re.findall(r"^transport_maps = (.*)$", (tmp_path / "main.cf").read_text(), re.MULTILINE)
    with stack.postfix_with(transport_maps=line):
        for sender in senders:
            stack.send(sender, anna)
        assert_each_was_stored_and_answered_once(stack, senders, anna)
    assert f"connect to 127.0.0.1[127.0.0.1]:{dead.rpartition(':')[2]}: Connection refused" in stack.log()
