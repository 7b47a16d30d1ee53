"""The relay or the database in trouble, bugs of ours, and many copies at once: nothing lost, nothing doubled."""

import re
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

import pytest

from mailboxes.models import Alias
from responders.hook import connection as database
from responders.hook import pipeline
from responders.hook.ledger import claiming, loading, recording
from responders.management.commands.lmtpd import database_parameters
from responders.models import Decision, PreviousResponse, QuarantinedMessage, Responder
from tests.lmtp.parts import Hook, Relay, ScriptedRelay, Wire, copy, message, wait_for
from webmail_panel.embedded import free_port

Reasons = Callable[[], list[str]]
HookBehind = Callable[..., Hook]
DECIDED, NOT_NOW = "250 2.0.0 Decided", "451 4.3.0 Not now, come again"
HELLO = "250-relay.example\n250 PIPELINING"
ACCEPTING = ["220 relay.example", HELLO, "250 ok", "250 ok", "354 go ahead", "250 kept"]


@pytest.fixture
def hook_with(db: None) -> Iterator[HookBehind]:
    """Starts hooks of the test's own: with another relay, or another way to the database."""
    running: list[Hook] = []

    def start(relay_url: str, **options: object) -> Hook:
        running.append(Hook(relay_url, **options))
        return running[-1]

    yield start
    for hook in running:
        hook.stop()


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedRelay]]:
    running: list[ScriptedRelay] = []

    def start(*connections: list[str]) -> ScriptedRelay:
        running.append(ScriptedRelay(*connections))
        return running[-1]

    yield start
    for relay in running:
        relay.stop()


@pytest.fixture
def wire(django_db_setup: None) -> Iterator[Wire]:
    parameters = database_parameters()
    wire = Wire(str(Path(parameters["host"]) / f".s.PGSQL.{parameters['port']}"))
    yield wire
    wire.stop()


def through(wire: Wire) -> dict[str, object]:
    return database_parameters() | {"host": "127.0.0.1", "port": wire.port}


def _is_decided(hook: Hook, content: bytes) -> bool:
    return hook.deliver(content) == [DECIDED]


# --- The relay ---------------------------------------------------------------------------------------


def test_without_a_relay_the_copy_stays_and_is_answered_when_it_comes_again(
    hook_with: HookBehind, relay: Relay, standing_reply: Responder, decisions: Reasons
) -> None:
    content = message()
    assert hook_with(f"smtp://127.0.0.1:{free_port()}").deliver(content) == [NOT_NOW]
    assert PreviousResponse.objects.get().state == "claimed"
    assert decisions() == []

    assert hook_with(relay.url).deliver(content) == [DECIDED]
    assert len(relay.contents) == 1
    assert decisions() == ["replied"]


@pytest.mark.parametrize("where", ["answer_to_recipient", "answer_to_content"])
def test_a_relay_that_cannot_now_is_asked_again(
    where: str, hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons
) -> None:
    content = message()
    setattr(relay, where, "451 4.7.1 Greylisted")
    assert hook.deliver(content) == [NOT_NOW]
    setattr(relay, where, "")
    assert hook.deliver(content) == [DECIDED]
    assert (len(relay.contents), decisions()) == (1, ["replied"])


@pytest.mark.parametrize("where", ["answer_to_recipient", "answer_to_content"])
def test_a_reply_refused_for_good_is_a_decision_with_the_relays_words(
    where: str, hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons
) -> None:
    setattr(relay, where, "550 5.1.1 No such user")
    assert hook.deliver(message()) == [DECIDED]
    decision = Decision.objects.get()
    assert (decision.reason, decision.evidence) == ("refused", "550 5.1.1 No such user")
    assert decision.responder == standing_reply
    assert PreviousResponse.objects.get().state == "refused"

    setattr(relay, where, "")
    assert hook.deliver(message()) == [DECIDED]  # not tried again for every message
    assert (relay.contents, decisions()) == ([], ["refused", "already-replied"])


