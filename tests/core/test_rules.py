"""The rules of silence, their order, and what they need to know."""

from datetime import UTC, datetime, timedelta

import pytest

from responders.core.decision import RULES, Needs, Policy, Previous, Reason, WayBack, decide, decide_by_message, explain
from responders.core.schedule import Window
from tests.core.facts import NOW, mailbox, message, responder

NAMES = [rule.reason.value for rule in RULES]
DAY = timedelta(days=1)


def reason(*fields: str, sender: str = "jan@example.com", **more: object) -> str:
    anna = more.pop("anna", mailbox())
    return decide(message(*fields, sender=sender), anna, Policy(), NOW, **more).reason.value  # type: ignore[arg-type]


def test_the_first_rule_that_hits_decides_and_the_misses_before_it_are_kept() -> None:
    decided = decide(
        message("List-Id: x", "Auto-Submitted: auto-generated", "X-Autoreply: yes"), mailbox(), Policy(), NOW
    )
    assert decided.reason is Reason.AUTO_SUBMITTED
    assert decided.evidence == "Auto-Submitted: auto-generated"
    assert list(decided.misses) == NAMES[: NAMES.index("auto-submitted")]


def test_a_reply_names_who_answers_and_every_rule_that_let_it_pass() -> None:
    decided = decide(message(), mailbox(), Policy(), NOW)
    assert (decided.reason, decided.responder) == (Reason.REPLIED, responder())
    assert list(decided.misses) == NAMES


def test_explain_goes_on_after_the_first_hit() -> None:
    rows = explain(message("List-Id: x", "X-Autoreply: yes"), mailbox(), Policy(), NOW)
    assert [row.rule for row in rows] == NAMES
    assert [row.rule for row in rows if row.outcome == "hit"] == ["list-or-bulk", "machine-made"]


def test_rules_that_need_only_the_message_come_before_any_query() -> None:
    needs = [rule.needs for rule in RULES]
    assert needs == sorted(needs, key=[Needs.MESSAGE, Needs.MAILBOX, Needs.MEMORY].index)
    assert decide_by_message(message(), Policy()) is None
    decided = decide_by_message(message("Precedence: bulk"), Policy())
    assert decided is not None
    assert decided.reason is Reason.LIST_OR_BULK


def test_every_rule_says_in_its_docstring_what_it_means_and_where_it_stands() -> None:
    for rule in RULES:
        assert rule.test.__doc__
        first = rule.test.__doc__.strip()
        assert first[0].isupper()
        assert first.endswith(".")


def test_a_mailbox_called_noreply_may_answer() -> None:
    address = "noreply@firma.example"
    anna = mailbox(address=address, own_addresses=frozenset([address]))
    assert decide(message(letter=b"To: noreply@firma.example\r\n"), anna, Policy(), NOW).reason is Reason.REPLIED


@pytest.mark.parametrize(
    ("pattern", "sender", "expected"),
    [
        ("biuletyn", "biuletyn@example.com", "system-sender"),
        ("biuletyn", "biuletyny@example.com", "replied"),
        ("alert-*", "alert-7@example.com", "system-sender"),
        ("*-alert", "disk-alert@example.com", "system-sender"),
        ("*-alert", "alerta@example.com", "replied"),
        ("*robot*", "nasz.robot.7@example.com", "system-sender"),
    ],
)
def test_the_operator_adds_senders_that_read_no_replies(pattern: str, sender: str, expected: str) -> None:
    policy = Policy(system_senders=(pattern,))
    assert decide(message(sender=sender), mailbox(), policy, NOW).reason.value == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("panel.example; dmarc=fail", "forged"),
        ("PANEL.example 1; spf=pass; DMARC = Fail", "forged"),
        ("panel.example; dmarc=pass (dmarc=fail would be bad)", "replied"),
        ("panel.example; dkim=fail; spf=fail", "replied"),
        ("other.example; dmarc=fail", "replied"),
        ("other.example (panel.example); dmarc=fail", "replied"),
        ("", "replied"),
    ],
)
def test_only_our_own_check_says_that_a_sender_is_forged(value: str, expected: str) -> None:
    policy = Policy(authserv_id="panel.example")
    decided = decide(message(f"Authentication-Results: {value}"), mailbox(), policy, NOW)
    assert decided.reason.value == expected


