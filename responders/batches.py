"""One change of many mailboxes: planned, shown, done by a worker in small steps, taken back as a whole.

Each mailbox is a step of its own: what fails leaves the others alone, a worker that is killed leaves the rest to the
next one, and two workers share the work without doing anything twice.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailboxes import access, addresses
from mailboxes import services as mailbox_services
from mailboxes.models import Mailbox, User
from responders import services, undo
from responders.batch_plans import managed_by, may_block, plan_for, with_everything
from responders.batch_scope import Row
from responders.models import Batch, BatchItem, ResponderEvent

log = logging.getLogger(__name__)
AT_ONCE = 25  # mailboxes of one transaction
PLANNED_AT_ONCE = 1_000
LEASE = timedelta(minutes=2)
Outcome = BatchItem.State


def make(
    kind: Batch.Kind,
    scope: str,
    rows: Iterable[Row],
    values: dict[str, Any],
    *,
    by: services.By,
    now: datetime,
) -> Batch:
    """Plan a change of the mailboxes that the person manages; nothing is changed before `start`."""
    with transaction.atomic():
        batch = Batch.objects.create(
            kind=kind, scope=scope[:500], values=values, created_at=now, created_by=by.user, reason=by.reason,
            place=by.place,
        )  # fmt: skip
        numbered = list(enumerate(rows, 1))
        for begin in range(0, len(numbered), PLANNED_AT_ONCE):
            BatchItem.objects.bulk_create(_items(batch, numbered[begin : begin + PLANNED_AT_ONCE], now))
    return batch


def _items(batch: Batch, rows: list[tuple[int, Row]], now: datetime) -> Iterator[BatchItem]:
    plain = {row.address: addresses.normal_form_or_none(row.address) for _number, row in rows}
    found = with_everything(managed_by(batch).filter(address__in=set(filter(None, plain.values()))))
    by_address = {mailbox.address: mailbox for mailbox in found}
    for number, row in rows:
        mailbox = by_address.get(plain[row.address] or "")
        plan = plan_for(batch, mailbox, row.values, now)
        yield BatchItem(
            batch=batch, number=number, address=row.address[:320], mailbox=mailbox, values=row.values,
            state=plan.state, note=plan.note[:500],
        )  # fmt: skip


def start(batch: Batch) -> bool:
    """Let the workers begin, or go on where it was stopped. Whether there was anything to begin."""
    return _turn(batch, {Batch.State.PREVIEW, Batch.State.STOPPED}, Batch.State.RUNNING)


def stop(batch: Batch) -> bool:
    """Do no more of it; what is done stays done."""
    return _turn(batch, {Batch.State.RUNNING}, Batch.State.STOPPED)


def take_back(batch: Batch) -> bool:
    """Undo what was done, mailbox by mailbox."""
    return _turn(batch, {Batch.State.DONE, Batch.State.STOPPED}, Batch.State.TAKING_BACK)


def may_be_taken_back(batch: Batch, now: datetime) -> bool:
    """While it can be undone at all."""
    return batch.state in {Batch.State.DONE, Batch.State.STOPPED} and now < batch.created_at + undo.UNDO_LASTS


def _turn(batch: Batch, before: set[Batch.State], after: Batch.State) -> bool:
    changed = Batch.objects.filter(pk=batch.pk, state__in=before).update(
        state=after, lease_until=None, finished_at=None
    )
    return bool(changed)


def abandoned(now: datetime) -> list[int]:
    """Batches that no living worker is at."""
    at_work = Batch.objects.filter(state__in=[Batch.State.RUNNING, Batch.State.TAKING_BACK])
    return list(at_work.exclude(lease_until__gt=now).order_by("pk").values_list("pk", flat=True))


def run(pk: int, *, seconds: float) -> bool:
    """Work on a batch for so long at most; whether nothing is left to do for this worker."""
    until = monotonic() + seconds
    while monotonic() < until:
        if not _a_few(pk, services.database_now()):
            return True
    return False


@transaction.atomic
def _a_few(pk: int, now: datetime) -> bool:
    batch = Batch.objects.select_related("created_by").filter(pk=pk).first()
    if batch is None or batch.state not in _AT_WORK:
        return False
    wanted, act = _AT_WORK[Batch.State(batch.state)]
    waiting = batch.items.filter(state=wanted).order_by("number").select_for_update(skip_locked=True)[:AT_ONCE]
    items = list(waiting)
    if not items:
        _finish(batch, wanted, now)
        return False
    mailboxes = with_everything(managed_by(batch)).in_bulk([item.mailbox_id for item in items if item.mailbox_id])
    with override((batch.created_by.language if batch.created_by else "") or settings.LANGUAGE_CODE):
        for item in items:
            _one(act, batch, item, mailboxes.get(item.mailbox_id or 0), now)
    Batch.objects.filter(pk=pk, state=batch.state).update(lease_until=now + LEASE)
    return True


def _finish(batch: Batch, wanted: BatchItem.State, now: datetime) -> None:
    if batch.items.filter(state=wanted).exists():  # in another worker's hands
        return
    after = Batch.State.DONE if batch.state == Batch.State.RUNNING else Batch.State.TAKEN_BACK
    Batch.objects.filter(pk=batch.pk, state=batch.state).update(state=after, finished_at=now, lease_until=None)


Act = Callable[[Batch, BatchItem, Mailbox | None, datetime], None]


def _one(act: Act, batch: Batch, item: BatchItem, mailbox: Mailbox | None, now: datetime) -> None:
    """A step of its own: whatever goes wrong with this mailbox is told of this mailbox."""
    try:
        with transaction.atomic():
            act(batch, item, mailbox, now)
    except Exception:
        log.exception("batch step failed batch=%d item=%d", batch.pk, item.pk)
        item.state = Outcome.KEPT if batch.state == Batch.State.TAKING_BACK else Outcome.FAILED
        item.note = _("An unexpected fault. Our staff can read about it in the log.")
    item.note = item.note[:500]
    item.save(update_fields=["state", "note", "events", "before"])


def _do(batch: Batch, item: BatchItem, mailbox: Mailbox | None, now: datetime) -> None:
    plan = plan_for(batch, mailbox, item.values, now)
    if plan.state != Outcome.WAITING or mailbox is None:
        item.state, item.note = plan.state, plan.note
        return
    values = batch.values | item.values
    by = services.By(batch.created_by, _reason(batch), batch.place)
    last = ResponderEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    if plan.successor is not None:
        item.before = _leave(batch, mailbox, plan.successor, values, now)
    if plan.values is not None:
        first = values.get("order") == "first" or batch.kind == Batch.Kind.LEAVE
        services.save_responder(mailbox, plan.values, actor=by, now=now, first=first)
    for row in plan.ends:
        services.switch(row, on=False, actor=by, now=now)
    events = ResponderEvent.objects.filter(mailbox=mailbox, pk__gt=last, actor=batch.created_by)
    item.state, item.events = Outcome.DONE, list(events.order_by("pk").values_list("pk", flat=True))


def _reason(batch: Batch) -> str:
    """Why, where it is staff who do it for the owners: they are told."""
    author = batch.created_by
    return batch.reason if author is not None and access.is_support(author) else ""


def _leave(batch: Batch, mailbox: Mailbox, successor: Mailbox, values: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Block the sign-in and turn the mail; what was before, for taking it back."""
    author, blocked = batch.created_by, False
    if author is None:
        raise Mailbox.DoesNotExist
    if values["blocks_sign_in"] and mailbox.owner is not None and may_block(batch, mailbox):
        blocked = mailbox_services.set_sign_in(mailbox, allowed=False, actor=author)
    since = None if values["days"] is None else now + timedelta(days=values["days"])
    if since is not None:
        mailbox_services.set_successor(mailbox, successor, since, actor=author)
    return {"blocked": blocked, "successor": successor.pk if since else None}


