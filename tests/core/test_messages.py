"""Real messages: each file of tests/messages is named after what must become of it."""

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from responders.core.decision import RULES, Policy, Previous, Reason, decide, decide_by_message
from responders.core.facts import Audience, Conditions
from responders.core.message import Message, header_block, read_message
from responders.core.rendering import render
from responders.core.reply import compose
from responders.core.schedule import Window
from responders.reasons import SENTENCES
from tests.core.facts import NOW, mailbox, responder
from tests.core.valid import assert_answered_well

FOLDER = Path(__file__).parent.parent / "messages"
FILES = sorted(FOLDER.glob("*.eml"))
DECISIONS = Path(__file__).parent.parent.parent / "docs" / "decisions.md"
POLICY = Policy(spam_fields=("X-Spam-Flag: YES", "X-Spam-Status: Yes"), authserv_id="panel.example")
# Reasons that no message brings about by itself, and the tests that show them.
SHOWN_ELSEWHERE = {
    Reason.NO_MAILBOX: "tests/lmtp/test_replies.py::test_nobody_behind_the_address",
    Reason.RATE_LIMITED: "tests/lmtp/test_brakes.py::test_a_mailbox_sends_as_many_replies_as_it_may",
    Reason.UNDELIVERABLE: "tests/lmtp/test_undeliverable.py::test_what_the_dns_says_of_the_senders_domain",
    Reason.REFUSED: "tests/lmtp/test_faults.py::test_a_reply_refused_for_good_is_a_decision_with_the_relays_words",
    Reason.ERROR: "tests/lmtp/test_faults.py::test_a_bug_is_a_decision_and_the_message_is_kept",
}
AWAY = responder(
    window=Window(datetime(2026, 12, 24, 16, tzinfo=UTC), datetime(2027, 1, 4, 7, tzinfo=UTC)),
    from_date=datetime(2026, 12, 24, 17),
    to_date=datetime(2027, 1, 4, 8),
    text_body="Dzień dobry {{ sender.name }}, nie ma mnie do {{ absence.end }}. {{ subject }}",
    html_body="<p>{{ sender.name }}: {{ subject }}</p>",
)
ANNA = mailbox(AWAY)
# Mailboxes whose responders are not for everyone and everything.
OTHERS = {
    "audience": mailbox(replace(AWAY, audience=Audience.COLLEAGUES), colleague_domains=frozenset(["firma.example"])),
    "condition": mailbox(replace(AWAY, conditions=Conditions(words=("reklamacja",), in_body=True, word_forms=True))),
}


def read(path: Path) -> Message:
    """The file's message; its first line is the envelope's reverse-path."""
    first, content = path.read_bytes().split(b"\r\n", 1)
    sender = first.decode().removeprefix("X-Test-Reverse-Path: <").removesuffix(">")
    return read_message(content, sender)