@pytest.mark.parametrize(
    "script",
    [
        ["554 relay.example no service"],
        ["220 relay.example", "502 5.5.1 no EHLO here"],
        ["not a mail server"],
        ["220 relay.example", HELLO, "451 4.3.0 later", "503 5.5.1 no sender", "503 5.5.1 no recipient"],
        ["220 relay.example", HELLO, "250 ok", "250 ok", "354 go ahead", ""],
        ["220 relay.example", HELLO, "250 ok", "250 ok", "354 go ahead", "421 4.3.2 shutting down"],
    ],
    ids=["greeting 5xx", "EHLO 5xx", "no SMTP", "sender 4xx", "hangs up after the content", "421 after the content"],
)
def test_trouble_of_the_relay_is_temporary(
    script: list[str], hook_with: HookBehind, scripted: Callable[..., ScriptedRelay], standing_reply: Responder
) -> None:
    hook = hook_with(scripted(script, ACCEPTING).url)
    content = message()
    assert hook.deliver(content) == [NOT_NOW]
    assert hook.deliver(content) == [DECIDED]


def test_a_kept_connection_that_died_is_replaced_at_once(
    hook_with: HookBehind, scripted: Callable[..., ScriptedRelay], standing_reply: Responder
) -> None:
    says_goodbye = [*ACCEPTING, "421 4.4.2 idle for too long"]
    relay = scripted(says_goodbye, ACCEPTING)
    hook = hook_with(relay.url)
    assert hook.deliver(message(), sender="a@nadawca.example") == [DECIDED]
    assert hook.deliver(message(), sender="b@nadawca.example") == [DECIDED]
    assert [line for line in relay.heard if line.startswith("RCPT")][-1] == "RCPT TO:<b@nadawca.example>"


def test_the_relay_is_spoken_to_as_it_offers(
    hook_with: HookBehind, scripted: Callable[..., ScriptedRelay], standing_reply: Responder
) -> None:
    hello = "250-relay.example\n250-PIPELINING\n250-SIZE 1000000\n250-DSN\n250-8BITMIME\n250 SMTPUTF8"
    relay = scripted([ACCEPTING[0], hello, *ACCEPTING[2:]])
    hook_with(relay.url).deliver(message(), sender="żółw@nadawca.example")
    assert relay.heard[0] == "EHLO panel.example"
    assert fnmatch(relay.heard[1], "MAIL FROM:<> SIZE=* SMTPUTF8 ENVID=*")
    assert relay.heard[2] == "RCPT TO:<żółw@nadawca.example> NOTIFY=NEVER"


def test_an_address_beyond_ascii_needs_a_relay_that_can(
    hook_with: HookBehind, scripted: Callable[..., ScriptedRelay], standing_reply: Responder
) -> None:
    hook = hook_with(scripted(ACCEPTING).url)
    assert hook.deliver(message(), sender="żółw@nadawca.example") == [DECIDED]
    decision = Decision.objects.get()
    assert decision.reason == "refused"
    assert "SMTPUTF8" in decision.evidence


# --- The database ------------------------------------------------------------------------------------


def test_without_a_database_the_copy_stays_and_is_answered_when_it_is_back(
    hook_with: HookBehind, relay: Relay, wire: Wire, standing_reply: Responder, decisions: Reasons
) -> None:
    hook = hook_with(relay.url, database=through(wire))
    assert hook.run(hook.ledger.is_ready())
    wire.cut()
    contents = [message(), message(extra="List-Id: <news.example>\r\n")]
    assert [hook.deliver(content) for content in contents] == [[NOT_NOW], [NOT_NOW]]
    assert not hook.run(hook.ledger.is_ready())

    wire.mend()
    assert wait_for(lambda: hook.run(hook.ledger.is_ready()))
    for content in contents:
        assert wait_for(partial(_is_decided, hook, content))
    assert decisions() == ["replied", "list-or-bulk"]


def test_a_database_that_went_and_came_back_unseen_costs_nothing(
    hook_with: HookBehind, relay: Relay, wire: Wire, standing_reply: Responder
) -> None:
    hook = hook_with(relay.url, database=through(wire))
    hook.deliver(message())
    wire.cut()
    wire.mend()
    assert hook.deliver(message(), sender="b@nadawca.example") == [DECIDED]


