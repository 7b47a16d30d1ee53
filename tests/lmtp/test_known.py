"""Who was looked up a moment ago is not looked up for the next sender; what has changed since decides all the same."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from mailboxes.models import Alias, Customer, Domain, Mailbox
from responders.hook import ahead, known
from responders.hook.connection import Outage
from responders.hook.known import Known
from responders.hook.ledger.loading import Behind, Query
from responders.models import Decision, Refusal, ReplyCount, Responder
from tests.lmtp.parts import Hook, LookUps, Relay, copy, message, wait_for

Reasons = Callable[[], list[str]]
Clock = Callable[[datetime | None], None]
DECIDED, NOT_NOW = "250 2.0.0 Decided", "451 4.3.0 Not now, come again"
JAN, EWA, OLA = "jan@a.example", "ewa@b.example", "ola@c.example"


@pytest.fixture(autouse=True)
def known_for_long(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as a slow machine takes, as what is looked up ahead; nobody and nothing from before."""
    monkeypatch.setattr(ahead, "FRESH", 3600.0)
    monkeypatch.setattr(known, "SECONDS", 3600.0)
    monkeypatch.setattr(hook.pipeline, "_known", Known(time.monotonic))


@pytest.fixture
def written_to(hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps) -> Responder:
    """anna's responder, known since Jan wrote."""
    assert hook.deliver(message(), sender=JAN) == [DECIDED]
    assert (len(relay.contents), len(look_ups.answered)) == (1, 1)
    return standing_reply


def test_the_next_sender_is_answered_without_a_look_up(
    hook: Hook, relay: Relay, written_to: Responder, look_ups: LookUps, decisions: Reasons
) -> None:
    assert [hook.deliver(message(), sender=sender) for sender in (EWA, OLA)] == [[DECIDED], [DECIDED]]
    assert len(look_ups.answered) == 1
    assert decisions() == ["replied"] * 3
    assert sorted(to for _sender, paths in relay.envelopes for to in paths) == sorted([JAN, EWA, OLA])
    assert ReplyCount.objects.get(key=f"m{written_to.mailbox.pk}").replies == 3
    answered = Decision.objects.order_by("-id")[0]
    assert (answered.mailbox, answered.responder) == (written_to.mailbox, written_to)


def test_who_writes_again_is_looked_up_and_counts_for_no_brake(
    hook: Hook, relay: Relay, written_to: Responder, look_ups: LookUps, decisions: Reasons
) -> None:
    for sender in (EWA, EWA, JAN):
        assert hook.deliver(message(), sender=sender) == [DECIDED]
    assert {query.reverse_path_key for query in look_ups.answered} == {JAN, EWA}
    assert decisions() == ["replied", "replied", "already-replied", "already-replied"]
    assert ReplyCount.objects.get(key=f"m{written_to.mailbox.pk}").replies == 2


def test_whom_another_process_answered_is_not_answered_again(
    hook: Hook, second_hook: Hook, relay: Relay, written_to: Responder, decisions: Reasons
) -> None:
    assert second_hook.deliver(message(), sender=EWA) == [DECIDED]
    assert hook.deliver(message(), sender=EWA) == [DECIDED]
    assert decisions() == ["replied", "replied", "already-replied"]
    assert ReplyCount.objects.get(key=f"m{written_to.mailbox.pk}").replies == 2


def test_switched_off_since_it_does_not_answer(
    hook: Hook, relay: Relay, written_to: Responder, decisions: Reasons
) -> None:
    Responder.objects.update(is_enabled=False)
    assert hook.deliver(message(), sender=EWA) == [DECIDED]
    assert (len(relay.contents), decisions()) == (1, ["replied", "inactive"])


@pytest.mark.parametrize("change", [{"text_body": "Nowy tekst.", "text_revision": 9}, {"text_body": "Nowy tekst."}])
def test_a_row_that_changed_since_counts_as_it_is_now(
    change: dict[str, object], hook: Hook, relay: Relay, written_to: Responder
) -> None:
    Responder.objects.update(**change)
    hook.deliver(message(), sender=EWA)
    assert [reply.get_content().strip() for reply in relay.replies] == ["Dziękuję za wiadomość.", "Nowy tekst."]


def test_a_mailbox_that_changed_since_counts_as_it_is_now(hook: Hook, relay: Relay, written_to: Responder) -> None:
    Mailbox.objects.update(name="Anna Kowalska")
    hook.deliver(message(), sender=EWA)
    assert [reply["From"].addresses[0].display_name for reply in relay.replies] == ["Anna Nowak", "Anna Kowalska"]


def test_a_domain_that_changed_since_counts_as_it_is_now(hook: Hook, relay: Relay, written_to: Responder) -> None:
    Domain.objects.update(has_bounce_address=True)
    hook.deliver(message(), sender=EWA)
    assert [sender.startswith("bounces=") for sender, _paths in relay.envelopes] == [False, True]


