"""What a decision is made from, and the words for its outcome."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from responders.core.schedule import Window


class Reason(enum.StrEnum):
    """Replied, or why not: the same word in the log, the database, the metrics and the page."""

    REPLIED = "replied"
    BAD_REVERSE_PATH = "bad-reverse-path"
    NULL_REVERSE_PATH = "null-reverse-path"
    SYSTEM_SENDER = "system-sender"
    AUTO_SUBMITTED = "auto-submitted"
    LIST_OR_BULK = "list-or-bulk"
    REPORT = "report"
    AUTO_RESPONSE_SUPPRESS = "auto-response-suppress"
    MACHINE_MADE = "machine-made"
    SPAM = "spam"
    FORGED = "forged"
    NO_MAILBOX = "no-mailbox"
    OWN_ADDRESS = "own-address"
    NOT_ADDRESSED = "not-addressed"
    INACTIVE = "inactive"
    ALREADY_REPLIED = "already-replied"
    REFUSED = "refused"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator configured.

    `system_senders`: local parts beyond the built-in ones, where a leading or trailing * stands for anything.
    `spam_fields`: "Name: value", the value compared from its beginning.
    `authserv_id`: of our own filter (RFC 8601 §2.5).
    """

    system_senders: tuple[str, ...] = ()
    spam_fields: tuple[str, ...] = ()
    authserv_id: str = ""
    recipient_delimiter: str = "+"


@dataclass(frozen=True, slots=True)
class ResponderFacts:
    """A responder as stored. `from_date` and `to_date` are naive, as typed, in `time_zone`; the window is in UTC."""

    id: int
    mailbox_id: int
    type: str
    is_enabled: bool
    window: Window
    time_zone: str
    from_date: datetime | None
    to_date: datetime | None
    subject: str
    text_body: str
    html_body: str
    text_revision: int
    activation: int
    interval_days: int

    def is_active(self, at: datetime) -> bool:
        """Whether it answers at the moment."""
        return self.is_enabled and self.window.contains(at)


@dataclass(frozen=True, slots=True)
class MailboxFacts:
    """A mailbox and its responders in the owner's order. Addresses are in normal form."""

    id: int
    address: str
    name: str
    language: str
    time_zone: str
    own_addresses: frozenset[str]
    responders: tuple[ResponderFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class Previous:
    """When this sender was last answered (or the answer was claimed) with a responder's present text and activation."""

    replied_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """Replied or a reason, its evidence, the names of the rules that let the message pass, and who answers."""

    reason: Reason
    evidence: str = ""
    misses: tuple[str, ...] = field(default=())
    responder: ResponderFacts | None = None


PreviousResponses = Mapping[int, Previous]  # by responder id