def test_with_a_frozen_database_the_copy_stays_and_is_answered_when_it_goes_on(
    hook_with: HookBehind, relay: Relay, wire: Wire, standing_reply: Responder, decisions: Reasons
) -> None:
    """Open connections wait for an answer that does not come, new ones for a greeting; the copy's client does not."""
    hook = hook_with(relay.url, database=through(wire))
    assert hook.run(hook.ledger.is_ready())
    wire.freeze()
    contents = [message(), message(extra="List-Id: <news.example>\r\n")]
    with ThreadPoolExecutor(2) as clients:
        assert list(clients.map(hook.deliver, contents)) == [[NOT_NOW], [NOT_NOW]]
    assert hook.deliver(message()) == [NOT_NOW]

    wire.thaw()
    for content in contents:
        assert wait_for(partial(_is_decided, hook, content))
    assert decisions() == ["replied", "list-or-bulk"]


def test_a_copy_hears_of_a_frozen_database_before_postfix_has_lost_patience() -> None:
    """At worst it waits for the statement of another that hangs, and then for a connection of its own."""
    master_cf = (Path(__file__).parents[2] / "deploy" / "postfix" / "master.cf").read_text()
    [patience] = re.findall(r"lmtp_data_done_timeout=(\d+)s", master_cf)
    assert int(patience) > database.STATEMENT_SECONDS + database.CONNECT_SECONDS


@pytest.mark.parametrize("forgot_the_claim", [False, True])
def test_a_reply_that_could_not_be_recorded_is_not_sent_again(
    hook_with: HookBehind, relay: Relay, wire: Wire, standing_reply: Responder, decisions: Reasons,
    monkeypatch: pytest.MonkeyPatch, *, forgot_the_claim: bool,
) -> None:  # fmt: skip
    """Nor if the database crashed: a claim alone does not wait for the disk."""
    hook = hook_with(relay.url, database=through(wire))
    submit = hook.relay.submit

    async def submit_and_lose_the_database(*arguments: object) -> None:
        await submit(*arguments)
        await wire.cut_from_elsewhere()

    monkeypatch.setattr(hook.relay, "submit", submit_and_lose_the_database)
    content = message()
    assert hook.deliver(content) == [NOT_NOW]
    assert len(relay.contents) == 1

    if forgot_the_claim:
        assert PreviousResponse.objects.all().delete()[0] == 1
    wire.mend()
    assert wait_for(partial(_is_decided, hook, content))
    assert (len(relay.contents), decisions()) == (1, ["replied"])
    assert PreviousResponse.objects.get().state == "replied"


def test_a_copy_whose_answer_was_cut_short_passes_when_its_lease_has_run_out(
    hook: Hook, relay: Relay, standing_reply: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "LOOK_AGAIN", (0.0, 0.0))
    content = message(queue_id="4CRASHED")
    hook.deliver(content)
    PreviousResponse.objects.update(state="claimed", replied_at=None)  # as a crash before the record leaves it
    assert hook.deliver(content) == [NOT_NOW]
    assert hook.deliver(message()) == [DECIDED]  # another message of the same sender: it counts as answered
    PreviousResponse.objects.update(lease_until="2020-01-01T00:00Z")
    assert hook.deliver(content) == [DECIDED]
    assert len(relay.contents) == 2


# --- Bugs and poison ---------------------------------------------------------------------------------


