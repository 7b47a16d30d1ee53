"""Domains of customers from a CSV file: first a plan that shows what would be made, then all of it or nothing."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils.translation import gettext as _

from mailboxes import addresses, hosting, services
from mailboxes.domain_dns import claims
from mailboxes.files.file_kinds import Kind, Made, NoNumber, Row, limit_cell, number
from mailboxes.log import Actor
from mailboxes.models import MAX_MAILBOXES, MAX_QUOTA_MB, MAX_REPLIES, MAX_TOTAL_QUOTA_MB, Customer, Domain
from mailboxes.services import MailboxesError

# Somebody waits for the answer. More go by the command `fromfile`.
MAX_ROWS = 1_000
COLUMNS = {
    "domain": "domain", "domena": "domain", "customer": "customer", "customer number": "customer",
    "klient": "customer", "numer klienta": "customer", "quota_mb": "quota_mb",
    "total_quota_mb": "total_quota_mb", "max_mailboxes": "max_mailboxes",
    "replies_per_hour": "replies_per_hour",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A domain to be made; whoever makes it says that it is the customer's."""

    name: str
    customer: str = ""
    quota_mb: int | None = None
    total_quota_mb: int | None = None
    max_mailboxes: int | None = None
    replies_per_hour: int | None = None
    problem: str = ""
    is_there: bool = False

    @property
    def key(self) -> str:
        """As a person reads it."""
        return self.name if self.problem else addresses.display_domain(self.name)

    @property
    def would(self) -> str:
        """Whose it would be, and what it may hold."""
        whose = _("customer %(number)s") % {"number": self.customer} if self.customer else _("of no customer")
        limits = (
            (_("%(count)d MB for each mailbox"), self.quota_mb),
            (_("%(count)d MB for all mailboxes together"), self.total_quota_mb),
            (_("at most %(count)d mailboxes"), self.max_mailboxes),
            (_("at most %(count)d replies an hour"), self.replies_per_hour or None),
        )  # fmt: skip
        return " · ".join([whose, *(words % {"count": limit} for words, limit in limits if limit is not None)])

    @property
    def cells(self) -> list[str]:
        """As it goes from the preview to the making: limits as they were shown, whatever is usual by then."""
        replies = "" if self.replies_per_hour is None else str(self.replies_per_hour)
        limits = (self.quota_mb, self.total_quota_mb, self.max_mailboxes)
        return [self.name, self.customer, *map(limit_cell, limits), replies]


def plan(rows: Iterable[Row]) -> list[Line]:
    """What each row would make, or why it cannot. Makes nothing.

    An empty limit is what the customer's domains that are there have: the order of the lines does not matter.
    """
    rows = list(rows)
    owners = Customer.objects.in_bulk({row.get("customer", "") for row in rows} - {""}, field_name="number")
    usual_of = claims.usual_limits_of(customer.pk for customer in owners.values())
    usual = {number: usual_of.get(customer.pk, claims.NO_LIMITS) for number, customer in owners.items()}
    read = [_read(row, usual) for row in rows]
    there = Domain.objects.filter(name__in=[line.name for line in read])
    taken = dict(there.values_list("name", "customer__number"))
    seen: set[str] = set()
    planned = []
    for line in read:
        problem = line.problem or _problem_with(line, taken, owners, seen)
        is_there = (
            line.name in taken
            and not services.words_of_deleted(line.name)
            and (taken[line.name] or "") == line.customer
        )
        planned.append(replace(line, problem=problem, is_there=is_there))
        seen.add(line.name)
    return planned


def _read(row: Row, usual: Mapping[str, claims.Limits]) -> Line:
    typed, customer = row.get("domain", ""), row.get("customer", "")
    try:
        name = claims.name_typed(typed)
        limits = _limits(row, usual.get(customer, claims.NO_LIMITS))
    except (MailboxesError, NoNumber) as error:
        return Line(typed[:300], customer[:100], problem=str(error))
    return Line(
        name, customer[:100], quota_mb=limits["quota_mb"], total_quota_mb=limits["total_quota_mb"],
        max_mailboxes=limits["max_mailboxes"], replies_per_hour=limits["replies_per_hour"],
    )  # fmt: skip


def _limits(row: Row, usual: claims.Limits) -> claims.Limits:
    """Raises NoNumber."""
    bounds = {
        "quota_mb": (1, MAX_QUOTA_MB), "total_quota_mb": (1, MAX_TOTAL_QUOTA_MB), "max_mailboxes": (0, MAX_MAILBOXES),
        "replies_per_hour": (0, MAX_REPLIES),
    }  # fmt: skip
    return {
        name: number(row[name], name, least=least, most=most) if row.get(name) else usual.get(name)
        for name, (least, most) in bounds.items()
    }


def _problem_with(line: Line, taken: Container[str], customers: Container[str], seen: set[str]) -> str:
    if line.name in taken:
        return services.words_of_deleted(line.name) or _("The panel has this domain already.")
    if line.name in seen:
        return _("The domain stands in the file twice.")
    if line.customer and line.customer not in customers:
        return _("No customer has this number.")
    return ""


def in_turn(line: Line) -> str:
    """By name."""
    return line.name


@transaction.atomic
def make(planned: Iterable[Line], *, actor: Actor) -> list[Made]:
    """Make all of it or nothing. Raises MailboxesError: somebody was faster.

    Customers are held and domains made in one order, so that of two files at once none waits for the other for ever.
    """
    lines = sorted(planned, key=in_turn)
    held = Customer.objects.select_for_update(no_key=True).filter(number__in={line.customer for line in lines})
    owners = {customer.number: customer for customer in held.order_by("pk")}
    return [_domain(line, owners, actor) for line in lines]


def _domain(line: Line, owners: Mapping[str, Customer], actor: Actor) -> Made:
    if line.customer and line.customer not in owners:
        words = _("No customer has this number.")
        raise MailboxesError(f"{line.key}: {words}")
    limits = {name: getattr(line, name) for name in claims.NO_LIMITS}
    try:
        domain = claims.add_domain(owners.get(line.customer), line.name, actor=actor, **limits)
    except MailboxesError as error:
        raise MailboxesError(f"{line.key}: {error}") from error
    if line.replies_per_hour is not None:
        hosting.set_domain(domain, actor=actor, replies_per_hour=line.replies_per_hour)
    return Made(line.key)


ORDER = ("domain", "customer", "quota_mb", "total_quota_mb", "max_mailboxes", "replies_per_hour")
KIND = Kind(COLUMNS, ORDER, MAX_ROWS, plan, make, in_turn)
