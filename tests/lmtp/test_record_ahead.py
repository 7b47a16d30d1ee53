"""A message that is alone: its record is done while the relay takes the reply, and kept only when the relay has it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from responders.hook import connection as database
from responders.hook import pipeline
from responders.hook.ledger.claiming import Claim
from responders.hook.ledger.recording import Record
from responders.models import Decision, PreviousResponse, Responder
from tests.lmtp.parts import Hook, Relay, copy, message, wait_for

Reasons = Callable[[], list[str]]
DECIDED, NOT_NOW = "250 2.0.0 Decided", "451 4.3.0 Not now, come again"
WRITERS = """
SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE c.relname LIKE 'responders_decision%' AND l.mode = 'RowExclusiveLock'
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class RelayThatThinks(Relay):
    """Has the whole reply, and answers when told to."""

    def forget(self) -> None:
        super().forget()
        self.has_one, self.may_answer = threading.Event(), threading.Event()

    async def handle_DATA(self, server, session, envelope) -> str:
        self.has_one.set()
        await server.loop.run_in_executor(None, self.may_answer.wait, 120)
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
def relay() -> Iterator[RelayThatThinks]:
    relay = RelayThatThinks()
    yield relay
    relay.may_answer.set()
    relay.stop()


@pytest.fixture
def own_hook(relay: RelayThatThinks, db: None) -> Iterator[Hook]:
    hook = Hook(relay.url)
    yield hook
    hook.stop()


@pytest.fixture
def delivers(own_hook: Hook, relay: RelayThatThinks) -> Iterator[Callable[..., Any]]:
    """Delivers in the background; `.result()` is the reply."""
    with ThreadPoolExecutor(5) as pool:
        yield lambda *arguments, **names: pool.submit(lambda: own_hook.deliver(*arguments, **names)[0])
        relay.may_answer.set()


@pytest.fixture
def long_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "HELD_SECONDS", 120)


def writers() -> int:
    """Connections that have written a decision and neither committed it nor rolled it back."""
    with connection.cursor() as cursor:
        cursor.execute(WRITERS)
        return len(cursor.fetchall())


def test_it_is_done_before_the_relay_answers_and_seen_afterwards(
    delivers: Callable[..., Any], relay: RelayThatThinks, standing_reply: Responder, decisions: Reasons,
    long_patience: None,
) -> None:  # fmt: skip
    reply = delivers(message())
    assert relay.has_one.wait(120)
    assert wait_for(lambda: writers() == 1)
    assert (decisions(), PreviousResponse.objects.get().state) == ([], "claimed")
    relay.may_answer.set()
    assert reply.result(120) == DECIDED
    assert (decisions(), PreviousResponse.objects.get().state, writers()) == (["replied"], "replied", 0)


