"""The evidence of each rule, as the page and the log show it."""

from datetime import timedelta, timezone

import pytest

from responders.core.decision import Policy, Previous, Reason, decide, explain
from responders.core.facts import Audience, Brake, Conditions
from tests.core.facts import NOW, mailbox, message, responder

POLICY = Policy(
    spam_fields=("X-Spam: Yes: very", " X-Flag : on "), authserv_id="panel.example", system_senders=("*ux",)
)


def evidence(reason: str, *fields: str, sender: str = "jan@example.com", anna: object = None, **more: object) -> str:
    decided = decide(message(*fields, sender=sender), anna or mailbox(), POLICY, NOW, **more)  # type: ignore[arg-type]
    assert decided.reason.value == reason
    return decided.evidence


@pytest.mark.parametrize(
    ("reason", "sender", "shown"),
    [
        ("null-reverse-path", "", "MAIL FROM:<>"),
        ("null-reverse-path", "<>", "MAIL FROM:<>"),
        ("system-sender", "<MAILER-DAEMON@example.com>", "MAIL FROM:<MAILER-DAEMON@example.com>"),
        ("system-sender", "xerox@example.com", None),
        ("system-sender", "linux@example.com", "MAIL FROM:<linux@example.com>"),
        ("bad-reverse-path", "jan", "MAIL FROM:<jan>"),
        ("bad-reverse-path", "jan @example.com", "MAIL FROM:<jan @example.com>"),
        ("bad-reverse-path", "jan@ example.com", "MAIL FROM:<jan@ example.com>"),
        ("bad-reverse-path", "\u00a0jan@example.com", None),
        ("own-address", "Anna@firma.example", "MAIL FROM:<anna@firma.example>"),
        ("own-address", "anna+x@firma.example", "MAIL FROM:<anna+x@firma.example>"),
    ],
)
def test_of_the_sender(reason: str, sender: str, shown: str | None) -> None:
    decided = decide(message(sender=sender), mailbox(), POLICY, NOW)
    if shown is None:
        assert decided.reason is Reason.REPLIED
    else:
        assert (decided.reason.value, decided.evidence) == (reason, shown)


@pytest.mark.parametrize(
    ("reason", "field"),
    [
        ("auto-submitted", "Auto-Submitted: auto-generated (x)"),
        ("auto-submitted", "Auto-Submitted: auto-generated; no"),
        ("list-or-bulk", "List-Id: <x>"),
        ("list-or-bulk", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"),
        ("list-or-bulk", "Mailing-List: x"),
        ("list-or-bulk", "Feedback-ID: 1:2"),
        ("list-or-bulk", "Precedence: LIST (ours)"),
        ("report", "Content-Type: multipart/report; x=y"),
        ("auto-response-suppress", "X-Auto-Response-Suppress: DR, OOF , NRN"),
        ("machine-made", "X-Autoreply: yes"),
        ("machine-made", "X-Amazon-Auto-Reply: true"),
        ("machine-made", "X-Loop: Webmail-Panel ; x=y"),
        ("machine-made", "Precedence: auto_reply"),
        ("spam", "X-Spam: yes: VERY much"),
        ("spam", "X-Flag: on"),
        ("forged", "Authentication-Results: panel.example; spf=none; dmarc=fail"),
        ("forged", "Authentication-Results: (a) panel.example (b); x=y (c); dmarc=fail"),
    ],
)
def test_of_a_field_is_the_field(reason: str, field: str) -> None:
    assert evidence(reason, field) == field


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: No", "Auto-Submitted: no; x=y", "Auto-Submitted:", "Precedence: first-class",
        "X-Auto-Response-Suppress: DR", "X-Auto-Response-Suppress: RN, NRN", "X-Autoreply: NO", "X-Autoreply: False",
        "X-Autoreply: 0", "X-Loop: a webmail-panel", "X-Spam: Yes",
        "Authentication-Results: panel.example; dmarc=failure",
        "Authentication-Results: ; dmarc=fail", "Authentication-Results: (panel.example) x.example; dmarc=fail",
    ],
)  # fmt: skip
def test_a_field_that_says_nothing_is_none(field: str) -> None:
    assert evidence("replied", field) == ""


