"""An alias deleted, taken back, and gone for good."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from mailboxes.log import Actor, record, write
from mailboxes.models import Alias, AliasTarget, DeletedAlias, Domain, Mailbox
from mailboxes.services import AddressTaken, MailboxesError, hold, refuse_deleted, taken, targets_of


@transaction.atomic
def delete_alias(alias: Alias, *, now: datetime, actor: Actor) -> DeletedAlias | None:
    """Its address receives no mail from now on, and is free; it may be taken back for MAILBOX_GRACE_DAYS.

    None: somebody else deleted it meanwhile.
    """
    there = Alias.objects.select_for_update().filter(pk=alias.pk).first()
    if there is None:
        return None
    made = DeletedAlias.objects.create(
        id=there.pk, domain_id=there.domain_id, local_part=there.local_part, is_active=there.is_active,
        created_at=there.created_at, deleted_at=now, targets=list(_kept(there)),
    )  # fmt: skip
    # Of the domain, too: there it is looked for.
    record(there.domain, f"alias deleted: {there.address}", actor)
    record(there, f"deleted; targets: {', '.join(targets_of(there))}", actor)
    there.delete()
    return made


def _kept(alias: Alias) -> Iterator[dict[str, Any]]:
    for row in alias.targets.select_related("mailbox").order_by("pk"):
        address = str(row.mailbox.address) if row.mailbox else row.outside_address
        yield {"mailbox": row.mailbox_id, "address": address, "is_own_address": row.is_own_address}


@transaction.atomic
def restore_alias(row: DeletedAlias, *, actor: Actor) -> Alias | None:
    """As it was, without mailboxes that are gone for good. None: somebody else took it back meanwhile.

    Raises AddressTaken: somebody has the address now. Raises MailboxesError: nothing is left that it led to, or its
    domain is deleted.
    """
    there = DeletedAlias.objects.select_for_update().filter(pk=row.pk).select_related("domain").first()
    if there is None:
        return None
    hold([there.domain_id])  # nobody deletes it meanwhile
    refuse_deleted(Domain.objects.get(name=there.domain_id))
    targets = list(_left(there))
    if not targets:
        raise MailboxesError(_("Nothing is left that %(address)s led to: make it anew.") % {"address": there})
    alias = _made_again(there)
    for target in targets:
        target.alias = alias
    AliasTarget.objects.bulk_create(targets)
    there.delete()
    record(alias.domain, f"alias taken back: {alias.address}", actor)
    record(alias, "taken back", actor)
    return alias


def _made_again(row: DeletedAlias) -> Alias:
    words = _("%(address)s was given to somebody else meanwhile: the alias can come back when it is free again.")
    if taken([row.address]):
        raise AddressTaken(words % {"address": row})
    try:
        with transaction.atomic():
            Alias.objects.create(pk=row.pk, domain=row.domain, local_part=row.local_part, is_active=row.is_active)
    except IntegrityError as error:  # somebody was faster
        raise AddressTaken(words % {"address": row}) from error
    Alias.objects.filter(pk=row.pk).update(created_at=row.created_at)
    return Alias.objects.select_related("domain").get(pk=row.pk)


def _left(row: DeletedAlias) -> Iterator[AliasTarget]:
    """In their order. A mailbox that was renamed is still the mailbox, but for another company: that knows the address
    it was (as for an alias that stands there while a mailbox is renamed).
    """
    mailboxes = Mailbox.objects.select_related("domain").in_bulk([target["mailbox"] for target in row.targets])
    for target in row.targets:
        mailbox = mailboxes.get(target["mailbox"])
        own = target["is_own_address"]
        if target["mailbox"] is None or (mailbox and _is_hidden(mailbox, target["address"], row.domain)):
            yield AliasTarget(outside_address=target["address"], is_own_address=own and target["mailbox"] is None)
        elif mailbox is not None:
            yield AliasTarget(mailbox=mailbox, is_own_address=own)


def _is_hidden(mailbox: Mailbox, address: str, domain: Domain) -> bool:
    return mailbox.address != address and mailbox.domain.customer_id != domain.customer_id


def purge_aliases(now: datetime, *, most: int = 5_000) -> int:
    """Forget those that were deleted MAILBOX_GRACE_DAYS ago; return how many."""
    over = now - timedelta(days=settings.MAILBOX_GRACE_DAYS)
    found = list(DeletedAlias.objects.filter(deleted_at__lte=over).values_list("pk", flat=True)[:most])
    return sum(_purge(pk, over) for pk in found)


@transaction.atomic
def _purge(pk: int, over: datetime) -> int:
    row = DeletedAlias.objects.select_for_update(skip_locked=True).filter(pk=pk, deleted_at__lte=over).first()
    if row is None:
        return 0  # taken back meanwhile, or another worker has it
    write(Alias, "deleted for good", None, key=str(row.pk), name=str(row))
    row.delete()
    return 1