def test_a_bug_is_a_decision_and_the_message_is_kept(
    hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("planted")

    content = message(body="x" * 300_000)
    with monkeypatch.context() as planted:
        planted.setattr(pipeline, "compose", fail)
        assert hook.deliver(content) == ["250 2.0.0 Kept for the operator"]
    decision, kept = Decision.objects.get(), QuarantinedMessage.objects.get()
    assert (decision.reason, decision.evidence) == ("error", "ZeroDivisionError: planted")
    assert decision.mailbox == standing_reply.mailbox
    assert "compose" in kept.traceback
    assert bytes(kept.content) == content[: len(kept.content)]
    assert 256 * 1024 <= len(kept.content) < 260 * 1024

    assert hook.deliver(message()) == [DECIDED]  # the claim was given back
    assert decisions() == ["error", "replied"]


@pytest.mark.parametrize("place", ["read_message", "decide_by_message", "decide", "render"])
def test_wherever_the_bug_is(
    place: str, hook: Hook, standing_reply: Responder, decisions: Reasons, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_message = pipeline.read_message

    def fail(content: object, *arguments: object, **_options: object) -> object:
        if content == b"":
            return read_message(b"", *arguments)
        raise RecursionError("planted")

    monkeypatch.setattr(pipeline, place, fail)
    assert hook.deliver(message()) == ["250 2.0.0 Kept for the operator"]
    assert decisions() == ["error"]


def test_a_bug_with_one_mailbox_of_a_group_does_not_rob_the_others(
    hook: Hook, relay: Relay, standing_reply: Responder, add_alias: Callable[..., Alias],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    anna = standing_reply.mailbox
    celina = type(anna).objects.create(domain=anna.domain, local_part="celina", name="Celina")
    Responder.objects.create(mailbox=celina, type="standing", subject="Auto", text_body="Celina.")
    add_alias("zespol", anna, celina, own=True)
    render = pipeline.render

    def fail_for_anna(responder, mailbox, *arguments: object) -> object:
        if mailbox.id == anna.pk:
            raise ZeroDivisionError("planted")
        return render(responder, mailbox, *arguments)

    monkeypatch.setattr(pipeline, "render", fail_for_anna)
    hook.deliver(message(to="zespol@firma.example"), copy("zespol@firma.example"))
    assert [reply["From"].addresses[0].display_name for reply in relay.replies] == ["Celina"]


def test_nul_and_broken_octets_everywhere(hook: Hook, standing_reply: Responder) -> None:
    content = message(subject="\0\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))
    content = content.replace(b"Message-ID: <", b"Message-ID: <\0\xff").replace(b"Pytanie", b"\0\xed\xa0\x80")
    for sender in (
        "a\0b@nadawca.example",
        "\udced\udca0\udc80@nadawca.example",
        "\udcff@\udcff",
        "jan@nadawca.example",
    ):
        for recipient in (copy("anna@firma.example"), "\0@firma.example", "\udced\udca0\udc80=x@autoreply.invalid"):
            assert hook.deliver(content, recipient, sender=sender) == [DECIDED]
    assert Decision.objects.filter(reason="error").count() == 0


def test_a_poisoned_row_harms_no_other(
    hook: Hook, relay: Relay, standing_reply: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty messages share statements; one carries what PostgreSQL refuses, with the cleaning switched off."""
    for step in (loading, claiming, recording):
        monkeypatch.setattr(step, "clean", lambda text: text)
    key = pipeline.addresses.memory_key
    monkeypatch.setattr(
        pipeline.addresses, "memory_key", lambda path: key(path) + "\0\udcff" if "poison" in path else key(path)
    )
    senders = [f"{'poison' if number == 17 else 's'}{number}@nadawca.example" for number in range(50)]
    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda sender: hook.deliver(message(), sender=sender)[0], senders))
    assert replies == [DECIDED if "poison" not in sender else "250 2.0.0 Kept for the operator" for sender in senders]
    assert len(relay.contents) == 49
    assert Decision.objects.filter(reason="replied").count() == 49


# --- Many at once ------------------------------------------------------------------------------------


def test_a_hundred_copies_from_one_sender_at_once_give_one_reply(
    hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons
) -> None:
    with ThreadPoolExecutor(100) as pool:
        replies = list(pool.map(lambda _number: hook.deliver(message())[0], range(100)))
    assert replies == [DECIDED] * 100
    assert len(relay.contents) == 1
    assert sorted(decisions()) == ["already-replied"] * 99 + ["replied"]


def test_one_copy_on_many_connections_at_once_gives_one_reply(
    hook: Hook, relay: Relay, standing_reply: Responder
) -> None:
    content = message()
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _number: hook.deliver(content)[0], range(20)))
    assert replies == [DECIDED] * 20
    assert len(relay.contents) == 1


def test_a_responder_switched_off_between_decision_and_claim_is_silent(
    hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = hook.ledger.claim

    async def switch_off_first(*wanted: object) -> Awaitable[bool]:
        await hook.ledger._database.run("UPDATE responders_responder SET is_enabled = false")
        return await claim(*wanted)

    monkeypatch.setattr(hook.ledger, "claim", switch_off_first)
    assert hook.deliver(message()) == [DECIDED]
    assert (relay.contents, decisions()) == ([], ["inactive"])
