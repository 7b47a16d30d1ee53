"""The hook is killed again and again, the relay fails in every way: every sender gets a reply, and nobody a bounce.

A second reply is allowed in two cases, and they are counted: the relay kept a reply and its answer was lost, or the
hook was killed between the relay's answer and its own record. Nobody can tell these from a reply that was not sent.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from responders.models import Decision, PreviousResponse
from responders.services import database_now
from tests.mta.conftest import Hosting
from tests.mta.faulty_relay import REFUSED, FaultyRelay
from tests.mta.stack import Stack, message, until

# `make soak` asks for more.
MESSAGES = int(os.environ.get("SOAK_MESSAGES", "80"))
KILLS = int(os.environ.get("SOAK_KILLS", "4"))
SEED = int(os.environ.get("SOAK_SEED", "20261224"))
PATIENCE = 60 + MESSAGES / 2  # seconds


@pytest.fixture
def relay(stack: Stack) -> Iterator[FaultyRelay]:
    relay = FaultyRelay(stack.reply_port, SEED)
    stack.stop_hook()
    with stack.hook_with(RELAY_URL=relay.url):
        yield relay
    relay.stop()


def test_every_sender_gets_a_reply_whatever_dies(stack: Stack, hosting: Hosting, relay: FaultyRelay) -> None:
    anna = hosting.away("anna")
    people = [f"jan{number}@{hosting.domain}.klient.example" for number in range(MESSAGES)]
    refused = [f"{REFUSED}{number}@{hosting.domain}.klient.example" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(stack.send, sender, anna, message(sender, anna)) for sender in people + refused]
        cut_short = [one for _kill in range(KILLS) for one in _kill_hook(stack, relay)]
    assert [one.result() for one in sent] == [{}] * len(sent)  # nobody was refused, whatever the hook did
    relay.is_faulty = False
    until(lambda: _is_over(stack, people), "a reply for everybody and an empty queue", PATIENCE)

    stack.wait_until_stored(anna, len(sent))
    replies = {sender: len(stack.sink.mail_for(sender)) for sender in people}
    twice = {sender for sender, count in replies.items() if count > 1}
    print(f"{len(people)} senders, {len(twice)} twice: {len(relay.lost_answers)} answers of the relay were lost,"
          f" {len(set(cut_short))} records were cut short by {KILLS} kills")  # fmt: skip
    assert min(replies.values()) == 1
    assert twice <= relay.lost_answers | set(cut_short)
    assert all(letter.reverse_path == "" for sender in people for letter in stack.sink.mail_for(sender))
    assert [letter.message["Auto-Submitted"] for sender in people for letter in stack.sink.mail_for(sender)] == [
        "auto-replied"
    ] * sum(replies.values())
    assert [stack.sink.mail_for(sender) for sender in refused] == [[]] * len(refused)
    reasons = Decision.objects.filter(reverse_path__startswith=REFUSED).values_list("reason", flat=True)
    assert set(reasons) == {"refused"}


def _kill_hook(stack: Stack, relay: FaultyRelay) -> list[str]:
    """Kill it while it works; the senders whose reply the relay had and whose record was not made."""
    time.sleep(1.5)
    stack.kill_hook()
    open_claims = PreviousResponse.objects.filter(state="claimed").values_list("reverse_path_key", flat=True)
    cut_short = [sender for sender in open_claims if relay.passed_on[sender]]
    stack.start_hook()
    return cut_short


def _is_over(stack: Stack, people: list[str]) -> bool:
    """Ten minutes pass for claims that nobody holds any more; then their copies pass."""
    PreviousResponse.objects.filter(state="claimed").update(lease_until=database_now())
    stack.flush()
    return not stack.queue() and all(stack.sink.mail_for(sender) for sender in people)
