"""The life of a mailbox beyond its making: suspended, renamed, deleted and taken back; its programs' passwords."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from mailboxes import access, addresses, passwords, space
from mailboxes.deletion.deleted_domains import purge_mailboxes
from mailboxes.log import BY_ITSELF, Actor, difference, record
from mailboxes.models import MAX_QUOTA_MB, Alias, AliasTarget, AppPassword, Delegation, Domain, Mailbox, User
from mailboxes.services import (
    MailboxesError,
    NoSpace,
    change_mailbox,
    deliverable_mailbox,
    hold,
    hold_customer,
    refuse_deleted,
    refuse_taken,
    set_successor,
)

# An owner has a handful of devices.
MAX_APP_PASSWORDS = 25


def grace_days() -> int:
    """For how many days a deleted mailbox may be taken back."""
    return int(settings.MAILBOX_GRACE_DAYS)


@transaction.atomic
def set_domain(domain: Domain, *, actor: Actor, **values: Any) -> None:
    """Catch-all, limits, whether it receives mail: those that are named. The log tells of it.

    Raises MailboxesError: it is suspended, and receives mail when that ends; or it, or the new customer, is deleted;
    NoSpace: what its mailboxes may have does not fit into their total, or one of them would have no limit.
    """
    hold([domain.name])  # nobody deletes it meanwhile
    domain.refresh_from_db(fields=["deleted_at"])
    refuse_deleted(domain)
    if values.get("customer") is not None:
        hold_customer(values["customer"])
    if values.get("is_active") and domain.suspended_at is not None:
        raise MailboxesError(_("The domain is suspended: end the suspension."))
    words = difference({name: getattr(domain, name) for name in values}, values)
    if not words:
        return
    if values.keys() & {"quota_mb", "total_quota_mb"} and (problem := space_problem(domain, values)):
        raise NoSpace(problem)
    for name, value in values.items():
        setattr(domain, name, value)
    domain.save(update_fields=list(values))
    record(domain, words, actor)
    if "customer" in values:
        part_from_former_company(domain, actor=actor)


def space_problem(domain: Domain, values: Mapping[str, Any]) -> str:
    """Why what its mailboxes have does not go with these limits of the domain; empty: it does. Holds the domain."""
    hold([domain.name])
    stored = Domain.objects.get(pk=domain.pk)
    total, default = values.get("total_quota_mb", stored.total_quota_mb), values.get("quota_mb", stored.quota_mb)
    if total is None:
        return ""
    before = space.space_of(domain.name)
    return space.refusal(before, replace(before, total=total, default=default))


@transaction.atomic
def part_from_former_company(domain: Domain, *, actor: Actor) -> None:
    """After the domain went to another customer: nobody looks after a mailbox, and no mail goes to a successor, across
    the border. Aliases lead on: to another company as to anywhere.
    """
    crossing = Q(mailbox__domain=domain.name) | Q(user__mailboxes__domain=domain.name)
    for row in Delegation.objects.filter(crossing).select_related("mailbox__domain", "user").distinct():
        if not access.colleagues_of(row.mailbox).filter(owner=row.user).exists():
            _end_care(row, actor)
    followed = Mailbox.objects.filter(Q(domain=domain.name) | Q(successor__domain=domain.name))
    for mailbox in followed.exclude(successor=None).select_related("domain"):
        if not access.colleagues_of(mailbox).filter(pk=mailbox.successor_id or 0).exists():
            set_successor(mailbox, None, None, actor=actor)


def _end_care(row: Delegation, actor: Actor) -> None:
    record(row.mailbox, f"{row.user.email} looks after it no more", actor)
    row.delete()


@transaction.atomic
def suspend(row: Domain | Mailbox, *, now: datetime, actor: Actor) -> None:
    """Nobody signs in and senders are asked to come again; after SUSPENSION_GRACE_DAYS they are refused for good.

    What arrives all the same (by an alias, from the queue) is kept. Twice is once. Raises MailboxesError: the domain is
    deleted.
    """
    if not _locked(row) or row.suspended_at is not None:
        return
    if isinstance(row, Domain):
        refuse_deleted(row)
    _switch_off(row)
    row.suspended_at = now
    row.refuses_from = now + timedelta(days=settings.SUSPENSION_GRACE_DAYS)
    row.save(update_fields=["suspended_at", "refuses_from", "is_active", "was_active"])
    record(row, "suspended", actor)


@transaction.atomic
def resume(row: Domain | Mailbox, *, actor: Actor) -> None:
    """As before it was suspended: who was switched off by hand then still is."""
    if not _locked(row) or row.suspended_at is None:
        return
    row.suspended_at = row.refuses_from = None
    row.is_active = row.was_active and row.deleted_at is None
    row.save(update_fields=["suspended_at", "refuses_from", "is_active"])
    record(row, "resumed", actor)


def _switch_off(row: Domain | Mailbox) -> None:
    """Keep how it was: of a row that is suspended or deleted already that was kept before."""
    if row.suspended_at is None and row.deleted_at is None:
        row.was_active = row.is_active
    row.is_active = False


@transaction.atomic
def delete_mailbox(mailbox: Mailbox, *, now: datetime, actor: Actor) -> None:
    """Gone at once for senders and its owner; the mail stays, and it may be taken back, for MAILBOX_GRACE_DAYS."""
    if not _locked(mailbox) or mailbox.deleted_at is not None:
        return
    _switch_off(mailbox)
    mailbox.deleted_at = now
    mailbox.suspended_at = None  # for senders there is no such mailbox; `refuses_from` stays, for taking it back
    mailbox.save(update_fields=["deleted_at", "suspended_at", "is_active", "was_active"])
    for domain in Domain.objects.filter(catch_all=mailbox):
        domain.catch_all = None  # of a domain that is deleted, too: `set_domain` refuses that one
        domain.save(update_fields=["catch_all"])
        record(domain, difference({"catch_all": mailbox}, {"catch_all": None}), actor)
    record(mailbox, "deleted", actor)
    _end_care_of_others(mailbox, actor)


def _end_care_of_others(mailbox: Mailbox, actor: Actor) -> None:
    """Whoever has no mailbox of the company any more looks after none of a colleague's."""
    colleagues = access.colleagues_of(mailbox)
    if mailbox.owner is None or colleagues.filter(owner=mailbox.owner).exists():
        return
    for row in mailbox.owner.delegations.filter(mailbox__in=colleagues).select_related("mailbox", "user"):
        _end_care(row, actor)


