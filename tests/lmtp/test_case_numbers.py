"""A standing reply that numbers conversations, through the running hook."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from mailboxes.models import Alias, Mailbox
from responders import explanation
from responders.models import CaseSeries, Decision, NumberedCase, Responder
from tests.lmtp.parts import SENDER, Hook, Relay, copy, message

YEAR = datetime.now(UTC).year


@pytest.fixture
def complaints(standing_reply: Responder) -> Responder:
    Responder.objects.filter(pk=standing_reply.pk).update(
        gives_case_numbers=True, subject="[{{ case.number }}] {{ subject }}", text_body="Sprawa {{ case.number }}."
    )
    return standing_reply


def numbers(relay: Relay) -> list[str]:
    """The numbers in the subjects of the replies."""
    found = [re.match(r"\[(.+?)\]", reply["Subject"]) for reply in relay.replies]
    return [match[1] if match else "" for match in found]


def test_each_new_conversation_gets_the_next_number(hook: Hook, relay: Relay, complaints: Responder) -> None:
    for subject in ("Buty", "Rower", "Kurtka"):
        hook.deliver(message(subject=subject))
    assert numbers(relay) == [f"{YEAR}/00000{ordinal}" for ordinal in (1, 2, 3)]
    assert f"Sprawa {YEAR}/000003." in relay.replies[2].get_content()
    evidence = Decision.objects.order_by("-id").values_list("evidence", flat=True)[0]
    assert evidence == f"case {YEAR}/000003"


def test_later_messages_of_a_conversation_keep_its_number(
    hook: Hook, relay: Relay, complaints: Responder, decisions: Callable[[], list[str]]
) -> None:
    hook.deliver(message(subject="Buty"))
    reply_id = relay.replies[0]["Message-ID"]
    hook.deliver(message(subject="Re: cokolwiek", extra=f"In-Reply-To: {reply_id}\r\n"))
    hook.deliver(message(subject="Re: x", extra=f"References: {reply_id}\r\n"), sender="ola@nadawca.example")
    hook.deliver(message(subject=f"Dot. sprawy {YEAR}/000001"), sender="ela@nadawca.example")
    assert decisions() == ["replied", "already-replied", "replied", "replied"]
    assert numbers(relay) == [f"{YEAR}/000001"] * 3
    assert NumberedCase.objects.count() == 1


def test_after_the_interval_the_conversation_is_answered_again_with_its_number(
    hook: Hook, relay: Relay, complaints: Responder, database_clock
) -> None:
    start = datetime(2026, 12, 1, 12, tzinfo=UTC)
    for days in (0, 3, 7):
        database_clock(start + timedelta(days=days))
        hook.deliver(message(subject="Sprawa [2026/000001]", received_at=start + timedelta(days=days)))
    assert numbers(relay) == ["2026/000001"] * 2


def test_the_year_is_the_one_of_the_mailboxs_zone(
    hook: Hook, relay: Relay, complaints: Responder, database_clock
) -> None:
    before = datetime(2026, 12, 31, 22, 59, tzinfo=UTC)
    for minutes in (0, 1):
        database_clock(before + timedelta(minutes=minutes))
        hook.deliver(message(received_at=before + timedelta(minutes=minutes)))
    assert numbers(relay) == ["2026/000001", "2027/000001"]


def test_the_same_message_again_gets_no_second_number(
    hook: Hook, relay: Relay, complaints: Responder, add_alias: Callable[..., Alias]
) -> None:
    add_alias("biuro", complaints.mailbox)
    content = message(to="anna@firma.example, biuro@firma.example")
    hook.deliver(content, copy("biuro@firma.example"), copy("anna@firma.example"))
    hook.deliver(content, copy("anna@firma.example"))
    hook.deliver(content.replace(b"id 4QUEUE", b"id 5QUEUE"))
    assert (len(relay.contents), NumberedCase.objects.count()) == (1, 1)


def test_a_reply_that_the_relay_could_not_take_keeps_its_number(
    hook: Hook, relay: Relay, complaints: Responder
) -> None:
    content = message()
    relay.answer_to_content = "451 4.3.0 later"
    assert hook.deliver(content) == ["451 4.3.0 Not now, come again"]
    relay.answer_to_content = ""
    assert hook.deliver(content) == ["250 2.0.0 Decided"]
    assert numbers(relay) == [f"{YEAR}/000001"]


def test_a_sender_begins_ten_cases_in_three_hours_and_no_more(
    hook: Hook, relay: Relay, complaints: Responder, decisions: Callable[[], list[str]]
) -> None:
    contents = [message(subject=f"Sprawa {ordinal}") for ordinal in range(30)]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(hook.deliver, contents))
    assert sorted(decisions()) == ["already-replied"] * 20 + ["replied"] * 10
    assert sorted(numbers(relay)) == [f"{YEAR}/{ordinal:06}" for ordinal in range(1, 11)]
    assert CaseSeries.objects.get().last == 10
    NumberedCase.objects.update(opened_at=datetime.now(UTC) - timedelta(hours=3, minutes=1))
    hook.deliver(message())
    assert len(relay.contents) == 11


def test_many_senders_at_once_get_a_number_each(hook: Hook, relay: Relay, complaints: Responder) -> None:
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda n: hook.deliver(message(), sender=f"x{n}@nadawca.example"), range(40)))
    assert sorted(numbers(relay)) == [f"{YEAR}/{ordinal:06}" for ordinal in range(1, 41)]


def test_bare_digits_of_somebody_else_are_no_case(hook: Hook, relay: Relay, complaints: Responder) -> None:
    Responder.objects.update(case_form="plain")
    hook.deliver(message())
    hook.deliver(message(subject="Faktura 000001"), sender="ola@nadawca.example")
    assert numbers(relay) == ["000001", "000002"]


def test_each_mailbox_has_a_series_of_its_own(hook: Hook, relay: Relay, complaints: Responder) -> None:
    other = Mailbox.objects.create(domain=complaints.mailbox.domain, local_part="biuro")
    Responder.objects.create(
        mailbox=other, type="standing", subject="[{{ case.number }}]", text_body="x", gives_case_numbers=True,
        case_prefix="B-",
    )  # fmt: skip
    hook.deliver(message())
    hook.deliver(message(to="biuro@firma.example", subject=f"{YEAR}/000001"), copy("biuro@firma.example"))
    assert numbers(relay) == [f"{YEAR}/000001", f"B-{YEAR}/000001"]


def test_explain_shows_the_number_that_would_be_given_and_gives_none(
    hook: Hook, relay: Relay, complaints: Responder
) -> None:
    def explained(content: bytes) -> explanation.Explanation:
        [found] = explanation.explain_message(content, SENDER, "anna@firma.example", at=datetime.now(UTC))
        return found

    assert f"[{YEAR}/000001]" in (explained(message()).reply or "")
    hook.deliver(message())
    assert f"[{YEAR}/000002]" in (explained(message()).reply or "")
    later = explained(message(subject=f"Re: {YEAR}/000001"))
    assert later.reason == "already-replied"
    assert NumberedCase.objects.count() == 1
