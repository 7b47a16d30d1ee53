"""Hook, database and Redis die again and again, the relay fails in every way: everybody gets a reply, nobody a bounce.

A second reply is allowed in two cases, and they are counted: the relay kept a reply and its answer was lost, or the
hook was killed between the relay's answer and its own record. Nobody can tell these from a reply that was not sent.
"""

import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from django.db import connection

from mailboxes.models import Domain, Mailbox
from responders.core.schedule import to_local
from responders.models import Decision, PreviousResponse
from responders.services import database_now
from tests.mta.conftest import Hosting, OwnPostgres
from tests.mta.faulty_relay import REFUSED, FaultyRelay
from tests.mta.stack import ROOT, Stack, message, until
from webmail_panel import embedded

# `make soak` asks for more.
MESSAGES = int(os.environ.get("SOAK_MESSAGES", "80"))
KILLS = int(os.environ.get("SOAK_KILLS", "4"))
SEED = int(os.environ.get("SOAK_SEED", "20261224"))
PATIENCE = 120 + MESSAGES / 2  # seconds; Postfix stays away for one minute from a database that did not answer


class Worker:
    """Celery's worker with beat, on a Redis of its own."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._folder = folder
        self._redis = embedded.start_redis(folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "celery", "--app=webmail_panel", "--quiet", "worker", "--beat", "--concurrency=1",
             "--without-gossip", "--without-mingle"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": stack.database_url, "REDIS_URL": self._redis.url,
                              "CELERY_BROKER_URL": self._redis.broker_url, "VAR_DIR": str(folder)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def restart_redis(self) -> None:
        """Killed with all it held, and started empty."""
        self._redis.process.kill()
        self._redis.process.wait(60)
        self._redis = embedded.start_redis(self._folder)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._redis.stop()


@pytest.fixture
def relay(own_stack: Stack) -> Iterator[FaultyRelay]:
    relay = FaultyRelay(own_stack.reply_port, SEED)
    own_stack.stop_hook()
    with own_stack.hook_with(RELAY_URL=relay.url):
        yield relay
    relay.stop()


@pytest.fixture
def worker(own_stack: Stack, own_hosting: Hosting, tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(own_stack, tmp_path / "worker")
    yield worker
    worker.stop()


def test_every_sender_gets_a_reply_whatever_dies(
    own_stack: Stack, own_hosting: Hosting, own_postgres: OwnPostgres, relay: FaultyRelay, worker: Worker
) -> None:
    stack, hosting = own_stack, own_hosting
    anna, short = hosting.away("anna"), hosting.mailbox("krotko")
    for model in (Mailbox, Domain):
        model.objects.update(replies_per_hour=0)  # the brake is not what is tried here
    people = [f"jan{number}@{hosting.domain}.klient.example" for number in range(MESSAGES)]
    refused = [f"{REFUSED}{number}@{hosting.domain}.klient.example" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(_send_until_taken, stack, sender, anna) for sender in people + refused]
        cut_short = [one for number in range(KILLS) for one in _kill(number, stack, own_postgres, relay, worker)]
    refusals = [one.result() for one in sent]
    relay.is_faulty = False
    soon = to_local(database_now() + timedelta(seconds=5), "Europe/Warsaw")
    absence = hosting.responder(short, type="absence", to_date=soon)
    try:
        until(lambda: _is_over(stack, people), "a reply for everybody and an empty queue", PATIENCE)
    finally:
        waiting = [sender for sender in people if not stack.sink.mail_for(sender)]
        reasons = Decision.objects.filter(reverse_path__in=waiting).values_list("reverse_path", "reason")
        print(f"in the queue: {stack.queue()[:3]}; without a reply: {waiting[:10]}; decided: {list(reasons)[:20]}")

    stack.wait_until_stored(anna, len(sent))
    replies = {sender: len(stack.sink.mail_for(sender)) for sender in people}
    twice = {sender for sender, count in replies.items() if count > 1}
    print(f"{len(people)} senders, {len(twice)} twice: {len(relay.lost_answers)} answers of the relay were lost,"
          f" {len(set(cut_short))} records were cut short by {KILLS} kills;"
          f" {sum(refusals)} times a sender was told to come again")  # fmt: skip
    assert min(replies.values()) == 1
    assert twice <= relay.lost_answers | set(cut_short)
    assert len(stack.stored(anna)) == len(sent)
    assert all(letter.reverse_path == "" for sender in people for letter in stack.sink.mail_for(sender))
    assert [letter.message["Auto-Submitted"] for sender in people for letter in stack.sink.mail_for(sender)] == [
        "auto-replied"
    ] * sum(replies.values())
    assert [stack.sink.mail_for(sender) for sender in refused] == [[]] * len(refused)
    reasons = Decision.objects.filter(reverse_path__startswith=REFUSED).values_list("reason", flat=True)
    assert set(reasons) == {"refused"}
    # The worker outlived them too: the stored state follows the clock again.
    until(lambda: type(absence).objects.get(pk=absence.pk).state == "ended", "the worker at work")


def _send_until_taken(stack: Stack, sender: str, recipient: str) -> int:
    """Send a message as the sender's server would, again after each 4xx; how often it was told to come again."""
    content, refusals = message(sender, recipient), 0
    while True:
        code = _answer(stack, sender, recipient, content)
        if code == 250:
            return refusals
        assert 400 <= code < 500
        refusals += 1
        time.sleep(1)


def _answer(stack: Stack, sender: str, recipient: str, content: EmailMessage) -> int:
    try:
        stack.send(sender, recipient, content)
    except smtplib.SMTPRecipientsRefused as error:
        return error.recipients[recipient][0]
    except smtplib.SMTPDataError as error:
        return error.smtp_code
    return 250


def _kill(number: int, stack: Stack, postgres: OwnPostgres, relay: FaultyRelay, worker: Worker) -> list[str]:
    """Kill the hook while it works, every fourth time the database and Redis with it.

    The senders whose reply the relay had and whose record was not made. A database that crashed may have forgotten the
    claim, too: claims are written to the disk a little later (responders/hook/ledger/claiming.py).
    """
    time.sleep(1.5)
    if number % 4 == 1:
        postgres.crash()
        worker.restart_redis()
    stack.kill_hook()
    if number % 4 == 1:
        postgres.start()
        connection.close()
    time.sleep(0.3)  # what the relay passes on just now
    recorded = set(PreviousResponse.objects.exclude(state="claimed").values_list("reverse_path_key", flat=True))
    cut_short = [sender for sender, replies in list(relay.passed_on.items()) if replies and sender not in recorded]
    stack.start_hook()
    return cut_short


def _is_over(stack: Stack, people: list[str]) -> bool:
    """Ten minutes pass for claims that nobody holds any more; then their copies pass."""
    PreviousResponse.objects.filter(state="claimed").update(lease_until=database_now())
    stack.flush()
    return not stack.queue() and all(stack.sink.mail_for(sender) for sender in people)