@transaction.atomic
def restore_mailbox(mailbox: Mailbox, *, actor: Actor) -> None:
    """As before it was deleted, its mail too: suspended, where only staff lift that, or switched off by hand.

    Raises MailboxesError: its domain is deleted.
    """
    hold([mailbox.domain_id])  # nobody deletes it meanwhile
    if not _locked(mailbox) or mailbox.deleted_at is None:
        return
    refuse_deleted(Domain.objects.get(name=mailbox.domain_id))
    mailbox.deleted_at = None
    if mailbox.refuses_from is not None:
        mailbox.suspended_at = mailbox.refuses_from - timedelta(days=settings.SUSPENSION_GRACE_DAYS)
    mailbox.is_active = mailbox.was_active and mailbox.suspended_at is None
    mailbox.save(update_fields=["deleted_at", "suspended_at", "is_active"])
    record(mailbox, "taken back", actor)


def purge_deleted(now: datetime, *, most: int = 500) -> int:
    """Delete for good what was deleted MAILBOX_GRACE_DAYS ago, a transaction each; return how many.

    Aliases that would lead nowhere then go with them. The mail itself lies on Dovecot's host: `mailbox orphans`.
    """
    over = now - timedelta(days=settings.MAILBOX_GRACE_DAYS)
    found = Mailbox.objects.filter(deleted_at__lte=over).order_by("deleted_at").values_list("pk", flat=True)[:most]
    return sum(_purge(pk, over) for pk in list(found))


def purge_now(mailbox: Mailbox, *, now: datetime, actor: Actor) -> bool:
    """Delete for good a mailbox that was deleted, before its days are over; whether it was one."""
    return bool(_purge(mailbox.pk, now, actor))