def _undo(batch: Batch, item: BatchItem, mailbox: Mailbox | None, now: datetime) -> None:
    by = services.By(batch.created_by, _reason(batch), batch.place)
    if mailbox is None:
        item.state, item.note = Outcome.KEPT, _("There is no such mailbox, or it is not yours to change.")
        return
    try:
        with transaction.atomic():
            for event in ResponderEvent.objects.filter(pk__in=item.events).order_by("-pk"):
                undo.undo(event, by, now)
    except undo.CannotUndo as problem:
        item.state, item.note = Outcome.KEPT, str(problem)
        return
    _stay(item, mailbox, batch.created_by)
    item.state = Outcome.TAKEN_BACK


def _stay(item: BatchItem, mailbox: Mailbox, author: User | None) -> None:
    """As it was before the person left, unless somebody changed it since."""
    if author is None:
        return
    if item.before.get("blocked"):
        mailbox_services.set_sign_in(mailbox, allowed=True, actor=author)
    if item.before.get("successor") and mailbox.successor_id == item.before["successor"]:
        mailbox_services.set_successor(mailbox, None, None, actor=author)


_AT_WORK: dict[Batch.State, tuple[BatchItem.State, Act]] = {
    Batch.State.RUNNING: (Outcome.WAITING, _do),
    Batch.State.TAKING_BACK: (Outcome.DONE, _undo),
}


# --- What is shown ---


def visible_to(user: access.AnyUser) -> QuerySet[Batch]:
    """Staff see everybody's, others their own."""
    if access.is_support(user):
        return Batch.objects.all()
    return Batch.objects.filter(created_by=user.pk) if user.is_authenticated else Batch.objects.none()


def counts(batch: Batch) -> dict[str, int]:
    """How many mailboxes are in which state."""
    return dict(batch.items.order_by().values_list("state").annotate(number=Count("pk")))


def result(batch: Batch) -> Iterator[list[str]]:
    """The rows of the result file."""
    yield [_("address"), _("result"), _("remark")]
    words = dict(BatchItem.State.choices)
    for item in batch.items.order_by("number").iterator(chunk_size=2_000):
        yield [item.address, str(words[BatchItem.State(item.state)]), item.note]
