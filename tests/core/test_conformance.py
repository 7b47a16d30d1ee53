"""Clauses of the standards that no other test shows by itself (docs/conformance.md names them all)."""

import pytest

from mailboxes.addresses import normalise
from responders.core.decision import Policy, Reason, decide, decide_by_message, explain
from responders.core.message import read_message
from responders.core.rendering import Rendered
from responders.core.reply import compose
from tests.core.facts import NOW, mailbox, message
from tests.core.valid import NEVER, assert_valid

RENDERED = Rendered("Auto: x", "Nie ma mnie.", "<p>Nie ma mnie.</p>", "pl")


def composed(*fields: str, sender: str = "jan@example.com") -> bytes:
    anna = mailbox()
    given = message(*fields, sender=sender)
    reply = compose(RENDERED, anna, given, now=NOW, hostname="panel.example", from_address=anna.address)
    assert_valid(reply, given, RENDERED, anna.address)
    return reply.content


def test_our_own_reply_is_never_answered() -> None:
    """By four rules besides its reverse-path: not even where somebody on the way puts another sender in."""
    ours = read_message(composed(), "anna@firma.example")
    jan = mailbox(address="jan@example.com", own_addresses=frozenset(["jan@example.com"]))
    hits = {row.rule for row in explain(ours, jan, Policy(), NOW) if row.outcome == "hit"}
    assert hits == {"auto-submitted", "list-or-bulk", "auto-response-suppress", "machine-made"}
    null = decide_by_message(read_message(composed(), ""), Policy())
    assert null is not None
    assert null.reason is Reason.NULL_REVERSE_PATH


def test_a_reply_has_no_field_that_it_should_not_have() -> None:
    head = composed("Reply-To: x@x.example", "Cc: y@x.example", "Bcc: z@x.example").split(b"\r\n\r\n")[0].decode()
    names = [line.partition(":")[0] for line in head.split("\r\n") if not line.startswith(" ")]
    assert set(names) & set(NEVER) == set()
    assert len(names) == len(set(names))


def test_a_message_that_asks_for_a_receipt_is_answered_without_one() -> None:
    asking = message("Disposition-Notification-To: jan@example.com", "Return-Receipt-To: jan@example.com")
    assert decide(asking, mailbox(), Policy(), NOW).reason is Reason.REPLIED
    assert b"isposition" not in composed("Disposition-Notification-To: jan@example.com")


@pytest.mark.parametrize(
    ("value", "is_automatic"),
    [
        ("no", False), ("NO", False), ("No (really)", False), ("(a (b) c) no ; x=y; z=(w)", False), ("no; auto", False),
        ('no (a \\) b)', False), ("", False), ("auto-generated", True), ("auto-replied", True),
        ("auto-generated (rejected)", True), ("Auto-Notified; owner-email=x@y.example", True), ("none", True),
        ("no-way", True), ("x-own", True), ("(no) auto-replied", True), ("yes", True),
    ],
)  # fmt: skip
def test_the_keyword_of_auto_submitted_is_read_through_comments_and_parameters(value: str, is_automatic: bool) -> None:
    decided = decide(message(f"Auto-Submitted: {value}"), mailbox(), Policy(), NOW)
    assert decided.reason is (Reason.AUTO_SUBMITTED if is_automatic else Reason.REPLIED)


@pytest.mark.parametrize(
    ("value", "is_report"),
    [
        ("multipart/report; report-type=delivery-status", True), ("Multipart/Report", True),
        ("multipart/report (a report); report-type=disposition-notification", True), ("multipart / report;x=y", True),
        ("message/delivery-status", True), ("message/disposition-notification", True),
        ("message/tracking-status", True), ("Message/Delivery-Status; x=y", True),
        ("multipart/reporting", False), ("multipart/mixed; x=multipart/report", False), ("text/plain", False),
        ("message/rfc822", False), ("x-multipart/report", False), ("", False),
    ],
)  # fmt: skip
def test_a_report_is_known_by_its_type_however_it_is_written(value: str, is_report: bool) -> None:
    decided = decide(message(f"Content-Type: {value}"), mailbox(), Policy(), NOW)
    assert decided.reason is (Reason.REPORT if is_report else Reason.REPLIED)


@pytest.mark.parametrize(
    "to", ["anna@bücher.example", "Anna@XN--BCHER-KVA.example", "anna@BÜCHER.example.", "anna@bu\u0308cher.example"]
)
def test_an_international_domain_is_one_in_both_its_forms(to: str) -> None:
    anna = mailbox(own_addresses=frozenset([normalise("anna@bücher.example")]))
    assert decide(message(letter=f"To: {to}\r\n".encode()), anna, Policy(), NOW).reason is Reason.REPLIED
    assert decide(message(sender=to), anna, Policy(), NOW).reason is Reason.OWN_ADDRESS