@pytest.mark.parametrize("field", ["X-Spam-Flag: YES", "x-spam-flag: yes", "X-Spam-Status: Yes, score=9"])
def test_the_spam_filters_marks_are_the_operators(field: str) -> None:
    policy = Policy(spam_fields=("X-Spam-Flag: YES", "X-Spam-Status: Yes"))
    assert decide(message(field), mailbox(), policy, NOW).reason is Reason.SPAM
    assert decide(message(field), mailbox(), Policy(), NOW).reason is Reason.REPLIED


def test_a_subaddress_of_ones_own_is_ones_own_and_only_with_the_delimiter() -> None:
    letter = b"To: anna-x@firma.example\r\n"
    assert decide(message(letter=letter), mailbox(), Policy(), NOW).reason is Reason.NOT_ADDRESSED
    assert decide(message(letter=letter), mailbox(), Policy(recipient_delimiter="-"), NOW).reason is Reason.REPLIED


def test_a_group_that_is_not_ones_own_address_is_silent() -> None:
    anna = mailbox(own_addresses=frozenset(["anna@firma.example"]))
    assert decide(message(letter=b"To: biuro@firma.example\r\n"), anna, Policy(), NOW).reason is Reason.NOT_ADDRESSED


def test_the_first_active_responder_in_the_owners_order_answers() -> None:
    off, future = responder(id=1, is_enabled=False), responder(id=2, window=Window(NOW + DAY, None))
    third, fourth = responder(id=3), responder(id=4)
    decided = decide(message(), mailbox(off, future, third, fourth), Policy(), NOW)
    assert decided.responder == third


@pytest.mark.parametrize(
    ("received", "window", "expected"),
    [
        (NOW - DAY, Window(NOW - 2 * DAY, None), "replied"),
        (NOW - DAY, Window(NOW - timedelta(hours=1), None), "inactive"),  # came before the start
        (NOW - DAY, Window(None, NOW), "inactive"),  # over meanwhile
        (NOW - 3 * DAY, Window(NOW - 2 * DAY, NOW - DAY), "inactive"),
    ],
)
def test_a_delayed_copy_is_answered_only_if_it_came_in_time_and_still_is(
    received: datetime, window: Window, expected: str
) -> None:
    field = f"Received: from a by mx.example (Postfix) with ESMTP id 4ABC; {received:%a, %d %b %Y %H:%M:%S} +0000"
    assert reason(field, anna=mailbox(responder(window=window))) == expected


@pytest.mark.parametrize(
    ("ago", "days", "expected"),
    [
        (timedelta(0), 1, "already-replied"),
        (DAY - timedelta(seconds=1), 1, "already-replied"),
        (DAY, 1, "replied"),
        (6 * DAY, 7, "already-replied"),
        (7 * DAY, 7, "replied"),
    ],
)
def test_the_same_sender_is_answered_again_after_the_interval(ago: timedelta, days: int, expected: str) -> None:
    anna = mailbox(responder(interval_days=days))
    assert reason(anna=anna, previous={1: Previous(NOW - ago)}) == expected


def test_what_another_responder_answered_does_not_count() -> None:
    assert reason(previous={2: Previous(NOW)}) == "replied"


def test_without_a_mailbox_that_is_the_reason() -> None:
    assert decide(message(), None, Policy(), datetime.min.replace(tzinfo=UTC)).reason is Reason.NO_MAILBOX


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (WayBack(), None),
        (WayBack(domain_trouble="null MX"), "example.com: null MX"),
        (WayBack(refused_at=NOW, refusal="550 5.1.1 No"), "refused 2026-12-28T12:00:00Z: 550 5.1.1 No"),
        (WayBack(refused_at=NOW - 59 * DAY, refusal="550"), "refused 2026-10-30T12:00:00Z: 550"),
        (WayBack(refused_at=NOW - 60 * DAY, refusal="550"), None),
        (WayBack(refused_at=NOW - 60 * DAY, domain_trouble="no such domain"), "example.com: no such domain"),
    ],
)
def test_where_no_reply_can_arrive_none_is_sent(way: WayBack, expected: str | None) -> None:
    decided = decide(message(), mailbox(), Policy(), NOW, way_back=way)
    assert decided.reason is (Reason.UNDELIVERABLE if expected else Reason.REPLIED)
    assert decided.evidence == (expected or "")
    assert decide(message(), mailbox(), Policy(refusal_days=0), NOW, way_back=WayBack(NOW)).reason is Reason.REPLIED