def test_evidence_has_a_length() -> None:
    assert len(evidence("list-or-bulk", "List-Id: " + "x" * 9_000)) == 500


def test_of_a_message_that_names_somebody_else_it_is_whom_it_names() -> None:
    letter = (
        b"Resent-Cc: d@x.example\r\nTo: a@x.example\r\nCc: b@x.example\r\nResent-To: c@x.example\r\nTo: second\r\n"
        b"Bcc: e@x.example\r\nResent-Bcc: f@x.example\r\n"
    )
    decided = decide(message(letter=letter), mailbox(), POLICY, NOW)
    assert decided.reason is Reason.NOT_ADDRESSED
    assert decided.evidence == (
        "To: a@x.example, Cc: b@x.example, Bcc: e@x.example, Resent-To: c@x.example, Resent-Cc: d@x.example, "
        "Resent-Bcc: f@x.example"
    )
    assert decide(message(letter=b"Subject: x\r\n"), mailbox(), POLICY, NOW).evidence == ""
    long = decide(message(letter=b"To: " + b"x" * 1_000 + b"\r\n"), mailbox(), POLICY, NOW)
    assert len(long.evidence) == 500


def test_of_an_inactive_responder_it_is_when_the_message_came() -> None:
    field = "Received: by mx.example id 1; Mon, 28 Dec 2026 10:00:00 +0100"
    off = mailbox(responder(is_enabled=False))
    assert evidence("inactive", field, anna=off) == "received 2026-12-28T09:00:00+00:00"
    assert evidence("inactive", anna=off) == ""


def test_of_responders_for_others_it_is_whom_they_answer() -> None:
    anna = mailbox(responder(audience=Audience.COLLEAGUES), responder(id=2, audience=Audience.COLLEAGUES))
    assert evidence("audience", anna=anna) == "MAIL FROM:<jan@example.com>, answers colleagues"
    few = mailbox(
        responder(conditions=Conditions(words=("a b", "c"), senders=("x.example",))),
        responder(id=2, addresses=frozenset(["b@firma.example", "a@firma.example"])),
    )
    assert evidence("condition", anna=few) == (
        "answers only x.example, “a b”, “c”; answers for a@firma.example, b@firma.example"
    )
    many = mailbox(responder(conditions=Conditions(words=("x" * 400, "y" * 400))))
    assert len(evidence("condition", anna=many)) == 500


def test_of_a_previous_response_it_is_when_in_utc() -> None:
    replied_at = (NOW - timedelta(days=1)).astimezone(timezone(timedelta(hours=5)))
    assert evidence("already-replied", previous={1: Previous(replied_at)}) == "answered 2026-12-27T12:00:00Z"


def test_a_mailbox_that_is_gone_leaves_no_evidence() -> None:
    assert decide(message(), None, POLICY, NOW).evidence == ""


def test_explain_shows_the_evidence_of_every_rule_that_hits() -> None:
    rows = explain(message("List-Id: x"), mailbox(), POLICY, NOW, {1: Previous(NOW)})
    shown = {row.rule: row.evidence for row in rows if row.outcome == "hit"}
    assert shown == {"list-or-bulk": "List-Id: x", "already-replied": "answered 2026-12-28T12:00:00Z"}
    assert {row.evidence for row in rows if row.outcome == "miss"} == {""}


def test_explain_judges_at_the_moment_that_is_asked_for() -> None:
    later = mailbox(responder(interval_days=1))
    previous = {1: Previous(NOW - timedelta(days=1))}
    assert [row.rule for row in explain(message(), later, POLICY, NOW, previous) if row.outcome == "hit"] == []


def test_without_a_delimiter_there_are_no_subaddresses() -> None:
    letter = b"To: anna+x@firma.example\r\n"
    decided = decide(message(letter=letter), mailbox(), Policy(recipient_delimiter=""), NOW)
    assert decided.reason is Reason.NOT_ADDRESSED
    own = decide(message(sender="anna-x@firma.example"), mailbox(), Policy(recipient_delimiter="-"), NOW)
    assert own.reason is Reason.OWN_ADDRESS


