"""What is looked up before the content comes decides nothing that has changed when it is there."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from mailboxes.models import Mailbox
from responders.hook import ahead, known
from responders.hook.connection import Outage
from responders.hook.lmtp import Envelope, Session
from responders.models import Decision, PreviousResponse, Responder
from tests.lmtp.parts import SENDER, Client, Hook, LookUps, Relay, copy, message, wait_for

Reasons = Callable[[], list[str]]
Clock = Callable[[datetime | None], None]
ANNA, DECIDED, NOT_NOW = copy("anna@firma.example"), "250 2.0.0 Decided", "451 4.3.0 Not now, come again"
LIST = "List-Id: <news.example>\r\n"


@pytest.fixture(autouse=True)
def always_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message is looked up, and ahead, and what was found stays fresh for as long as a slow machine takes."""
    monkeypatch.setattr(ahead, "QUIET", 0.0)
    monkeypatch.setattr(ahead, "FRESH", 3600.0)
    monkeypatch.setattr(known, "SECONDS", -1.0)  # nobody is known by what others wrote


class Letter:
    """A message whose envelope is there and looked up; `end` sends the content and returns what it was answered."""

    def __init__(self, hook: Hook, look_ups: LookUps, sender: str = SENDER) -> None:
        before = len(look_ups.answered)
        self._client: Client = hook.client()
        self._client.begin(sender, [ANNA])
        assert wait_for(lambda: len(look_ups.answered) > before)

    def end(self, content: bytes) -> str:
        with self._client as client:
            client.send(content + b".\r\n")
            return client.reply()


def test_who_is_looked_up_ahead_is_not_asked_for_again(
    hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps
) -> None:
    assert Letter(hook, look_ups).end(message()) == DECIDED
    assert len(relay.contents) == 1
    assert [query.queue_id for query in look_ups.answered] == [""]


def test_switched_off_meanwhile_it_does_not_answer(
    hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps, decisions: Reasons
) -> None:
    letter = Letter(hook, look_ups)
    Responder.objects.update(is_enabled=False)
    assert letter.end(message()) == DECIDED
    assert (relay.contents, decisions()) == ([], ["inactive"])


def test_a_mailbox_that_went_meanwhile_does_not_answer(
    hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps
) -> None:
    letter = Letter(hook, look_ups)
    standing_reply.mailbox.delete()
    assert letter.end(message()) == DECIDED
    assert relay.contents == []
    assert Decision.objects.get().reason == "no-mailbox"


def test_a_window_that_ended_meanwhile_does_not_answer(
    hook: Hook, relay: Relay, mailbox: Mailbox, look_ups: LookUps, decisions: Reasons, database_clock: Clock
) -> None:
    end = datetime(2027, 1, 4, 8, tzinfo=UTC)
    Responder.objects.create(
        mailbox=mailbox, subject="Urlop", text_body="Nie ma mnie.", time_zone="UTC",
        to_date=end.replace(tzinfo=None), to_utc=end,
    )  # fmt: skip
    database_clock(end - timedelta(seconds=1))
    letter = Letter(hook, look_ups)
    database_clock(end)
    assert letter.end(message(received_at=end)) == DECIDED
    assert (relay.contents, decisions()) == ([], ["inactive"])


def test_a_text_that_was_changed_meanwhile_goes_out_as_it_is_now(
    hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps
) -> None:
    letter = Letter(hook, look_ups)
    Responder.objects.update(text_body="Nowy tekst.", text_revision=standing_reply.text_revision + 1)
    assert letter.end(message()) == DECIDED
    assert [reply.get_content().strip() for reply in relay.replies] == ["Nowy tekst."]


def test_a_brake_that_was_drawn_meanwhile_holds(
    hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps, decisions: Reasons
) -> None:
    Mailbox.objects.update(replies_per_hour=1)
    first, second = Letter(hook, look_ups, "jan@a.example"), Letter(hook, look_ups, "ewa@b.example")
    assert first.end(message()) == DECIDED
    assert second.end(message()) == DECIDED
    assert len(relay.contents) == 1
    assert decisions() == ["replied", "rate-limited"]


def test_two_messages_of_a_sender_looked_up_before_either_give_one_reply(
    hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps, decisions: Reasons
) -> None:
    first, second = Letter(hook, look_ups), Letter(hook, look_ups)
    assert [first.end(message()), second.end(message())] == [DECIDED, DECIDED]
    assert len(relay.contents) == 1
    assert decisions() == ["replied", "already-replied"]


def test_what_another_process_answered_meanwhile_is_not_answered_again(
    hook: Hook, second_hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps, decisions: Reasons
) -> None:
    letter = Letter(hook, look_ups)
    assert second_hook.deliver(message()) == [DECIDED]
    assert letter.end(message()) == DECIDED
    assert len(relay.contents) == 1
    assert decisions() == ["replied", "already-replied"]


