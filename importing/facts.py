"""What another mail system holds, as plain values: what every reader gives and the plan is made of.

Pure. Addresses and names of domains are as the source writes them until `settling.settle` has seen them.
"""

from dataclasses import dataclass, field
from datetime import datetime


class SourceError(ValueError):
    """The source cannot be read at all; the text says why in one line."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not carried over (or, as a note, carried over in another form). `reason`: see docs/import.md.

    `kind`: customer, domain, mailbox, password, alias, catch-all, autoresponder, file.
    """

    kind: str
    name: str
    reason: str
    detail: str = ""
    is_note: bool = False


@dataclass(frozen=True, slots=True)
class Customer:
    """A company or person; `number` identifies it."""

    number: str
    name: str


@dataclass(frozen=True, slots=True)
class Domain:
    """`customer`: a number, or empty. Space in MB of each mailbox, and of all together; None leaves it open."""

    name: str
    is_active: bool = True
    customer: str = ""
    quota_mb: int | None = None
    max_mailboxes: int | None = None
    total_quota_mb: int | None = None


@dataclass(frozen=True, slots=True)
class DomainAlias:
    """A domain whose every address stands for the same one at another domain."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`password` is as the source stores it, `password_scheme` what it is where it does not say so itself."""

    address: str
    name: str = ""
    password: str = field(default="", repr=False)
    password_scheme: str = "CRYPT"  # noqa: S105 (the name of a scheme)
    quota_mb: int | None = None
    is_active: bool = True
    language: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """`address` may be `@domain`: a catch-all."""

    address: str
    targets: tuple[str, ...]
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class CatchAll:
    """Where mail goes to addresses of the domain that nobody has: a mailbox."""

    domain: str
    target: str


@dataclass(frozen=True, slots=True)
class Responder:
    """An autoresponder. Dates are local and naive, in `zone`; texts are ours: Liquid, with literal braces escaped."""

    address: str
    is_enabled: bool
    subject: str
    text_body: str
    html_body: str = ""
    from_date: datetime | None = None
    to_date: datetime | None = None
    zone: str = ""
    interval_days: int = 7
    answers_once: bool = False
    own_addresses: tuple[str, ...] = ()


@dataclass(slots=True)
class Source:
    """All of it."""

    customers: list[Customer] = field(default_factory=list)
    domains: list[Domain] = field(default_factory=list)
    domain_aliases: list[DomainAlias] = field(default_factory=list)
    mailboxes: list[Mailbox] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    catch_alls: list[CatchAll] = field(default_factory=list)
    responders: list[Responder] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