def test_a_relay_that_takes_its_time_leaves_the_connection_to_others(
    delivers: Callable[..., Any], relay: RelayThatThinks, standing_reply: Responder, decisions: Reasons,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(database, "HELD_SECONDS", 0.01)
    reply = delivers(message())
    assert relay.has_one.wait(120)
    assert wait_for(lambda: writers() == 0)
    relay.may_answer.set()
    assert reply.result(120) == DECIDED
    assert (decisions(), PreviousResponse.objects.get().state) == (["replied"], "replied")
    assert len(relay.contents) == 1


@pytest.mark.parametrize(
    ("answer", "said", "reasons", "state"),
    [("451 4.3.0 Later", NOT_NOW, [], "claimed"), ("550 5.1.1 No such user", DECIDED, ["refused"], "refused")],
)
def test_what_the_relay_did_not_take_was_not_answered(
    answer: str, said: str, reasons: list[str], state: str, delivers: Callable[..., Any], relay: RelayThatThinks,
    standing_reply: Responder, decisions: Reasons, long_patience: None,
) -> None:  # fmt: skip
    relay.answer_to_content = answer
    reply = delivers(message())
    assert wait_for(lambda: writers() == 1)
    relay.may_answer.set()
    assert reply.result(120) == said
    assert (decisions(), PreviousResponse.objects.get().state, writers()) == (reasons, state, 0)


def test_a_lost_claim_leaves_no_record(
    own_hook: Hook, relay: RelayThatThinks, standing_reply: Responder, decisions: Reasons,
    monkeypatch: pytest.MonkeyPatch, long_patience: None,
) -> None:  # fmt: skip
    claim = own_hook.ledger.claim

    async def switch_off_first(*wanted: object) -> object:
        await own_hook.ledger._database.run("UPDATE responders_responder SET is_enabled = false")
        return await claim(*wanted)

    monkeypatch.setattr(own_hook.ledger, "claim", switch_off_first)
    assert own_hook.deliver(message()) == [DECIDED]
    assert (decisions(), relay.contents, writers()) == (["inactive"], [], 0)


def test_a_reply_that_cannot_be_composed_leaves_the_error_alone(
    own_hook: Hook, standing_reply: Responder, decisions: Reasons, monkeypatch: pytest.MonkeyPatch, long_patience: None
) -> None:
    def fail(*arguments: object) -> object:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(pipeline, "render", fail)
    assert own_hook.deliver(message()) == ["250 2.0.0 Kept for the operator"]
    assert (decisions(), PreviousResponse.objects.count(), writers()) == (["error"], 0, 0)


def test_who_comes_meanwhile_does_not_wait_for_it(
    delivers: Callable[..., Any], relay: RelayThatThinks, standing_reply: Responder, decisions: Reasons,
    long_patience: None,
) -> None:  # fmt: skip
    first = delivers(message())
    assert wait_for(lambda: writers() == 1)
    others = [delivers(message(extra="List-Id: <x.example>\r\n"), sender=f"s{n}@inny.example") for n in range(3)]
    assert [other.result(60) for other in others] == [DECIDED] * 3
    assert decisions() == ["list-or-bulk"] * 3
    # The same sender meanwhile: claims wait for each other in the database, and there is one reply.
    again = delivers(message())
    relay.may_answer.set()
    assert [first.result(120), again.result(120)] == [DECIDED] * 2
    assert sorted(decisions()) == ["already-replied", *["list-or-bulk"] * 3, "replied"]
    assert len(relay.contents) == 1


def test_the_database_goes_while_the_relay_thinks(
    delivers: Callable[..., Any], relay: RelayThatThinks, standing_reply: Responder, decisions: Reasons,
    long_patience: None,
) -> None:  # fmt: skip
    content = message()
    reply = delivers(content)
    assert wait_for(lambda: writers() == 1)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid) FROM ({WRITERS}) writers")
    assert wait_for(lambda: writers() == 0)
    relay.may_answer.set()
    assert (reply.result(120), decisions()) == (NOT_NOW, [])
    assert delivers(content).result(120) == DECIDED
    assert (decisions(), len(relay.contents)) == (["replied"], 1)
    assert Decision.objects.get().responder == standing_reply


def test_of_several_recipients_of_a_message_one_is_done_ahead(
    own_hook: Hook, relay: RelayThatThinks, standing_reply: Responder, decisions: Reasons, long_patience: None
) -> None:
    """The others share, and none waits for another's record."""
    relay.may_answer.set()
    domain, people = standing_reply.mailbox.domain, ["celina", "ola", "ewa", "iza"]
    for name in people:
        mailbox = type(standing_reply.mailbox).objects.create(domain=domain, local_part=name)
        Responder.objects.create(mailbox=mailbox, type="standing", subject="Auto", text_body=name)
    recipients = [copy(f"{name}@firma.example") for name in ("anna", *people)]
    others = f"Cc: {', '.join(f'{name}@firma.example' for name in people)}\r\n"
    for sender in ("a@x.example", "b@x.example"):  # looked up, and known
        assert own_hook.deliver(message(extra=others), *recipients, sender=sender) == [DECIDED] * 5
    assert (decisions(), len(relay.contents), writers()) == (["replied"] * 10, 10, 0)


def test_what_was_begun_for_an_earlier_try_is_left_alone(
    own_hook: Hook, relay: RelayThatThinks, standing_reply: Responder, decisions: Reasons, long_patience: None
) -> None:
    """A claim that was lost alone, and is won in company: its record goes over no connection of others."""
    relay.may_answer.set()
    claim = Claim(
        standing_reply.pk, "jan@nadawca.example", standing_reply.activation, standing_reply.text_revision, "Q"
    )
    record = Record("a@x.example", "a@x.example", "", "replied", "", (), "", "Q", claim=claim)

    async def scene() -> tuple[bool, bool]:
        ledger = own_hook.ledger
        await ledger._database.run("UPDATE responders_responder SET is_enabled = false")
        lost = await (await ledger.claim(claim))
        await ledger._database.run("UPDATE responders_responder SET is_enabled = true")
        ledger._metrics.deciding += 2
        won = await (await ledger.claim(claim))
        ledger.record_ahead(record)
        await ledger.record(record)
        ledger._metrics.deciding -= 2
        return lost, won

    assert own_hook.run(scene()) == (False, True)
    assert own_hook.deliver(message()) == [DECIDED]
    assert (decisions(), PreviousResponse.objects.get().state) == (["replied", "already-replied"], "replied")