@pytest.mark.parametrize(
    ("pattern", "sender", "is_system"),
    [
        ("robot", "robot@x.example", True), ("robot", "robots@x.example", False), ("ROBOT", "robot@x.example", True),
        ("robot*", "robots@x.example", True), ("robot*", "a.robot@x.example", False),
        ("*robot", "a.robot@x.example", True), ("*robot", "robots@x.example", False),
        ("*robot*", "a.robots@x.example", True), ("*robot*", "a.robo.t@x.example", False),
        ("x-*", "x-1@x.example", True), ("*-x", "1-x@x.example", True), ("x-*", "-1@x.example", False),
    ],
)  # fmt: skip
def test_a_star_stands_for_anything(pattern: str, sender: str, is_system: bool) -> None:
    decided = decide(message(sender=sender), mailbox(), Policy(system_senders=(pattern,)), NOW)
    assert (decided.reason is Reason.SYSTEM_SENDER) is is_system


@pytest.mark.parametrize(
    ("local_part", "is_system"),
    [
        ("foo-request", True), ("request-info", False), ("request", False), ("-request", False),
        ("owner-foo", True), ("foo-owner", True), ("ownership-x", False), ("owner-", False), ("homeowner", False),
        ("foo-bounces", True), ("foo-bounces+jan=x.example", True), ("bounces-7", True), ("bounce+7", True),
        ("bounce=7", True), ("bouncer", False), ("bounce", True), ("bounces", True),
        ("no-reply", True), ("noreply", True), ("no_reply", True), ("no.reply", True), ("noreply-7", True),
        ("do-not-reply", True), ("donotreply", True), ("DoNotReply+x", True), ("do_not_respond", True),
        ("nie-odpowiadaj", True), ("nieodpowiadaj", True), ("noreplying", False), ("norepl", False),
        ("casino-reply", False), ("listserv", True), ("majordomo", True), ("listproc", True),
        ("autoresponder", True), ("mailer-daemon", True), ("mailer-daemons", False),
        ("postmaster", False), ("webmaster", False), ("root", False), ("info", False),
    ],
)  # fmt: skip
def test_a_system_sender_is_known_by_its_whole_local_part(local_part: str, is_system: bool) -> None:
    decided = decide(message(sender=f"{local_part}@example.com"), mailbox(), Policy(), NOW)
    assert (decided.reason is Reason.SYSTEM_SENDER) is is_system


@pytest.mark.parametrize("name", ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc", "TO", "resent-bcc"])
def test_an_own_address_counts_in_every_field_of_recipients(name: str) -> None:
    letter = f"To: other@x.example\r\n{name}: Anna <anna@firma.example>\r\n".encode()
    assert decide(message(letter=letter), mailbox(), POLICY, NOW).reason is Reason.REPLIED
    other = f"X-{name}: anna@firma.example\r\n".encode()
    assert decide(message(letter=other), mailbox(), POLICY, NOW).reason is Reason.NOT_ADDRESSED


def test_explain_goes_through_every_rule_without_a_mailbox_too() -> None:
    rows = explain(message(), None, POLICY, NOW)
    assert {row.rule for row in rows if row.outcome == "hit"} == {"no-mailbox", "not-addressed", "inactive"}


@pytest.mark.parametrize(
    ("replies", "own_limit", "usual", "limit"),
    [
        (9, None, 10, 0), (10, None, 10, 10), (11, None, 10, 10), (5, 5, 10, 5), (4, 5, 3, 0), (100, 0, 10, 0),
        (100, None, 0, 0), (1, 1, 10, 1), (0, None, 1, 0), (0, 0, 0, 0),
    ],
)  # fmt: skip
def test_a_brake_draws_at_its_limit(replies: int, own_limit: int | None, usual: int, limit: int) -> None:
    assert Brake(replies, own_limit).drawn_at(usual) == limit


def test_the_evidence_of_a_brake_is_whose_it_is_and_its_limit() -> None:
    policy = Policy(mailbox_replies_per_hour=3, domain_replies_per_hour=7)
    for mailboxs, domains, shown in [
        (Brake(3), Brake(7), "mailbox: 3 an hour"),
        (Brake(2), Brake(7), "domain: 7 an hour"),
        (Brake(2), Brake(6), ""),
    ]:
        decided = decide(message(), mailbox(mailbox_brake=mailboxs, domain_brake=domains), policy, NOW)
        assert (decided.reason is Reason.REPLIED, decided.evidence) == (not shown, shown)
