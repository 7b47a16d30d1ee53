"""Customers: made, changed, suspended with all their domains, deleted with them and taken back."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from mailboxes import hosting
from mailboxes.deletion import deleted_domains
from mailboxes.log import BY_ITSELF, Actor, difference, record
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
    found = list(customer.domains.filter(suspended_at=None, deleted_at=None).order_by("pk"))
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
def delete_customer(customer: Customer, *, now: datetime, actor: Actor) -> bool:
    """With all its domains, at once; its administrators lose access. It may be taken back for MAILBOX_GRACE_DAYS.

    False: it was deleted before.
    """
    there = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)  # a domain given to it meanwhile waits
    if there.deleted_at is not None:
        customer.refresh_from_db()
        return False
    there.deleted_at = now
    there.save(update_fields=["deleted_at"])
    count = sum(
        deleted_domains.delete_domain(domain, now=now, actor=actor, with_customer=True)
        for domain in there.domains.filter(deleted_at=None).order_by("pk")
    )
    record(there, f"deleted; domains: {count}", actor)
    customer.refresh_from_db()
    return True


@transaction.atomic
def restore_customer(customer: Customer, *, actor: Actor) -> bool:
    """As before it was deleted: with the domains that went with it, not with those that were deleted before.

    False: it is back already. A domain that is being removed for good stays away. Raises MailboxesError: so is the
    customer.
    """
    there = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    if there.deleted_at is None:
        customer.refresh_from_db()
        return False
    if there.is_going:
        raise MailboxesError(_("%(customer)s is being removed for good: it cannot come back.") % {"customer": there})
    there.deleted_at = None
    there.save(update_fields=["deleted_at"])
    rows = there.domains.filter(deleted_with_customer=True, is_going=False).order_by("pk")
    domains = list(rows.select_for_update(no_key=True))
    for domain in domains:
        deleted_domains.bring_back(domain, actor=actor)
    record(there, f"taken back; domains: {len(domains)}", actor)
    customer.refresh_from_db()
    return True


@transaction.atomic
def end_customer(customer: Customer, *, actor: Actor, over: datetime | None = None) -> bool:
    """Let a deleted customer and its domains go for good; False: it is not deleted (by `over`), or goes already.

    Their rows go later, piece by piece: `purge_customers`.
    """
    deleted = Q(deleted_at__isnull=False) if over is None else Q(deleted_at__lte=over)  # it may have been taken back
    there = Customer.objects.select_for_update(no_key=True).filter(deleted, pk=customer.pk, is_going=False).first()
    if there is None:
        return False
    there.is_going = True
    there.save(update_fields=["is_going"])
    record(there, "is being removed for good", actor)
    for domain in there.domains.order_by("pk"):
        deleted_domains.end_domain(domain, actor=actor)
    return True


def purge_customers(now: datetime) -> int:
    """Let those go that were deleted MAILBOX_GRACE_DAYS ago; remove those whose domains are gone; return how many."""
    over = now - timedelta(days=settings.MAILBOX_GRACE_DAYS)
    for customer in Customer.objects.filter(deleted_at__lte=over, is_going=False).order_by("pk"):
        end_customer(customer, actor=BY_ITSELF, over=over)
    found = Customer.objects.filter(is_going=True, domains=None)
    return sum(_purge(pk) for pk in list(found.order_by("pk").values_list("pk", flat=True)))


def purge_customer(customer: Customer) -> bool:
    """All of one that is being removed, however long it takes; False: another worker is at a part of it."""
    for domain in customer.domains.order_by("pk"):
        deleted_domains.purge_domain(domain)
    _purge(customer.pk)
    return not Customer.objects.filter(pk=customer.pk).exists()


@transaction.atomic
def _purge(pk: int) -> int:
    """Whoever gives it a domain meanwhile waits for the lock, and then finds it gone."""
    there = Customer.objects.select_for_update(skip_locked=True).filter(pk=pk, is_going=True).first()
    if there is None or there.domains.exists():
        return 0
    record(there, "deleted for good", BY_ITSELF)
    there.delete()
    return 1


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
