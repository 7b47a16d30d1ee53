"""Numbers of conversations: how they are written, and what in a message may be one."""

from datetime import date, timedelta

import pytest

from responders.core.cases import PREFIX, memory_key, messages_named, number, number_head, numbers_named
from responders.core.decision import Policy, Previous, Reason, decide
from responders.core.facts import CaseForm
from responders.core.rendering import render
from tests.core.facts import NOW, mailbox, message, responder


@pytest.mark.parametrize(
    ("form", "prefix", "ordinal", "written"),
    [
        (CaseForm.YEAR, "", 123, "2026/000123"),
        (CaseForm.YEAR, "R-", 1, "R-2026/000001"),
        (CaseForm.MONTH, "", 7, "2026-12/000007"),
        (CaseForm.PLAIN, "", 999_999, "999999"),
        (CaseForm.PLAIN, "K/", 1_000_000, "K/1000000"),
    ],
)
def test_a_number_is_written_in_the_form_that_was_chosen(
    form: CaseForm, prefix: str, ordinal: int, written: str
) -> None:
    row = responder(type="standing", gives_case_numbers=True, case_form=form, case_prefix=prefix)
    assert number(number_head(row, date(2026, 12, 31)), ordinal) == written
    assert written in numbers_named(message(f"Subject: Re: Auto: reklamacja [{written}] - pilne"))


@pytest.mark.parametrize(
    ("subject", "named"),
    [
        ("Re: sprawa 2026/000123", ["2026/000123"]),
        ("(nr.2026/000123)", ["nr.2026/000123", "2026/000123"]),
        ("R-2026/000123, K-2026/000124", ["R-2026/000123", "K-2026/000124"]),
        ("tel. 12345", []),
        ("000123abc", []),
        ("nic", []),
    ],
)
def test_what_a_subject_names_may_be_a_number(subject: str, named: list[str]) -> None:
    assert numbers_named(message(f"Subject: {subject}")) == named


@pytest.mark.parametrize(("prefix", "allowed"), [("", True), ("R-", True), ("FV/", True), ("R1", False), ("ż", False)])
def test_a_prefix_never_runs_into_the_number(prefix: str, allowed: bool) -> None:
    assert bool(PREFIX.fullmatch(prefix)) is allowed


def test_a_conversation_is_known_by_its_messages_the_latest_first() -> None:
    found = messages_named(message("References: <1@a.example> <2@a.example>", letter=b"Message-ID: <3@a.example>\r\n"))
    assert found == ["<3@a.example>", "<2@a.example>", "<1@a.example>"]


def test_a_sender_is_remembered_within_the_case() -> None:
    assert memory_key("jan@example.com", "2026/000123") == "jan@example.com 2026/000123"
    assert len(memory_key("x" * 320, "2026/000123")) < 320


def test_a_sender_with_too_many_cases_lately_gets_no_more() -> None:
    row = responder(type="standing", gives_case_numbers=True)

    def reason(previous: Previous) -> Reason:
        return decide(message(), mailbox(row), Policy(), NOW, {1: previous}).reason

    assert reason(Previous(None, 9)) is Reason.REPLIED
    assert reason(Previous(None, 10)) is Reason.ALREADY_REPLIED
    assert reason(Previous(NOW - timedelta(days=1), 1)) is Reason.ALREADY_REPLIED
    assert reason(Previous(NOW - timedelta(days=8), 10)) is Reason.REPLIED  # the same case, after the interval


def test_the_number_stands_in_subject_and_text() -> None:
    row = responder(subject="[{{ case.number }}] {{ subject }}", text_body="Sprawa {{ case.number }}")
    rendered = render(row, mailbox(row), message(), "2026/000123")
    assert (rendered.subject, rendered.text_body) == ("[2026/000123] Oferta", "Sprawa 2026/000123")


def test_a_message_without_an_id_is_known_by_those_it_refers_to() -> None:
    nameless = message("References: <0@example.com>", letter=b"To: anna@firma.example\r\n")
    assert messages_named(nameless) == ["<0@example.com>"]
