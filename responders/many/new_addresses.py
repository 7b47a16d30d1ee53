"""Many new mailboxes and aliases from a file, as a job: planned at once, made by a worker, taken back as a whole.

No password is stored. They are made of a seed and the address, so whoever began the job may have them as a file while
the seed is there: sealed in the batch, until they say that they have them or a day after the job is over. The database
keeps the hash of each, made at once.
"""

import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes import access, hosting, passwords, sealing
from mailboxes.deletion import deleted_aliases
from mailboxes.files import address_files
from mailboxes.files.file_kinds import Kind, Row
from mailboxes.log import By
from mailboxes.models import Alias, Domain, Mailbox, User
from mailboxes.services import targets_of
from responders.models import Batch, BatchItem

MAX_ROWS = 20_000
# Mailboxes of one transaction: each costs the hash of a password, and their domain is held meanwhile.
AT_ONCE = 20
SEED_LASTS = timedelta(days=1)  # after the end of the job
_SEED, _USE = "seed", "passwords of a batch"
_FORGOTTEN = {"forgotten": True}  # in `before` of an item: its password can be had no more
Outcome = BatchItem.State
LABELS = {
    Outcome.WAITING: gettext_lazy("will be made"), Outcome.DONE: gettext_lazy("made"),
    Outcome.FAILED: gettext_lazy("cannot be made"),
}  # fmt: skip


def kind_for(user: User) -> Kind:
    """The file that the person may send."""
    return address_files.kind_for(access.domains_managed_by(user), sets_limits=access.is_support(user))


def items_of(batch: Batch, rows: Iterable[Row], user: User) -> Iterator[BatchItem]:
    """A line of the file each: mailboxes first, for aliases may lead to them."""
    planned = sorted(kind_for(user).plan(rows), key=address_files.in_turn)
    for number, line in enumerate(planned, 1):
        yield BatchItem(
            batch=batch, number=number, address=line.address[:320],
            values=dict(zip(address_files.ORDER, line.cells, strict=True)),
            state=Outcome.FAILED if line.problem else Outcome.WAITING, note=(line.problem or line.would)[:500],
        )  # fmt: skip


def make(batch: Batch, items: list[BatchItem]) -> None:
    """All of them, but for those that cannot be any more."""
    user = batch.created_by
    planned = kind_for(user).plan([item.values for item in items]) if user is not None else []
    if not planned:
        raise User.DoesNotExist
    by_address = {item.address: item for item in items}
    for line in planned:
        if line.problem:
            by_address[line.address].state, by_address[line.address].note = Outcome.FAILED, line.problem
    coming = [line for line in planned if not line.problem]
    of = partial(passwords.of_seed, _seed(batch))
    address_files.make(coming, actor=By(user, place=batch.place), password_of=of)
    made = Mailbox.objects.in_bulk([line.address for line in coming], field_name="address")
    for line in coming:
        item = by_address[line.address]
        item.state, item.mailbox, item.before = Outcome.DONE, made.get(line.address), {}


def take_back(batch: Batch, items: list[BatchItem], now: datetime) -> None:
    """Delete what was made, as a person would: mailboxes and aliases may be taken back for their days of grace."""
    domains = access.domains_managed_by(batch.created_by) if batch.created_by else Domain.objects.none()
    for item in items:
        problem = _delete(item, Q(domain__in=domains), By(batch.created_by, place=batch.place), now)
        item.state, item.note = (Outcome.KEPT, problem) if problem else (Outcome.TAKEN_BACK, item.note)
        item.mailbox = item.mailbox if problem else None


def _delete(item: BatchItem, mine: Q, by: By, now: datetime) -> str:
    """Why not; empty: it is gone."""
    if targets := item.values.get("targets"):
        alias = Alias.objects.filter(mine, address=item.address).first()
        if alias is None or sorted(targets_of(alias)) != sorted(targets.split()):
            return _("It was changed since.")
        deleted_aliases.delete_alias(alias, now=now, actor=by)
        return ""
    mailbox = Mailbox.objects.filter(mine, pk=item.mailbox_id or 0, deleted_at=None).select_related("owner").first()
    if mailbox is None or mailbox.address != item.address:
        return _("It was changed since.")
    if mailbox.owner is None or mailbox.owner.last_login is not None:
        return _("Its owner signed in to the panel already.")
    hosting.delete_mailbox(mailbox, now=now, actor=by)
    return ""


# --- Passwords ---


def begin(batch: Batch) -> None:
    """A seed for the passwords, where there is none that opens. In the transaction that starts the job or goes on.

    As the batch is now: whoever holds it may have read it before somebody let the passwords be forgotten.
    """
    batch.values = Batch.objects.select_for_update(no_key=True).get(pk=batch.pk).values
    if not _opens(batch):
        forget(batch)
        _set(batch, batch.values | {_SEED: sealing.seal(secrets.token_hex(32), _USE)})


def _seed(batch: Batch) -> bytes:
    return sealing.unseal(batch.values[_SEED], _USE).encode()


def _opens(batch: Batch) -> bool:
    """Whether there is a seed, and SECRET_KEY is still the one that sealed it."""
    try:
        return _SEED in batch.values and bool(_seed(batch))
    except sealing.SealedForGoodError:
        return False


def has_passwords(batch: Batch) -> bool:
    """Whether its mailboxes' passwords can still be had."""
    return _opens(batch) and _theirs(batch).exists()


def _new(batch: Batch) -> QuerySet[BatchItem]:
    """Mailboxes that were made with the seed that is there now; those made before it are marked as forgotten."""
    return batch.items.filter(state=Outcome.DONE, mailbox__isnull=False, before={}).order_by("number")


def _theirs(batch: Batch) -> Any:
    """Of those, the mailboxes that whoever began the job still manages."""
    if batch.created_by is None:
        return _new(batch).none()
    managed = access.mailboxes_managed_by(batch.created_by).order_by().values("pk")
    return _new(batch).filter(mailbox__in=managed)


def passwords_of(batch: Batch) -> Iterator[list[str]]:
    """The rows of the file: of each mailbox that is made by now."""
    yield [_("address"), _("password")]
    seed = _seed(batch)
    for address in _theirs(batch).values_list("address", flat=True).iterator(chunk_size=2_000):
        yield [address, passwords.of_seed(seed, address)]


def forget(batch: Batch) -> bool:
    """From now on nobody can have them. A job that goes on later makes others for the rest. In a transaction."""
    fresh = Batch.objects.select_for_update(no_key=True).get(pk=batch.pk)
    if _SEED not in fresh.values:
        return False
    _new(fresh).update(before=_FORGOTTEN)
    _set(fresh, {name: value for name, value in fresh.values.items() if name != _SEED})
    batch.values = fresh.values
    return True


def _set(batch: Batch, values: dict[str, Any]) -> None:
    batch.values = values
    Batch.objects.filter(pk=batch.pk).update(values=values)


def forgotten_by(now: datetime) -> list[Batch]:
    """Those whose passwords nobody fetched in the time that they last."""
    over = Q(finished_at__lt=now - SEED_LASTS) | Q(finished_at=None, created_at__lt=now - 7 * SEED_LASTS)
    return list(Batch.objects.filter(over, kind=Batch.Kind.MAKE, values__has_key=_SEED))
