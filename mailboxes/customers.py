"""Customers: made, changed, suspended with all their domains, deleted when nothing is theirs any more."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailboxes import hosting
from mailboxes.log import Actor, difference, record
from mailboxes.models import Customer, User
from mailboxes.services import MailboxesError


@transaction.atomic
def add_customer(
    number: str,
    name: str,
    *,
    max_mailboxes: int | None = None,
    administrators: Iterable[User] = (),
    actor: Actor = None,
) -> Customer:
    """Make a customer. Raises MailboxesError: the number is taken, or there is no number or name."""
    customer = Customer(number=number.strip(), name=name.strip(), max_mailboxes=max_mailboxes)
    _save(customer)
    record(customer, "made", actor)
    set_administrators(customer, administrators, actor=actor)
    return customer


@transaction.atomic
def change_customer(customer: Customer, *, actor: Actor, **changes: Any) -> None:
    """Set its number, name, how many mailboxes: those that are named. The log tells of it. Raises MailboxesError."""
    words = difference({name: getattr(customer, name) for name in changes}, changes)
    if not words:
        return
    for name, value in changes.items():
        setattr(customer, name, value)
    _save(customer)
    record(customer, words, actor)


@transaction.atomic
def set_administrators(customer: Customer, people: Iterable[User], *, actor: Actor) -> None:
    """Let these and nobody else look after the customer's mailboxes."""
    before, after = (
        {person.pk: person.email for person in some} for some in (customer.administrators.all(), list(people))
    )
    if before.keys() != after.keys():
        customer.administrators.set(list(after))
        record(customer, difference({"administrators": _told(before)}, {"administrators": _told(after)}), actor)


def _told(people: dict[int, str]) -> str:
    return ", ".join(sorted(people.values()))


def suspend(customer: Customer, *, now: datetime, actor: Actor) -> int:
    """Suspend each of its domains; return how many were not suspended before."""
    found = list(customer.domains.filter(suspended_at=None).order_by("pk"))
    for domain in found:
        hosting.suspend(domain, now=now, actor=actor)
    return len(found)


def resume(customer: Customer, *, actor: Actor) -> int:
    """End the suspension of each of its domains, whoever suspended it; return of how many."""
    found = list(customer.domains.exclude(suspended_at=None).order_by("pk"))
    for domain in found:
        hosting.resume(domain, actor=actor)
    return len(found)


@transaction.atomic
def delete_customer(customer: Customer, *, actor: Actor) -> None:
    """For ever. Raises MailboxesError: a domain is the customer's."""
    Customer.objects.select_for_update().get(pk=customer.pk)  # a domain that is given to it meanwhile waits
    if count := customer.domains.count():
        words = ngettext(
            "%(count)d domain is the customer's: delete it first, or give it to somebody else.",
            "%(count)d domains are the customer's: delete them first, or give them to somebody else.",
            count,
        )
        raise MailboxesError(words % {"count": count})
    record(customer, "deleted", actor)
    try:
        customer.delete()
    except ProtectedError as error:
        raise MailboxesError(_("Something is the customer's still.")) from error


def _save(customer: Customer) -> None:
    try:
        customer.full_clean()
    except ValidationError as error:
        raise MailboxesError(plainly(error)) from error
    try:
        with transaction.atomic():
            customer.save()
    except IntegrityError as error:  # somebody was faster
        raise MailboxesError(_("Another customer has this number.")) from error


def plainly(error: ValidationError) -> str:
    """What is wrong with the fields of a row, in one line."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return "; ".join(f"{name}: {' '.join(told)}" for name, told in error.message_dict.items())
