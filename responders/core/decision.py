"""When we stay silent: the table of rules, in order, and what becomes of it.

The first rule that hits decides. Rules that need only the message come first, so that most machine mail is
settled before any query.
"""

import enum
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from responders.core import rules
from responders.core.facts import (
    Decision,
    MailboxFacts,
    Policy,
    Previous,
    PreviousResponses,
    Reason,
    ResponderFacts,
    WayBack,
)
from responders.core.message import Message

__all__ = [
    "RULES", "Decision", "MailboxFacts", "Policy", "Previous", "PreviousResponses", "Reason", "ResponderFacts",
    "WayBack", "decide", "decide_by_message", "explain",
]  # fmt: skip


class Needs(enum.Enum):
    """What must be known before a rule can speak."""

    MESSAGE = enum.auto()
    MAILBOX = enum.auto()
    MEMORY = enum.auto()


class Rule(NamedTuple):
    """A row of the table."""

    reason: Reason
    test: Callable[[rules.Case], str | None]
    needs: Needs


RULES: tuple[Rule, ...] = (
    Rule(Reason.NULL_REVERSE_PATH, rules.null_reverse_path, Needs.MESSAGE),
    Rule(Reason.SYSTEM_SENDER, rules.system_sender, Needs.MESSAGE),
    Rule(Reason.BAD_REVERSE_PATH, rules.bad_reverse_path, Needs.MESSAGE),
    Rule(Reason.AUTO_SUBMITTED, rules.auto_submitted, Needs.MESSAGE),
    Rule(Reason.LIST_OR_BULK, rules.list_or_bulk, Needs.MESSAGE),
    Rule(Reason.REPORT, rules.report, Needs.MESSAGE),
    Rule(Reason.AUTO_RESPONSE_SUPPRESS, rules.auto_response_suppress, Needs.MESSAGE),
    Rule(Reason.MACHINE_MADE, rules.machine_made, Needs.MESSAGE),
    Rule(Reason.SPAM, rules.spam, Needs.MESSAGE),
    Rule(Reason.FORGED, rules.forged, Needs.MESSAGE),
    Rule(Reason.NO_MAILBOX, rules.no_mailbox, Needs.MAILBOX),
    Rule(Reason.OWN_ADDRESS, rules.own_address, Needs.MAILBOX),
    Rule(Reason.NOT_ADDRESSED, rules.not_addressed, Needs.MAILBOX),
    Rule(Reason.INACTIVE, rules.inactive, Needs.MAILBOX),
    Rule(Reason.AUDIENCE, rules.audience, Needs.MAILBOX),
    Rule(Reason.CONDITION, rules.condition, Needs.MAILBOX),
    Rule(Reason.ALREADY_REPLIED, rules.already_replied, Needs.MEMORY),
    Rule(Reason.RATE_LIMITED, rules.rate_limited, Needs.MEMORY),
    Rule(Reason.UNDELIVERABLE, rules.undeliverable, Needs.MEMORY),
)
_BY_MESSAGE = tuple(rule for rule in RULES if rule.needs is Needs.MESSAGE)
_REST = RULES[len(_BY_MESSAGE) :]
_NAMES = tuple(rule.reason.value for rule in RULES)


class Explained(NamedTuple):
    """What one rule said: outcome is "hit" or "miss"."""

    rule: str
    outcome: str
    evidence: str


def decide_by_message(message: Message, policy: Policy) -> Decision | None:
    """The decision where the message alone settles it, else None: then `decide` has the rest of the table."""
    decided = _first_hit(_BY_MESSAGE, rules.Case(message, policy))
    return decided if decided.reason is not Reason.REPLIED else None


def decide(
    message: Message,
    mailbox: MailboxFacts | None,
    policy: Policy,
    now: datetime,
    previous: PreviousResponses | None = None,
    *,
    way_back: WayBack | None = None,
    has_passed: bool = False,
) -> Decision:
    """The whole table for one mailbox at the moment `now` (UTC): REPLIED with the responder that answers, or a reason.

    `previous` holds, by responder id, the response this sender had under the present text and activation. `has_passed`:
    `decide_by_message` found nothing, so its part of the table is not gone through again.
    """
    case = rules.Case(message, policy, now, mailbox, previous, way_back or rules.UNKNOWN_WAY)
    decided = _first_hit(_REST, case, len(_BY_MESSAGE)) if has_passed else _first_hit(RULES, case)
    return decided._replace(responder=case.responder)


def explain(
    message: Message,
    mailbox: MailboxFacts | None,
    policy: Policy,
    now: datetime,
    previous: PreviousResponses | None = None,
    *,
    way_back: WayBack | None = None,
) -> list[Explained]:
    """Every rule in order, hit or miss, going on after the first hit."""
    case = rules.Case(message, policy, now, mailbox, previous, way_back or rules.UNKNOWN_WAY)
    outcomes = [(rule.reason.value, rule.test(case)) for rule in RULES]
    return [Explained(name, "miss" if evidence is None else "hit", evidence or "") for name, evidence in outcomes]


def _first_hit(table: Sequence[Rule], case: rules.Case, passed: int = 0) -> Decision:
    """What the table says; so many rules before it let the message pass."""
    for place, rule in enumerate(table, passed):
        evidence = rule.test(case)
        if evidence is not None:
            return Decision(rule.reason, evidence, _NAMES[:place])
    return Decision(Reason.REPLIED, "", _NAMES[: passed + len(table)])