def remembered(message: Message) -> dict[int, Previous]:
    days = message.first("x-test-previous-days")
    return {AWAY.id: Previous(NOW - timedelta(days=int(days)))} if days else {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_message_is_decided_as_its_name_says(path: Path) -> None:
    message = read(path)
    reason = path.name.split("--")[0]
    decided = decide(message, OTHERS.get(reason, ANNA), POLICY, NOW, remembered(message))
    assert decided.reason.value == reason, decided
    order = [rule.reason.value for rule in RULES]
    place = len(order) if decided.reason is Reason.REPLIED else order.index(decided.reason.value)
    assert list(decided.misses) == order[:place]
    assert decided.evidence or decided.reason in {Reason.REPLIED, Reason.NOT_ADDRESSED}
    by_message = decide_by_message(message, POLICY)
    assert by_message is None or by_message.reason is decided.reason


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_message_that_passed_its_own_rules_is_decided_the_same_without_them(path: Path) -> None:
    message, anna = read(path), OTHERS.get(path.name.split("--")[0], ANNA)
    if decide_by_message(message, POLICY) is None:
        previous = remembered(message)
        whole = decide(message, anna, POLICY, NOW, previous)
        assert decide(message, anna, POLICY, NOW, previous, has_passed=True) == whole


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name.startswith("replied")], ids=lambda path: path.stem
)
def test_the_reply_to_a_person_is_a_valid_message(path: Path) -> None:
    message = read(path)
    composed = compose(
        render(AWAY, ANNA, message), ANNA, message, now=NOW, hostname="panel.example", from_address=ANNA.address
    )
    head = composed.content.split(b"\r\n\r\n")[0]
    assert max(len(line) for line in composed.content.split(b"\r\n")) <= 998
    assert all(len(word) <= 75 for word in re.findall(rb"=\?\S+\?=", head))
    parsed = email.message_from_bytes(composed.content, policy=email.policy.SMTP.clone(raise_on_defect=True, utf8=True))
    for field in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"):
        assert len(parsed.get_all(field, [])) == 1
    assert "Bcc" not in parsed
    assert str(parsed["Subject"]) == " ".join(f"Auto: {message.subject}".split())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_message_is_answered_well_also_where_it_breaks_off(path: Path) -> None:
    first, content = path.read_bytes().split(b"\r\n", 1)
    sender = first.decode().removeprefix("X-Test-Reverse-Path: <").removesuffix(">")
    for end in (len(content), len(content) // 2, len(content) // 3):
        assert_answered_well(content[:end], sender)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("replied--iso-8859-2", "Zażółć gęślą jaźń"),
        ("replied--windows-1250", "Śniadanie"),
        ("replied--koi8-r", "Привет"),
        ("replied--iso-2022-jp", "こんにちは"),
        ("replied--raw-utf-8", "Zażółć gęślą jaźń"),
        ("replied--raw-iso-8859-2", "Zażółć gęślą jaźń"),
        ("replied--raw-windows-1250", "Zażółć gęślą jaźń"),
        ("replied--raw-koi8-r", "Привет из Львова"),
        ("replied--raw-windows-1251", "Привет из Львова"),
        ("replied--raw-iso-2022-jp", "こんにちは"),
        ("replied--raw-charset-of-the-body", "Привет"),
        ("replied--raw-charset-of-a-part", "Γειά σου"),
        ("replied--nul-in-fields", "Oferta"),
        ("replied--bare-line-feeds", "Oferta, druga"),
        ("replied--thunderbird", "Zapytanie o ofertę"),
        ("replied--line-end-in-subject", "a Bcc: ofiara@example.com"),
        ("replied--folded-and-doubled", "jeden dwa"),
    ],
)
def test_a_subject_is_read_whatever_its_encoding(name: str, subject: str) -> None:
    assert read(FOLDER / f"{name}.eml").subject == subject


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_message_a_sentence_and_a_line_in_the_documentation(reason: Reason) -> None:
    shown = any(path.name.startswith(f"{reason.value}--") for path in FILES)
    if reason in SHOWN_ELSEWHERE:
        file, _colons, test = SHOWN_ELSEWHERE[reason].partition("::")
        shown = f"def {test}(" in (FOLDER.parent.parent / file).read_text()
    assert shown
    assert str(SENTENCES[reason])
    assert f"`{reason.value}`" in DECISIONS.read_text()


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody\n\nmore\r\n\r\n", b"A: 1\r\nB: 2"),
        (b"A: 1\nB: 2\n\nbody\r\n\r\nmore\n\n", b"A: 1\nB: 2"),
        (b"A: 1\r\n\r\n", b"A: 1"),
        (b"A: 1\n\n", b"A: 1"),
        (b"A: 1\n\nbody\n\nmore", b"A: 1"),
        (b"A: 1\n\n\r\nbody", b"A: 1"),
        (b"A: 1\r\nB: 2", b"A: 1\r\nB: 2"),
        (b"\r\nbody\r\n\r\n", b""),
        (b"\nbody\n\n", b""),
        (b"", b""),
    ],
)
def test_the_header_ends_at_the_first_empty_line_of_either_kind(content: bytes, header: bytes) -> None:
    assert header_block(content) == header
