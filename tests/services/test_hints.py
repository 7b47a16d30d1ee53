"""What a person is told about a responder that may be saved all the same."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mailboxes.models import Mailbox
from responders.core.facts import Text
from responders.drafting import hints
from responders.services import save_responder, unsaved
from responders.validation import ResponderInput

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
TYPED = ResponderInput(
    type="absence", is_enabled=True, from_date=datetime(2026, 12, 24, 17), to_date=datetime(2027, 1, 4, 8),
    time_zone="Europe/Warsaw", subject="Auto: {{ subject }}", text_body="Nie ma mnie.",
)  # fmt: skip


def typed(**changes: Any) -> ResponderInput:
    return ResponderInput(**vars(TYPED) | changes)


def told(mailbox: Mailbox, **changes: Any) -> list[str]:
    return [str(sentence) for sentence in hints.about(unsaved(mailbox, typed(**changes), NOW), NOW)]


def test_a_plain_absence_needs_no_words(mailbox: Mailbox) -> None:
    assert told(mailbox) == []


@pytest.mark.parametrize(
    "text",
    [
        "Hasło to kot",
        "Klucze są u dozorcy",
        "Nikogo nie ma w domu",
        "The house is empty",
        "PESEL 02070803628",
    ],
)
def test_a_text_that_strangers_should_not_read_is_pointed_out(mailbox: Mailbox, text: str) -> None:
    assert told(mailbox, text_body=text) == [
        "Everyone who writes reads this text, strangers and spammers too: does it tell them too much?"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"text_body": "Klucze są u dozorcy", "audience": "colleagues"},
        {"text_body": "Wracam w poniedziałek, tel. 22 123 45 67. Kluczowe sprawy: biuro@firma.example"},
    ],
)
def test_what_colleagues_read_alone_and_what_is_harmless_is_not(mailbox: Mailbox, changes: dict[str, Any]) -> None:
    assert told(mailbox, **changes) == []


def test_a_text_for_colleagues_may_say_more_than_the_first_one(mailbox: Mailbox) -> None:
    text = Text(subject="Auto", text_body="Klucze są u Ewy", html_body="", language="pl", for_colleagues=True)
    assert told(mailbox, texts=(text,)) == [
        "Colleagues get a text of their own; everyone else, strangers too, gets the first one."
    ]


def test_an_open_end_that_nobody_is_reminded_of(mailbox: Mailbox) -> None:
    assert len(told(mailbox, to_date=None)) == 1
    mailbox.notify_still_on = False
    assert "Nobody reminds you of it" in told(mailbox, to_date=None)[1]


def test_which_of_two_in_the_same_time_answers(mailbox: Mailbox) -> None:
    first = save_responder(mailbox, typed(subject="Święta"), actor=None, now=NOW)
    assert "“Święta” answers in that time, too, and comes first" in told(mailbox)[0]
    second = save_responder(mailbox, typed(subject="Urlop"), actor=None, now=NOW)
    assert "“Urlop” is on in that time, too; this one comes first" in str(hints.about(first, NOW)[0])
    draft = unsaved(mailbox, typed(), NOW, second)
    assert [str(each)[:8] for each in hints.about(draft, NOW, second)] == ["“Święta”"]


@pytest.mark.parametrize(
    "other",
    [
        {"to_date": datetime(2026, 12, 24, 17)},  # ends when the other starts
        {"is_enabled": False},
        {"words": ("oferta",)},
        {"audience": "colleagues"},
    ],
)
def test_one_that_leaves_room_is_no_rival(mailbox: Mailbox, other: dict[str, Any]) -> None:
    save_responder(mailbox, typed(from_date=datetime(2026, 12, 2), **{"subject": "Inna"} | other), actor=None, now=NOW)
    assert told(mailbox) == []


def test_a_standing_reply_meets_every_absence(mailbox: Mailbox) -> None:
    standing = {"type": "standing", "from_date": None, "to_date": None, "subject": "Zawsze"}
    save_responder(mailbox, typed(**standing), actor=None, now=NOW)
    assert "“Zawsze” answers in that time, too" in told(mailbox)[0]
    assert told(mailbox, is_enabled=False) == []
