"""Machines that answer each other: every loop ends, and after how many replies stands here.

The other side is imitated as it would behave; ours is the running hook. What Postfix does with replies to our own
mailboxes is in tests/mta/test_loops.py.
"""

import itertools
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from mailboxes.models import Alias, Mailbox
from responders.models import Decision, Responder
from tests.lmtp.parts import Hook, Relay, copy

ROUNDS = 60  # how long the other side would go on
ANNA = "anna@firma.example"
Peer = Callable[[EmailMessage, int], tuple[str, bytes]]


def play(hook: Hook, relay: Relay, peer: Peer, first: tuple[str, bytes]) -> int:
    """Hand over the first message, and each of our replies to the peer, whose answer comes back; count our replies."""
    sender, content = first
    for turn in range(ROUNDS):
        answered = len(relay.contents)
        hook.deliver(_received(content, turn), copy(ANNA), sender=sender)
        if len(relay.contents) == answered:
            break
        reply: EmailMessage = message_from_bytes(relay.contents[-1], policy=policy.default)  # type: ignore[assignment]
        sender, content = peer(reply, turn)
    return len(relay.contents)


def _received(content: bytes, turn: int) -> bytes:
    return (
        b"Received: from x by panel.example (Postfix) with ESMTP id 4LOOP%d; Mon, 28 Dec 2026 12:00:00 +0000\r\n"
        % (turn)
        + content
    )


def letter(sender: str, *, to: str = ANNA, extra: str = "", number: int = 0) -> tuple[str, bytes]:
    text = f"From: <{sender}>\r\nTo: {to}\r\nSubject: x\r\nMessage-ID: <{number}.{sender}>\r\n{extra}\r\nx\r\n"
    return sender, text.encode()


def test_a_peer_that_marks_nothing_gets_one_reply(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    def peer(reply: EmailMessage, turn: int) -> tuple[str, bytes]:
        return letter("robot@peer.example", number=turn + 1)

    assert play(hook, relay, peer, letter("robot@peer.example")) == 1


@pytest.mark.parametrize(
    "form", ["prvs=12345678{:02}=robot@peer.example", "SRS0=ab{:02}=XY=peer.example=robot@f.example"]
)
def test_a_peer_whose_address_only_looks_new_gets_one_reply(
    hook: Hook, relay: Relay, standing_reply: Responder, form: str
) -> None:
    def peer(reply: EmailMessage, turn: int) -> tuple[str, bytes]:
        return letter(form.format(turn + 1), number=turn + 1)

    assert play(hook, relay, peer, letter(form.format(0))) == 1


def test_a_peer_that_marks_nothing_and_changes_its_address_is_ended_by_the_brake(
    hook: Hook, relay: Relay, standing_reply: Responder
) -> None:
    Mailbox.objects.update(replies_per_hour=12)

    def peer(reply: EmailMessage, turn: int) -> tuple[str, bytes]:
        return letter(f"{'abcdefghij'[turn % 10]}{'klmnopqrst'[turn // 10]}@peer.example", number=turn + 1)

    assert play(hook, relay, peer, letter("robot@peer.example")) == 12
    assert Decision.objects.order_by("-id")[0].reason == "rate-limited"


def test_a_peer_that_numbers_its_own_cases_does_not_open_ours_without_end(
    hook: Hook, relay: Relay, standing_reply: Responder
) -> None:
    """Each of its answers begins a new conversation: no References, a new subject."""
    Responder.objects.update(gives_case_numbers=True, subject="[{{ case.number }}]")

    def peer(reply: EmailMessage, turn: int) -> tuple[str, bytes]:
        return letter("helpdesk@peer.example", number=turn + 1)

    assert play(hook, relay, peer, letter("helpdesk@peer.example")) == 10


@pytest.mark.parametrize("mark", ["List-Id: <x.peer.example>\r\n", "Precedence: list\r\n", "Precedence: bulk\r\n"])
def test_a_list_that_strips_our_marks_and_leaves_its_own_is_not_answered(
    hook: Hook, relay: Relay, standing_reply: Responder, mark: str
) -> None:
    def peer(reply: EmailMessage, turn: int) -> tuple[str, bytes]:
        return letter("anna@firma.example", to="list@peer.example", extra=mark, number=turn + 1)

    assert play(hook, relay, peer, letter("member@peer.example")) == 1


def test_a_list_that_marks_nothing_and_rewrites_the_author_is_answered_once(
    hook: Hook, relay: Relay, standing_reply: Responder
) -> None:
    def peer(reply: EmailMessage, turn: int) -> tuple[str, bytes]:
        return letter("team@peer.example", to=f"team@peer.example, {ANNA}", number=turn + 1)

    assert play(hook, relay, peer, letter("team@peer.example")) == 1


def test_a_forwarder_that_sends_our_reply_back_ends_it(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    """It keeps header and body; some put a reverse-path of their own in place of the null one."""

    def peer(reply: EmailMessage, turn: int) -> tuple[str, bytes]:
        return f"forward{turn}@peer.example", reply.as_bytes(policy=policy.SMTP)

    assert play(hook, relay, peer, letter("jan@peer.example")) == 1
    assert Decision.objects.order_by("-id")[0].reason == "auto-submitted"


def test_two_mailboxes_that_forward_to_each_other_reply_once(
    hook: Hook, relay: Relay, standing_reply: Responder, add_alias: Callable[..., Alias]
) -> None:
    """The same message comes round and round, to one and to the other; only one of them is named in it."""
    ewa = Mailbox.objects.create(domain=standing_reply.mailbox.domain, local_part="ewa")
    Responder.objects.create(mailbox=ewa, type="standing", subject="x", text_body="x")
    sender, content = letter("jan@peer.example")
    for turn, address in zip(range(20), itertools.cycle([ANNA, "ewa@firma.example"]), strict=False):
        hook.deliver(_received(content, turn), copy(address), sender=sender)
    assert len(relay.contents) == 1
    reasons = Decision.objects.order_by("id").values_list("reason", flat=True)
    assert list(reasons) == ["replied", *["not-addressed", "already-replied"] * 9, "not-addressed"]


def test_two_panels_say_nothing_to_each_others_replies(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    """The other panel's replies are like ours: the null reverse-path, and marked."""

    def peer(reply: EmailMessage, turn: int) -> tuple[str, bytes]:
        content = reply.as_bytes(policy=policy.SMTP)
        return "", content.replace(b"anna@firma.example", b"bob@peer.example")

    assert play(hook, relay, peer, letter("bob@peer.example")) == 1
    assert Decision.objects.order_by("-id")[0].reason == "null-reverse-path"