@transaction.atomic
def _purge(pk: int, over: datetime, actor: Actor = BY_ITSELF) -> int:
    mailbox = Mailbox.objects.select_for_update(skip_locked=True).filter(pk=pk, deleted_at__lte=over).first()
    if mailbox is None:
        return 0  # taken back meanwhile, or another worker has it
    return purge_mailboxes([mailbox], actor=actor)


@transaction.atomic
def set_quota(mailbox: Mailbox, megabytes: int | None, *, actor: Actor) -> None:
    """The space of the mailbox; None: as set for its domain. Raises MailboxesError."""
    if megabytes is not None and not 1 <= megabytes <= MAX_QUOTA_MB:
        raise MailboxesError(_("The space must be a number of megabytes."))
    change_mailbox(mailbox, actor=actor, quota_mb=megabytes)


@transaction.atomic
def rename(mailbox: Mailbox, local_part: str, *, actor: Actor) -> None:
    """Another address in the same domain; the old one becomes an alias of it, the mail stays where it is.

    An owner who signs in with the old address signs in with the new one from then on. Raises MailboxesError.
    """
    _locked(mailbox)
    old, domain = mailbox.address, mailbox.domain
    new_local = deliverable_mailbox(local_part, domain)
    new = f"{new_local}@{domain.name}"
    if new == old:
        return
    aliases = Alias.objects.filter(address=new, targets__mailbox=mailbox)
    if aliases.exists() and AliasTarget.objects.filter(alias__in=aliases).count() == 1:
        aliases.delete()  # back to an address that it had
    refuse_taken(new_local, domain)
    _rename_owner(mailbox, old, new)
    mailbox.local_part = new_local
    mailbox.save(update_fields=["local_part"])
    AliasTarget.objects.create(
        alias=Alias.objects.create(domain=domain, local_part=addresses.split(old)[0]), mailbox=mailbox
    )
    _keep_from_others(mailbox, old)
    mailbox.refresh_from_db()
    record(mailbox, f"address: {old} → {new}", actor)


def _keep_from_others(mailbox: Mailbox, old: str) -> None:
    """Aliases of other companies lead to the address that those know, and show no new one."""
    theirs = Alias.objects.filter(targets__mailbox=mailbox).select_related("domain")
    foreign = [alias.pk for alias in theirs if alias.domain.customer_id != mailbox.domain.customer_id]
    AliasTarget.objects.filter(alias__in=foreign, mailbox=mailbox).update(mailbox=None, outside_address=old)


def _rename_owner(mailbox: Mailbox, old: str, new: str) -> None:
    owner = mailbox.owner
    if owner is None or owner.email != old:
        return
    if User.objects.filter(email=new).exists():
        raise MailboxesError(_("Somebody signs in with this address already. Ask our support."))
    owner.email = new
    owner.save(update_fields=["email"])


def app_passwords_of(mailbox: Mailbox) -> QuerySet[AppPassword]:
    """Those of its present owner: what an earlier one made opens nothing any more."""
    return mailbox.app_passwords.filter(owner=mailbox.owner_id)


@transaction.atomic
def make_app_password(mailbox: Mailbox, name: str, *, actor: Actor) -> tuple[AppPassword, str]:
    """A password for one mail program, by chance, and its row. It is shown once. Raises MailboxesError."""
    _locked(mailbox)
    if mailbox.owner is None:
        raise MailboxesError(_("The mailbox has no owner."))
    if app_passwords_of(mailbox).count() >= MAX_APP_PASSWORDS:
        raise MailboxesError(_("There are many passwords already: end those that are not used any more."))
    password = passwords.by_chance()
    digest = hashlib.sha256(password.encode()).hexdigest()
    made = mailbox.app_passwords.create(owner=mailbox.owner, name=name, digest=digest)
    record(mailbox, f"password of a mail program made: {name}", actor)
    return made, password


def _locked(row: Domain | Mailbox) -> bool:
    """Lock the row and read it anew; whether it is still there."""
    rows = Domain.objects if isinstance(row, Domain) else Mailbox.objects
    is_there = rows.select_for_update(no_key=True).filter(pk=row.pk).first() is not None
    if is_there:
        row.refresh_from_db()
    return is_there
