"""Brakes: so many replies an hour of a mailbox and of a domain, and no more, whatever comes at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from pytest_django import Settings

from mailboxes.models import Domain, Mailbox
from responders import notices
from responders.models import Decision, DrawnBrake, ReplyCount, Responder
from tests.lmtp.parts import Hook, Relay, copy, message

NOW = datetime(2026, 12, 1, 12, 5, tzinfo=UTC)


def flood(hook: Hook, count: int, recipient: str = "anna@firma.example", of: str = "x") -> None:
    """As many messages at once, each from a sender of its own."""
    with ThreadPoolExecutor(20) as pool:
        content = message(to=recipient)
        list(pool.map(lambda n: hook.deliver(content, copy(recipient), sender=f"{of}{n}@peer.example"), range(count)))


def reasons() -> dict[str, int]:
    found = list(Decision.objects.values_list("reason", flat=True))
    return {reason: found.count(reason) for reason in sorted(set(found))}


@pytest.fixture
def second_hook(relay: Relay, db: None) -> Iterator[Hook]:
    hook = Hook(relay.url)
    yield hook
    hook.stop()


def test_a_mailbox_sends_as_many_replies_as_it_may(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    Mailbox.objects.update(replies_per_hour=10)
    flood(hook, 40)
    assert len(relay.contents) == 10
    assert reasons() == {"rate-limited": 30, "replied": 10}
    evidence = Decision.objects.filter(reason="rate-limited").values_list("evidence", flat=True)
    assert set(evidence) == {"mailbox: 10 an hour"}


def test_two_processes_share_the_brake(hook: Hook, second_hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    Mailbox.objects.update(replies_per_hour=15)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda pair: flood(pair[0], 40, of=pair[1]), [(hook, "a"), (second_hook, "b")]))
    assert len(relay.contents) == 15


def test_a_thousand_copies_from_one_sender_at_once_give_one_reply(
    hook: Hook, second_hook: Hook, relay: Relay, standing_reply: Responder
) -> None:
    """On many connections, at two processes; copies that meet the answer in the making come again, as Postfix does."""

    def deliver(number: int) -> None:
        content = message()
        while (hook, second_hook)[number % 2].deliver(content)[0].startswith("451"):
            continue

    with ThreadPoolExecutor(100) as pool:
        list(pool.map(deliver, range(1000)))
    assert len(relay.contents) == 1
    assert reasons() == {"already-replied": 999, "replied": 1}


def test_a_domain_has_a_brake_of_its_own(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    """Whatever comes for its mailboxes at once."""
    Domain.objects.update(replies_per_hour=6)
    ewa = Mailbox.objects.create(domain=standing_reply.mailbox.domain, local_part="ewa")
    Responder.objects.create(mailbox=ewa, type="standing", subject="x", text_body="x")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: flood(hook, 20, f"{name}@firma.example"), ("anna", "ewa")))
    assert len(relay.contents) == 6
    assert reasons() == {"rate-limited": 34, "replied": 6}
    evidence = Decision.objects.filter(reason="rate-limited").values_list("evidence", flat=True)
    assert set(evidence) == {"domain: 6 an hour"}


def test_it_lets_go_by_itself(
    hook: Hook, relay: Relay, standing_reply: Responder, database_clock: Callable[[datetime], None]
) -> None:
    Mailbox.objects.update(replies_per_hour=3)
    for minutes, sent in ((0, 3), (50, 3), (60, 3), (70, 6)):
        moment = NOW + timedelta(minutes=minutes)
        database_clock(moment)
        for number in range(5):
            content = message(received_at=moment)
            hook.deliver(content, sender=f"x{minutes}-{number}@peer.example")
        assert len(relay.contents) == sent, minutes


def test_a_limit_of_nought_is_none(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    Mailbox.objects.update(replies_per_hour=0)
    Domain.objects.update(replies_per_hour=0)
    flood(hook, 30)
    assert len(relay.contents) == 30


def test_replies_that_the_relay_could_not_take_do_not_count(
    hook: Hook, relay: Relay, standing_reply: Responder
) -> None:
    Mailbox.objects.update(replies_per_hour=2)
    relay.answer_to_content = "451 4.3.0 later"
    content = message()
    for _attempt in range(5):
        assert hook.deliver(content)[0].startswith("451")
    relay.answer_to_content = ""
    assert hook.deliver(content) == ["250 2.0.0 Decided"]
    assert len(relay.contents) == 1
    assert set(ReplyCount.objects.values_list("replies", flat=True)) == {1}


def test_owner_and_staff_are_told_once_for_each_drawing(
    hook: Hook, relay: Relay, standing_reply: Responder, settings: Settings,
    database_clock: Callable[[datetime], None],
) -> None:  # fmt: skip
    settings.STAFF_NOTICES = ["staff@hosting.example"]
    Mailbox.objects.update(replies_per_hour=2)
    database_clock(NOW)
    for number in range(6):
        hook.deliver(message(received_at=NOW), sender=f"x{number}@peer.example")
    assert DrawnBrake.objects.get().replies_per_hour == 2
    assert (notices.tell_of_drawn_brakes(), notices.tell_of_drawn_brakes()) == (1, 0)
    to_owner, to_staff = mail.outbox
    assert (to_owner.to, to_staff.to) == (["anna@firma.example"], ["staff@hosting.example"])
    assert to_owner.subject == "Hamulec autorespondera"
    assert "anna@firma.example wysłała 2" in to_owner.body
    assert "sent 2 automatic replies within an hour" in to_staff.body
    assert to_owner.message()["Auto-Submitted"] == "auto-generated"

    hook.run(_forget_what_was_drawn(hook))
    later = NOW + timedelta(hours=3)
    database_clock(later)
    for number in range(6):
        hook.deliver(message(received_at=later), sender=f"y{number}@peer.example")
    assert DrawnBrake.objects.get().drawn_at == later
    assert notices.tell_of_drawn_brakes() == 1


async def _forget_what_was_drawn(hook: Hook) -> None:
    """Half a minute has passed."""
    hook.pipeline._drawn.clear()


def test_a_notice_that_could_not_be_sent_is_sent_later(
    standing_reply: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    DrawnBrake.objects.create(
        key="m1", mailbox=standing_reply.mailbox, is_of_domain=False, replies_per_hour=2, drawn_at=NOW, last_at=NOW
    )

    def refuse(*_arguments: object) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patched:
        patched.setattr(notices, "send", refuse)
        with pytest.raises(ConnectionRefusedError):
            notices.tell_of_drawn_brakes()
    assert notices.tell_of_drawn_brakes() == 1
    assert len(mail.outbox) == 1
