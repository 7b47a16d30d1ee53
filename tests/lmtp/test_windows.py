"""A reply starts and stops to the second, by the database's clock; no worker is running here."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from mailboxes.models import Mailbox
from responders.core.schedule import to_utc
from responders.models import Responder
from tests.lmtp.parts import Hook, Relay, message

SECOND = timedelta(seconds=1)
ZONE = "Europe/Warsaw"
Clock = Callable[[datetime | None], None]
Reasons = Callable[[], list[str]]

# From and to as typed in Warsaw. In 2027 the clock goes forward on 28 March and back on 31 October.
WINDOWS = {
    "a week in January": (datetime(2027, 1, 4, 8, 0), datetime(2027, 1, 11, 8, 0)),
    "over the change in March": (datetime(2027, 3, 27, 22, 30), datetime(2027, 3, 28, 3, 0)),
    "over the change in October": (datetime(2027, 10, 31, 1, 59, 59), datetime(2027, 10, 31, 3, 0)),
}


def absence(mailbox: Mailbox, start: datetime | None, end: datetime | None) -> Responder:
    return Responder.objects.create(
        mailbox=mailbox, subject="Urlop", text_body="Wracam {{ absence.return_date }}.", time_zone=ZONE,
        from_date=start, to_date=end, from_utc=start and to_utc(start, ZONE), to_utc=end and to_utc(end, ZONE),
    )  # fmt: skip


@pytest.mark.parametrize(("start", "end"), WINDOWS.values(), ids=WINDOWS)
def test_it_answers_from_the_first_second_to_the_last(
    start: datetime, end: datetime, hook: Hook, relay: Relay, mailbox: Mailbox, decisions: Reasons,
    database_clock: Clock,
) -> None:  # fmt: skip
    absence(mailbox, start, end)
    starts, ends = to_utc(start, ZONE), to_utc(end, ZONE)
    for number, moment in enumerate([starts - SECOND, starts, ends - SECOND, ends]):
        database_clock(moment)
        hook.deliver(message(received_at=moment), sender=f"s{number}@nadawca.example")
    assert decisions() == ["inactive", "replied", "replied", "inactive"]
    assert len(relay.contents) == 2


def test_open_ends(hook: Hook, mailbox: Mailbox, decisions: Reasons, database_clock: Clock) -> None:
    moment = datetime(2027, 1, 4, 8, 0, tzinfo=UTC)
    responder = absence(mailbox, datetime(2027, 1, 4, 9, 0), None)
    for number, at in enumerate([moment - SECOND, moment, moment + timedelta(days=3650)]):
        database_clock(at)
        hook.deliver(message(received_at=at), sender=f"s{number}@nadawca.example")
    responder.delete()
    absence(mailbox, None, datetime(2027, 1, 4, 9, 0))
    for number, at in enumerate([datetime(2000, 1, 1, tzinfo=UTC), moment - SECOND, moment]):
        database_clock(at)
        hook.deliver(message(received_at=at), sender=f"s{number}@nadawca.example")
    assert decisions() == ["inactive", "replied", "replied", "replied", "replied", "inactive"]


def test_a_delayed_copy_is_answered_if_the_responder_was_on_then_and_still_is(
    hook: Hook, mailbox: Mailbox, decisions: Reasons, database_clock: Clock
) -> None:
    absence(mailbox, datetime(2027, 1, 4, 8, 0), datetime(2027, 1, 11, 8, 0))
    came_and_comes = [
        (datetime(2027, 1, 5, tzinfo=UTC), datetime(2027, 1, 7, tzinfo=UTC)),  # late, within
        (datetime(2027, 1, 3, tzinfo=UTC), datetime(2027, 1, 5, tzinfo=UTC)),  # came before the start
        (datetime(2027, 1, 10, tzinfo=UTC), datetime(2027, 1, 12, tzinfo=UTC)),  # comes after the end
    ]
    for number, (came, comes) in enumerate(came_and_comes):
        database_clock(comes)
        hook.deliver(message(received_at=came), sender=f"s{number}@nadawca.example")
    assert decisions() == ["replied", "inactive", "inactive"]


def test_the_same_sender_is_answered_again_when_the_interval_is_over(
    hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons, database_clock: Clock
) -> None:
    first = datetime(2027, 3, 25, 12, 0, tzinfo=UTC)
    week = timedelta(days=7)
    for moment in (first, first + week - SECOND, first + week, first + week + SECOND, first + 2 * week):
        database_clock(moment)
        hook.deliver(message(received_at=moment))
    assert decisions() == ["replied", "already-replied", "replied", "already-replied", "replied"]
    assert len(relay.contents) == 3


def test_a_copy_that_was_answered_is_silent_for_ever(
    hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons, database_clock: Clock
) -> None:
    """The 250 was lost and Postfix held the copy for longer than the interval: it is still the same copy."""
    first, content = datetime(2027, 3, 25, 12, 0, tzinfo=UTC), message(received_at=datetime(2027, 3, 25, tzinfo=UTC))
    for moment in (first, first + timedelta(days=30)):
        database_clock(moment)
        hook.deliver(content)
    assert decisions() == ["replied", "already-replied"]
    assert len(relay.contents) == 1


def test_a_new_activation_answers_everyone_afresh(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    hook.deliver(message())
    Responder.objects.update(activation=2)
    hook.deliver(message())
    assert len(relay.contents) == 2