def test_a_responder_that_came_since_answers_in_its_turn(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    Responder.objects.update(position=1)
    hook.deliver(message(), sender=JAN)
    Responder.objects.create(mailbox=standing_reply.mailbox, type="standing", subject="x", text_body="Pierwszy.")
    hook.deliver(message(), sender=EWA)
    assert [reply.get_content().strip() for reply in relay.replies] == ["Dziękuję za wiadomość.", "Pierwszy."]


def test_a_responder_that_went_since_leaves_its_place(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    second = Responder.objects.create(
        mailbox=standing_reply.mailbox, type="standing", subject="x", text_body="Drugi.", position=99
    )
    hook.deliver(message(), sender=JAN)
    standing_reply.delete()
    hook.deliver(message(), sender=EWA)
    assert [reply.get_content().strip() for reply in relay.replies] == ["Dziękuję za wiadomość.", "Drugi."]
    assert second.mailbox.responders.count() == 1


def test_a_mailbox_that_went_since_does_not_answer(hook: Hook, relay: Relay, written_to: Responder) -> None:
    written_to.mailbox.delete()
    assert hook.deliver(message(), sender=EWA) == [DECIDED]
    assert len(relay.contents) == 1
    assert Decision.objects.order_by("-id")[0].reason == "no-mailbox"


def test_a_window_that_ended_since_does_not_answer(
    hook: Hook, relay: Relay, mailbox: Mailbox, decisions: Reasons, database_clock: Clock
) -> None:
    end = datetime(2027, 1, 4, 8, tzinfo=UTC)
    Responder.objects.create(
        mailbox=mailbox, subject="Urlop", text_body="Nie ma mnie.", time_zone="UTC",
        to_date=end.replace(tzinfo=None), to_utc=end,
    )  # fmt: skip
    for moment, sender in ((end - timedelta(milliseconds=1), JAN), (end, EWA)):
        database_clock(moment)
        hook.deliver(message(received_at=end - timedelta(minutes=1)), sender=sender)
    assert decisions() == ["replied", "inactive"]


def test_a_clock_that_was_put_forward_since_counts(
    hook: Hook, relay: Relay, mailbox: Mailbox, decisions: Reasons, database_clock: Clock
) -> None:
    """Of office hours the claim knows nothing but the moment."""
    Responder.objects.create(
        mailbox=mailbox, type="standing", subject="x", text_body="Po godzinach.", time_zone="UTC",
        hours_mode="outside", office_days=[0, 1, 2, 3, 4], office_opens="08:00", office_closes="16:00",
    )  # fmt: skip
    opens = datetime(2027, 1, 4, 8, tzinfo=UTC)
    for moment, sender in ((opens - timedelta(minutes=1), JAN), (opens, EWA)):
        database_clock(moment)
        hook.deliver(message(received_at=opens - timedelta(minutes=1)), sender=sender)
    assert decisions() == ["replied", "inactive"]


def test_a_brake_that_was_drawn_since_holds(
    hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons
) -> None:
    Mailbox.objects.update(replies_per_hour=2)
    for sender in (JAN, EWA, OLA):
        assert hook.deliver(message(), sender=sender) == [DECIDED]
    assert decisions() == ["replied", "replied", "rate-limited"]


def test_who_refused_a_reply_gets_none(hook: Hook, relay: Relay, written_to: Responder, decisions: Reasons) -> None:
    Refusal.objects.create(address=EWA, refused_at=datetime.now(UTC), words="550 5.1.1 No such user")
    assert hook.deliver(message(), sender=EWA) == [DECIDED]
    assert decisions() == ["replied", "undeliverable"]


def test_a_colleague_is_known_as_one(hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons) -> None:
    company = Customer.objects.create(name="Firma")
    Domain.objects.create(name="siostra.example", customer=company)
    Domain.objects.filter(name="firma.example").update(customer=company)
    Responder.objects.update(audience="others")
    for sender in (JAN, "ola@siostra.example"):
        hook.deliver(message(), sender=sender)
    assert decisions() == ["replied", "audience"]


def test_case_numbers_are_given_as_ever(hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps) -> None:
    Responder.objects.update(gives_case_numbers=True, subject="[{{ case.number }}]")
    for sender in (JAN, EWA):
        hook.deliver(message(), sender=sender)
    assert len(look_ups.answered) == 2
    assert len({reply["Subject"] for reply in relay.replies}) == 2


def test_of_an_address_of_several_nobody_is_known(
    hook: Hook, relay: Relay, standing_reply: Responder, add_alias: Callable[..., Alias], look_ups: LookUps
) -> None:
    other = Mailbox.objects.create(domain=standing_reply.mailbox.domain, local_part="ola", owner=None)
    add_alias("biuro", standing_reply.mailbox, other, own=True)
    for sender in (JAN, EWA):
        hook.deliver(message(to="biuro@firma.example"), copy("biuro@firma.example"), sender=sender)
    assert len(look_ups.answered) == 2
    assert len(relay.contents) == 2


def test_alias_and_mailbox_in_one_message_give_one_reply(
    hook: Hook, relay: Relay, standing_reply: Responder, add_alias: Callable[..., Alias], decisions: Reasons
) -> None:
    add_alias("biuro", standing_reply.mailbox, own=True)
    both = copy("anna@firma.example"), copy("biuro@firma.example")
    for sender in (JAN, EWA):
        assert hook.deliver(message(), *both, sender=sender) == [DECIDED, DECIDED]
    assert len(relay.contents) == 2
    assert sorted(decisions()) == ["already-replied"] * 2 + ["replied"] * 2


def test_a_relay_that_is_away_leaves_the_copy_to_come_again(
    hook: Hook, relay: Relay, written_to: Responder, decisions: Reasons
) -> None:
    content = message()
    relay.answer_to_recipient = "451 4.3.0 busy"
    assert hook.deliver(content, sender=EWA) == [NOT_NOW]
    relay.answer_to_recipient = ""
    assert hook.deliver(content, sender=EWA) == [DECIDED]
    assert (len(relay.contents), decisions()) == (2, ["replied", "replied"])


def test_what_was_known_long_ago_is_looked_up(
    hook: Hook, relay: Relay, written_to: Responder, look_ups: LookUps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "SECONDS", -1.0)
    hook.deliver(message(), sender=EWA)
    assert (len(relay.contents), len(look_ups.answered)) == (2, 2)


def test_what_grows_old_is_looked_up_again_before_anybody_must_wait(
    hook: Hook, relay: Relay, standing_reply: Responder, look_ups: LookUps, database_clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    now, begun = [0.0], datetime(2027, 1, 4, 8, tzinfo=UTC)
    monkeypatch.setattr(hook.pipeline, "_known", Known(lambda: now[0]))
    seen = []
    for moment, sender in ((0.0, JAN), (2000.0, EWA), (3000.0, OLA), (4000.0, "iza@d.example")):
        now[0] = moment
        database_clock(begun + timedelta(seconds=moment))
        assert hook.deliver(message(received_at=begun), sender=sender) == [DECIDED]
        assert wait_for(lambda: not hook.pipeline._renewing)
        seen.append(len(look_ups.answered))
    assert seen == [1, 1, 2, 2]
    assert len(relay.contents) == 4


def test_nobody_waits_while_it_is_looked_up_again(
    hook: Hook, relay: Relay, written_to: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postfix hears of a reply before, and the next one is given meanwhile."""
    may_answer, load = threading.Event(), hook.ledger.load

    async def held(query: Query) -> list[Behind]:
        await asyncio.get_running_loop().run_in_executor(None, may_answer.wait, 110)
        return await load(query)

    monkeypatch.setattr(known, "RENEWED_AT", 0.0)
    monkeypatch.setattr(hook.ledger, "load", held)
    try:
        for sender in (EWA, OLA):
            assert hook.deliver(message(), sender=sender) == [DECIDED]
            assert len(hook.pipeline._renewing) == 1
    finally:
        may_answer.set()
    assert wait_for(lambda: not hook.pipeline._renewing)
    assert len(relay.contents) == 3


def test_without_a_database_what_grows_old_is_forgotten(
    hook: Hook, relay: Relay, written_to: Responder, look_ups: LookUps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "RENEWED_AT", 0.0)
    look_ups.trouble = Outage("planted")
    for sender in (EWA, OLA):
        assert hook.deliver(message(), sender=sender) == [DECIDED]
    assert wait_for(lambda: not hook.pipeline._renewing)
    monkeypatch.setattr(known, "SECONDS", -1.0)
    assert hook.deliver(message(), sender="iza@d.example") == [NOT_NOW]


def test_one_alone_renews_what_grows_old(hook: Hook, written_to: Responder) -> None:
    now, query = [0.0], Query("anna@firma.example", "anna@firma.example", EWA, EWA, "")
    behind, some = hook.run(_looked_up(hook)), Known(lambda: now[0])
    said = []
    for moment in (0.0, 2000.0, 2200.0, 2300.0, 3601.0):
        now[0] = moment
        if not moment:
            some.learn(query, behind)
        said.append(some.is_to_be_renewed(query))
    assert said == [False, False, True, False, False]
    some.learn(query, behind)
    assert not some.is_to_be_renewed(query)
    now[0] += 3000
    assert some.is_to_be_renewed(query)


def test_it_forgets_before_it_grows(hook: Hook, written_to: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many addresses and many senders: whoever is forgotten is looked up, or tried once more."""
    monkeypatch.setattr(known, "MAX_ADDRESSES", 3)
    monkeypatch.setattr(known, "MAX_SENDERS", 3)
    queries = [Query(f"{number}@firma.example", f"{number}@firma.example", EWA, EWA, "") for number in range(9)]
    now = [0.0]
    behind, some = hook.run(_looked_up(hook)), Known(lambda: now[0])
    for query in queries:
        some.learn(query, behind)
        assert some.take(query) is not None
        assert some.take(query) is None
    assert [some.knows(query.address, query.base) for query in queries] == [False] * 6 + [True] * 3
    assert [some.take(query._replace(reverse_path_key=OLA)) is not None for query in queries] == [False] * 6 + [
        True
    ] * 3
    now[0] = 3601.0
    some.learn(queries[0], behind)
    assert len(some._found) == 1


async def _looked_up(hook: Hook) -> list[object]:
    return await hook.ledger.load(Query("anna@firma.example", "anna@firma.example", EWA, EWA, ""))
