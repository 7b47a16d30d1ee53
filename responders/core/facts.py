"""What a decision is made from, and the words for its outcome."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from responders.core.hours import OfficeHours
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
    AUDIENCE = "audience"
    CONDITION = "condition"
    ALREADY_REPLIED = "already-replied"
    RATE_LIMITED = "rate-limited"
    UNDELIVERABLE = "undeliverable"
    REFUSED = "refused"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator configured.

    `system_senders`: local parts beyond the built-in ones, where a leading or trailing * stands for anything.
    `spam_fields`: "Name: value", the value compared from its beginning.
    `authserv_id`: of our own filter (RFC 8601 §2.5). Of the brakes 0 means none. For `refusal_days` an address that
    refused a reply gets none.
    """

    system_senders: tuple[str, ...] = ()
    spam_fields: tuple[str, ...] = ()
    authserv_id: str = ""
    recipient_delimiter: str = "+"
    mailbox_replies_per_hour: int = 0
    domain_replies_per_hour: int = 0
    refusal_days: int = 60

    def with_changes(self, said: Mapping[str, Any]) -> "Policy":
        """The same with what was said otherwise while running; None says nothing."""
        changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        changes |= {name: tuple(value) for name, value in changes.items() if isinstance(value, list)}
        return replace(self, **changes)


class Audience(enum.StrEnum):
    """Whom a responder answers. Colleagues write from a domain of the same customer."""

    EVERYONE = "everyone"
    COLLEAGUES = "colleagues"
    OTHERS = "others"


class CaseForm(enum.StrEnum):
    """How a case number is written: 2026/000123, 2026-11/000123 or 000123."""

    YEAR = "year"
    MONTH = "month"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Text:
    """What a reply says in one language (a BCP 47 tag), to everyone or to colleagues."""

    language: str
    subject: str
    text_body: str
    html_body: str = ""
    for_colleagues: bool = False


@dataclass(frozen=True, slots=True)
class Conditions:
    """Which messages a responder is for; what is empty does not count, of what is given all must hold.

    `words`: one of them stands in the subject, or with `in_body` in the text, as a whole word whatever the case and
    the accents; with `word_forms` also in its inflected forms. `senders`: addresses or domains in normal form.
    """

    words: tuple[str, ...] = ()
    in_body: bool = False
    word_forms: bool = False
    senders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponderFacts:
    """A responder as stored. `from_date` and `to_date` are naive, as typed, in `time_zone`; the window is in UTC.

    `subject`, `text_body` and `html_body` are its own text, in `language`; `texts` are those for others. `addresses`
    are those of the mailbox that it answers for, all of them where it is empty. With `answers_once` the interval
    never ends within an activation. With `gives_case_numbers` each conversation counts for itself.
    Without `hours` it answers at any time of the week. `country` (ISO 3166-1) says which days are public holidays.
    """

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
    answers_once: bool = False
    language: str = ""
    texts: tuple[Text, ...] = ()
    audience: Audience = Audience.EVERYONE
    addresses: frozenset[str] = frozenset()
    conditions: Conditions = Conditions()
    deputy_name: str = ""
    deputy_address: str = ""
    gives_case_numbers: bool = False
    case_form: CaseForm = CaseForm.YEAR
    case_prefix: str = ""
    hours: OfficeHours | None = None
    country: str = ""

    def is_active(self, at: datetime) -> bool:
        """Whether it answers at the moment."""
        in_hours = self.hours is None or self.hours.answers(at, self.time_zone)
        return in_hours and self.is_enabled and self.window.contains(at)


@dataclass(frozen=True, slots=True)
class Brake:
    """How many replies went out within the last hour, and how many may; None: as the policy says."""

    replies: int = 0
    per_hour: int | None = None

    def drawn_at(self, usual: int) -> int:
        """The limit that is reached, or 0."""
        limit = usual if self.per_hour is None else self.per_hour
        return limit if 0 < limit <= self.replies else 0


@dataclass(frozen=True, slots=True)
class MailboxFacts:
    """A mailbox and its responders in the owner's order. Addresses and domains are in normal form.

    `colleague_domains`: those of the same customer, maybe only the ones that matter for the message.
    `has_bounce_address`: replies do not have the null reverse-path, but one to which reports come back.
    """

    id: int
    address: str
    name: str
    language: str
    time_zone: str
    own_addresses: frozenset[str]
    responders: tuple[ResponderFacts, ...] = ()
    colleague_domains: frozenset[str] = frozenset()
    mailbox_brake: Brake = Brake()
    domain_brake: Brake = Brake()
    has_bounce_address: bool = False


@dataclass(frozen=True, slots=True)
class Previous:
    """When this sender was last answered (or the answer was claimed) with a responder's present text and activation.

    Of a responder that gives case numbers: within this conversation, and in how many cases the sender began lately.
    """

    replied_at: datetime | None
    cases_lately: int = 0


@dataclass(frozen=True, slots=True)
class WayBack:
    """What is known of the way to the reverse-path.

    `refused_at` (UTC) and `refusal`: when a reply to that very address was last refused for good, and the words.
    `domain_trouble`: why no mail can reach its domain, as the DNS says; empty if it may, or was not asked.
    `is_ours`: the domain is hosted here, so no DNS is needed to reach it.
    """

    refused_at: datetime | None = None
    refusal: str = ""
    domain_trouble: str = ""
    is_ours: bool = False


class Decision(NamedTuple):
    """Replied or a reason, its evidence, the names of the rules that let the message pass, and who answers."""

    reason: Reason
    evidence: str = ""
    misses: tuple[str, ...] = ()
    responder: ResponderFacts | None = None


PreviousResponses = Mapping[int, Previous]  # by responder id