def test_the_same_copy_on_both_of_two_hooks_is_answered_once(
    hook: Hook, second_hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps
) -> None:
    content = message()
    letter = Letter(hook, look_ups)
    assert second_hook.deliver(content) == [DECIDED]
    assert letter.end(content) == DECIDED
    assert len(relay.contents) == 1


@pytest.mark.parametrize(("state", "lease", "replies"), [("replied", -1, 0), ("claimed", 600, 0), ("claimed", -1, 1)])
def test_a_copy_that_comes_again_is_known_by_its_queue_id(
    state: str, lease: int, replies: int, hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps
) -> None:
    """Only a claim whose lease has run out passes, as without looking ahead."""
    now = datetime.now(UTC)
    PreviousResponse.objects.create(
        responder=standing_reply, reverse_path_key=SENDER, activation=standing_reply.activation, state=state,
        text_revision=standing_reply.text_revision, queue_id="4COMES", claimed_at=now - timedelta(days=30),
        lease_until=now + timedelta(seconds=lease), replied_at=now - timedelta(days=30) if state == "replied" else None,
    )  # fmt: skip
    answer = Letter(hook, look_ups).end(message(queue_id="4COMES"))
    assert answer == (NOT_NOW if lease > 0 else DECIDED)
    assert len(relay.contents) == replies
    assert [query.queue_id for query in look_ups.answered][:2] == ["", "4COMES"]


def test_what_was_looked_up_long_ago_is_looked_up_again(
    hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "FRESH", -1.0)
    letter = Letter(hook, look_ups)
    Responder.objects.update(text_body="Nowy tekst.")
    assert letter.end(message()) == DECIDED
    assert len(look_ups.answered) == 2
    assert [reply.get_content().strip() for reply in relay.replies] == ["Nowy tekst."]


def test_trouble_that_the_look_up_had_is_the_messages(
    hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps
) -> None:
    content = message()
    with hook.client() as client:
        look_ups.trouble = Outage("away")
        assert client.deliver(SENDER, [ANNA], content) == [NOT_NOW]
        look_ups.trouble = None
        client.send(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{ANNA}>\r\nDATA\r\n".encode())
        assert [client.reply()[:3] for _command in range(3)] == ["250", "250", "354"]
        client.send(content + b".\r\n")
        assert client.reply() == DECIDED
    assert len(relay.contents) == 1


def test_a_message_that_needs_no_look_up_does_not_hear_of_its_trouble(
    hook: Hook, standing_reply: Responder, look_ups: LookUps, decisions: Reasons
) -> None:
    look_ups.trouble = ZeroDivisionError("planted")
    assert hook.deliver(message(extra=LIST)) == [DECIDED]
    assert decisions() == ["list-or-bulk"]


def test_a_client_that_goes_before_the_content_leaves_nothing_behind(
    hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps
) -> None:
    with hook.client() as client:
        client.begin(SENDER, [ANNA])
    assert hook.deliver(message()) == [DECIDED]
    assert len(relay.contents) == 1


def test_in_busy_times_a_list_costs_no_query(
    hook: Hook, standing_reply: Responder, look_ups: LookUps, decisions: Reasons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "QUIET", 3600.0)
    for _number in range(2):  # the first may be the first of a quiet time
        hook.deliver(message(extra=LIST))
    before = len(look_ups.answered)
    hook.deliver(message(extra=LIST))
    assert len(look_ups.answered) == before
    assert decisions() == ["list-or-bulk"] * 3


@pytest.mark.parametrize("sender", ["", "bounce"])
def test_reports_and_what_nobody_sent_are_not_looked_up(sender: str, hook: Hook, look_ups: LookUps, db: None) -> None:
    recipient = "2bounce@autoreply.invalid" if sender else ANNA
    hook.deliver(message(), recipient, sender=sender and SENDER)
    assert look_ups.answered == []


def test_an_envelope_is_told_once_and_not_where_the_content_is_there_already() -> None:
    session = Session("panel.example", max_size=10_000)
    session.feed(b"LHLO x\r\n")
    commands = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
    assert session.feed(commands).expected is None
    assert session.feed(b"DATA\r\n").expected == Envelope("a@b.example", ("c@d.example",))
    assert session.feed(b"Subject: x\r\n").expected is None
    assert session.feed(b".\r\n").expected is None
    assert session.answer([]).expected is None
    whole = session.feed(commands + b"DATA\r\nSubject: x\r\n.\r\n")
    assert whole.delivery is not None
    assert whole.expected is None
