"""A domain deleted with all that is in it, taken back, and gone for good."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from mailboxes.log import BY_ITSELF, Actor, record, record_each
from mailboxes.models import Alias, Domain, Mailbox
from mailboxes.services import MailboxesError, hold

# Of mailboxes or aliases, in a transaction: what goes with them (responders, decisions, counts) is many times as much.
BATCH = 200
RUN_LASTS = 180.0  # seconds; Celery ends a task after 300, and the next run goes on


@dataclass(frozen=True)
class Contents:
    """What goes with a domain: mailboxes that are there, those that were deleted before, aliases."""

    mailboxes: int
    deleted: int
    aliases: int


def contents(domains: QuerySet[Domain]) -> Contents:
    """Of all of them together. Two queries."""
    mailboxes = Mailbox.objects.filter(domain__in=domains.values("name"))
    found = mailboxes.aggregate(there=Count("pk", filter=Q(deleted_at=None)), all=Count("pk"))
    aliases = Alias.objects.filter(domain__in=domains.values("name")).count()
    return Contents(found["there"], found["all"] - found["there"], aliases)


@transaction.atomic
def delete_domain(domain: Domain, *, now: datetime, actor: Actor, with_customer: bool = False) -> bool:
    """It receives no mail, nobody of it signs in or is answered for, all at once; False: it was deleted before.

    One row is written, however many mailboxes there are: whatever each of them is, it is again when the domain is
    taken back, within MAILBOX_GRACE_DAYS.
    """
    there = Domain.objects.select_for_update(no_key=True).get(pk=domain.pk)
    if there.deleted_at is not None:
        domain.refresh_from_db()
        return False
    if there.suspended_at is None:
        there.was_active = there.is_active  # of one that is suspended that was kept before
    there.deleted_at, there.deleted_with_customer = now, with_customer
    there.is_active, there.suspended_at = False, None  # `refuses_from` stays, for taking it back
    there.save(update_fields=["deleted_at", "deleted_with_customer", "is_active", "suspended_at", "was_active"])
    held = contents(Domain.objects.filter(pk=domain.pk))
    record(there, f"deleted; mailboxes, aliases: {held.mailboxes}, {held.aliases}", actor)
    domain.refresh_from_db()
    return True


@transaction.atomic
def restore_domain(domain: Domain, *, actor: Actor) -> bool:
    """As before it was deleted: suspended, where it was that, or switched off. False: it is back already.

    Raises MailboxesError: its customer is deleted; or the days are over, and it is being removed.
    """
    hold([domain.name])  # and its customer, which nobody deletes meanwhile
    there = Domain.objects.select_related("customer").get(pk=domain.pk)
    if there.deleted_at is None:
        domain.refresh_from_db()
        return False
    if there.is_going:
        raise MailboxesError(_("%(domain)s is being removed for good: it cannot come back.") % {"domain": there})
    if there.customer is not None and there.customer.deleted_at is not None:
        words = _("The customer of %(domain)s was deleted: bring back the customer first.")
        raise MailboxesError(words % {"domain": there})
    bring_back(there, actor=actor)
    domain.refresh_from_db()
    return True


def bring_back(there: Domain, *, actor: Actor) -> None:
    """Of a row that is locked."""
    there.deleted_at, there.deleted_with_customer = None, False
    if there.refuses_from is not None:
        there.suspended_at = there.refuses_from - timedelta(days=settings.SUSPENSION_GRACE_DAYS)
    there.is_active = there.was_active and there.suspended_at is None
    there.save(update_fields=["deleted_at", "deleted_with_customer", "is_active", "suspended_at"])
    record(there, "taken back", actor)


# --- For good ---


@transaction.atomic
def end_domain(domain: Domain, *, actor: Actor, over: datetime | None = None) -> bool:
    """Let a deleted domain go for good; False: it is not deleted (by `over`, if that is given), or goes already.

    Its rows go later, piece by piece: `purge_domains`.
    """
    deleted = Q(deleted_at__isnull=False) if over is None else Q(deleted_at__lte=over)  # it may have been taken back
    there = Domain.objects.select_for_update(no_key=True).filter(deleted, pk=domain.pk, is_going=False).first()
    if there is None:
        return False
    there.is_going = True
    there.save(update_fields=["is_going"])
    record(there, "is being removed for good", actor)
    return True


def purge_domains(now: datetime, *, seconds: float = RUN_LASTS, clock: Callable[[], float] = time.monotonic) -> int:
    """Remove what is in the domains whose days are over, in small transactions, then the domains; return how many rows.

    Killed at any point, or when the seconds are over, it goes on at the next call. Several at once share the work.
    The mail itself lies on Dovecot's host: `mailbox orphans`.
    """
    _begin_with_those_that_are_over(now)
    ends, gone = clock() + seconds, 0
    for pk in list(Domain.objects.filter(is_going=True).order_by("deleted_at", "pk").values_list("pk", flat=True)):
        while clock() < ends and (count := _purge_some(pk)):
            gone += count
    return gone


def purge_domain(domain: Domain) -> None:
    """All of one that is being removed, however long it takes; what another worker is at, it leaves to that one."""
    while _purge_some(domain.pk):
        pass


def _begin_with_those_that_are_over(now: datetime) -> None:
    over = now - timedelta(days=settings.MAILBOX_GRACE_DAYS)
    for domain in Domain.objects.filter(deleted_at__lte=over, is_going=False).order_by("pk"):
        end_domain(domain, actor=BY_ITSELF, over=over)


@transaction.atomic
def _purge_some(pk: int) -> int:
    """A few mailboxes; when there are none, a few aliases; at last the domain. 0: it is gone, or others are at it."""
    name = Domain.objects.filter(pk=pk, is_going=True).values_list("name", flat=True).first()
    if name is None:
        return 0
    return _purge_mailboxes(name) or _purge_aliases(name) or _purge_domain(pk)


def _purge_mailboxes(name: str) -> int:
    free = Mailbox.objects.select_for_update(skip_locked=True, of=("self",))
    return purge_mailboxes(list(free.filter(domain__name=name).order_by("pk")[:BATCH]), actor=BY_ITSELF)


def purge_mailboxes(rows: list[Mailbox], *, actor: Actor) -> int:
    """For good, with aliases that would lead nowhere then. The rows are locked; return how many."""
    keys = [row.pk for row in rows]
    aliases = set(Alias.objects.filter(targets__mailbox__in=keys).values_list("pk", flat=True))
    record_each(rows, "deleted for good", actor)
    Mailbox.objects.filter(pk__in=keys).delete()
    left = list(Alias.objects.filter(pk__in=aliases, targets=None).select_related("domain"))
    for alias in left:
        record(alias.domain, f"alias deleted: {alias.address}", actor)
    Alias.objects.filter(pk__in=[alias.pk for alias in left]).delete()
    return len(keys)


def _purge_aliases(name: str) -> int:
    free = Alias.objects.select_for_update(skip_locked=True, of=("self",))
    rows = list(free.filter(domain__name=name).order_by("pk")[:BATCH])
    record_each(rows, "deleted for good", BY_ITSELF)
    Alias.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def _purge_domain(pk: int) -> int:
    """With its keys and what is known of its DNS. An address that somebody makes in it meanwhile waits for the lock."""
    domain = Domain.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk, is_going=True).first()
    if domain is None or Mailbox.objects.filter(domain=domain).exists() or Alias.objects.filter(domain=domain).exists():
        return 0
    record(domain, "deleted for good", BY_ITSELF)
    domain.delete()
    return 1
