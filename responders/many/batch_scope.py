"""Which mailboxes a change of many is for: as a person names them, of those the person manages."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from mailboxes import access, addresses
from mailboxes.models import Mailbox, User

MAX_ROWS = 20_000


@dataclass(frozen=True)
class Row:
    """A mailbox to be changed: its address as it was given, and what is said of it alone."""

    address: str
    values: dict[str, Any]


def rows_for(user: User, entries: Iterable[str]) -> list[Row]:
    """The mailboxes of domains and customers, and single ones by address. Raises UnknownScope, TooManyRows."""
    mine = access.mailboxes_managed_by(user)
    wanted: dict[str, Row] = {}
    for entry in entries:
        found = [entry] if "@" in entry else _addresses_of(user, mine, entry)
        wanted |= {address: Row(address, {}) for address in found}
        if len(wanted) > MAX_ROWS:
            raise TooManyRows
    return list(wanted.values())


class UnknownScope(ValueError):
    """Neither a domain nor a customer's number that the person manages; the text is what was typed."""


class TooManyRows(ValueError):
    """More mailboxes than one batch takes."""


def _addresses_of(user: User, mine: QuerySet[Mailbox], entry: str) -> list[str]:
    domains = access.domains_managed_by(user)
    with suppress(addresses.AddressError):
        name = addresses.normalise_domain(entry)
        if domains.filter(name=name).exists():
            return list(
                mine.filter(domain__name=name).order_by("address").values_list("address", flat=True)[: MAX_ROWS + 1]
            )
    names = list(domains.filter(customer__number__iexact=entry).values_list("name", flat=True))
    if not names:
        raise UnknownScope(entry)
    found = mine.filter(domain__name__in=names).order_by("address")
    return list(found.values_list("address", flat=True)[: MAX_ROWS + 1])
