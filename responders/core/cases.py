"""Case numbers: one for each conversation, in a form that the owner of the mailbox chose."""

import re
from datetime import date

from responders.core.facts import CaseForm, ResponderFacts
from responders.core.message import Message

MAX_CASES = 10  # for one sender within CASE_HOURS
CASE_HOURS = 3
DIGITS = 6  # at least
MAX_PREFIX = 20
# Not ending in a digit: where the prefix ends and the number begins must be plain.
PREFIX = re.compile(rf"(?:[A-Za-z0-9./-]{{0,{MAX_PREFIX - 1}}}[A-Za-z./-])?")
_LIKE_A_NUMBER = re.compile(rf"[A-Za-z0-9./-]{{0,40}}[0-9]{{{DIGITS},12}}(?![A-Za-z0-9])")
_ABBREVIATION = re.compile(r"^(?:nr|no|n)\.", re.IGNORECASE)  # nr.2026/000123
_MAX_NUMBERS = 10
_MAX_KEY = 255  # of a sender's key, so that the number fits behind it
_MAX_IDS = 100


def number_head(responder: ResponderFacts, day: date) -> str:
    """What stands before the digits of a number that is given on this day (of the mailbox's zone).

    Each head has a series of its own, so that numbers begin anew with the year, or the month, where it names them.
    """
    match responder.case_form:
        case CaseForm.YEAR:
            return f"{responder.case_prefix}{day:%Y}/"
        case CaseForm.MONTH:
            return f"{responder.case_prefix}{day:%Y-%m}/"
    return responder.case_prefix


def number(head: str, ordinal: int) -> str:
    """“2026/000123”."""
    return f"{head}{ordinal:0{DIGITS}}"


def numbers_named(message: Message) -> list[str]:
    """What in the subject may be the number of a case; the database knows which of them is."""
    found = _LIKE_A_NUMBER.findall(message.subject[:500])[:_MAX_NUMBERS]
    return list(dict.fromkeys(form for number in found for form in (number, _ABBREVIATION.sub("", number))))


def messages_named(message: Message) -> list[str]:
    """The Message-IDs by which the conversation may be known: its own, and those it refers to (RFC 5322 §3.6.4)."""
    own = [message.message_id] if message.message_id else []
    return [*own, *reversed(message.references)][:_MAX_IDS]


def memory_key(reverse_path_key: str, number: str) -> str:
    """Under which a sender is remembered within the case of that number."""
    return f"{reverse_path_key[:_MAX_KEY]} {number}"
