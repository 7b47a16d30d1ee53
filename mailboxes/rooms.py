"""For how many more mailboxes there is room: in a domain, and in all domains of a customer together."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from mailboxes import addresses
from mailboxes.models import Customer, Domain


@dataclass
class Room:
    """`left`: so many more mailboxes in these domains; `problem` says what follows when it is used up."""

    names: frozenset[str]
    left: int
    problem: str


def rooms_in(names: Iterable[str]) -> list[Room]:
    """The limits that mailboxes in these domains run into; nothing where there are none. Two queries, or three."""
    domains = Domain.objects.filter(name__in=set(names))
    limited = domains.exclude(max_mailboxes=None).annotate(count=Count("mailbox"))
    rows = limited.values_list("name", "max_mailboxes", "count")
    return [*(_of_domain(name, most or 0, count) for name, most, count in rows), *_of_customers(domains)]


def _of_domain(name: str, most: int, count: int) -> Room:
    words = _("%(domain)s may have %(most)s mailboxes at most.")
    return Room(frozenset({name}), most - count, words % {"domain": addresses.display_domain(name), "most": most})


def _of_customers(domains: QuerySet[Domain]) -> list[Room]:
    limited = Customer.objects.filter(domains__in=domains).exclude(max_mailboxes=None).distinct()
    found = {customer.pk: customer for customer in limited}
    names: dict[int, set[str]] = {pk: set() for pk in found}
    counts = dict.fromkeys(found, 0)
    theirs = Domain.objects.filter(customer__in=found).annotate(count=Count("mailbox"))
    for name, pk, count in theirs.values_list("name", "customer", "count") if found else ():
        names[pk or 0].add(name)
        counts[pk or 0] += count
    return [_of_customer(found[pk], names[pk], counts[pk]) for pk in found]


def _of_customer(customer: Customer, names: set[str], count: int) -> Room:
    most = customer.max_mailboxes or 0
    words = _("%(customer)s may have %(most)s mailboxes at most, in all domains together.")
    return Room(frozenset(names), most - count, words % {"customer": customer, "most": most})


def taken(rooms: Iterable[Room], name: str) -> str:
    """One more mailbox in this domain: why it finds no room, or nothing."""
    concerned = [room for room in rooms if name in room.names]
    for room in concerned:
        if room.left < 1:
            return room.problem
    for room in concerned:
        room.left -= 1
    return ""
