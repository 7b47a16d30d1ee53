"""One change of many mailboxes: planned, shown, done by a worker in small steps, taken back as a whole.

A step is some two hundred mailboxes in one transaction and a few statements. Where it fails it is done again mailbox by
mailbox, so that what fails leaves the others alone. A worker that is killed leaves the rest to the next one, and two
workers share the work without doing anything twice.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailboxes import access, addresses
from mailboxes import services as mailbox_services
from mailboxes.log import Actor, record
from mailboxes.models import Mailbox
from responders import services, undo
from responders.many import new_addresses
from responders.many.batch_plans import Plan, managed_by, may_block, plan_for, with_everything
from responders.many.batch_scope import Row
from responders.models import Batch, BatchItem, ResponderEvent

log = logging.getLogger(__name__)
AT_ONCE = 200  # mailboxes of one transaction
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


def make_addresses(scope: str, rows: Iterable[dict[str, str]], *, by: services.By, now: datetime) -> Batch:
    """Plan new mailboxes and aliases from the lines of a file; nothing is made before `start`."""
    with transaction.atomic():
        batch = Batch.objects.create(
            kind=Batch.Kind.MAKE, scope=scope[:500], created_at=now, created_by=by.user, place=by.place
        )
        if by.user is not None:
            BatchItem.objects.bulk_create(new_addresses.items_of(batch, rows, by.user), PLANNED_AT_ONCE)
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


def start(batch: Batch, *, actor: Actor = None) -> bool:
    """Let the workers begin, or go on where it was stopped. Whether there was anything to begin."""
    return _turn(batch, {Batch.State.PREVIEW, Batch.State.STOPPED}, Batch.State.RUNNING, actor)


def stop(batch: Batch, *, actor: Actor = None) -> bool:
    """Do no more of it; what is done stays done."""
    return _turn(batch, {Batch.State.RUNNING}, Batch.State.STOPPED, actor)


def take_back(batch: Batch, *, actor: Actor = None) -> bool:
    """Undo what was done, mailbox by mailbox."""
    return _turn(batch, {Batch.State.DONE, Batch.State.STOPPED}, Batch.State.TAKING_BACK, actor)


def may_be_taken_back(batch: Batch, now: datetime) -> bool:
    """While it can be undone at all."""
    return batch.state in {Batch.State.DONE, Batch.State.STOPPED} and now < batch.created_at + undo.UNDO_LASTS


@transaction.atomic
def _turn(batch: Batch, before: set[Batch.State], after: Batch.State, actor: Actor) -> bool:
    changed = Batch.objects.filter(pk=batch.pk, state__in=before).update(
        state=after, lease_until=None, finished_at=None
    )
    if changed:
        if after == Batch.State.RUNNING:
            _work_of(batch).begin(batch)
        record(batch, f"turned: {after.value}", actor)
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
    batch = _at_hand(pk)
    if batch is None or batch.state not in _AT_WORK:
        return False
    work, wanted = _work_of(batch), _AT_WORK[Batch.State(batch.state)]
    if batch.state == Batch.State.RUNNING:
        work.begin(batch)  # somebody may have let the passwords be forgotten meanwhile
    waiting = batch.items.filter(state=wanted).order_by("number").select_for_update(skip_locked=True)
    items = list(waiting[: work.at_once])
    if not items:
        _finish(batch, wanted, now)
        return False
    with override((batch.created_by.language if batch.created_by else "") or settings.LANGUAGE_CODE):
        for some in _rounds(items):
            _together(work.do if batch.state == Batch.State.RUNNING else work.undo, batch, some, now)
    for item in items:
        item.note = item.note[:500]
    BatchItem.objects.bulk_update(items, ["state", "note", "events", "before", "mailbox"])
    Batch.objects.filter(pk=pk, state=batch.state).update(lease_until=now + LEASE)
    return True


def _at_hand(pk: int) -> Batch | None:
    """None: another worker is at it. Nobody waits for that one: a step may be long, and there are few workers."""
    rows = Batch.objects.filter(pk=pk).select_related("created_by")
    batch = rows.first()
    if batch is None or not _work_of(batch).is_for_one:
        return batch
    return rows.select_for_update(no_key=True, skip_locked=True, of=("self",)).first()


def _finish(batch: Batch, wanted: BatchItem.State, now: datetime) -> None:
    if batch.items.filter(state=wanted).exists():  # in another worker's hands
        return
    after = Batch.State.DONE if batch.state == Batch.State.RUNNING else Batch.State.TAKEN_BACK
    Batch.objects.filter(pk=batch.pk, state=batch.state).update(state=after, finished_at=now, lease_until=None)


@dataclass
class Step:
    """A mailbox of a batch, as it is now."""

    item: BatchItem
    mailbox: Mailbox | None


Act = Callable[[Batch, list[Step], datetime], None]


def _rounds(items: list[BatchItem]) -> Iterator[list[BatchItem]]:
    """In order, and no mailbox twice in one: where a file names it twice, the second row finds the first done."""
    some: dict[int, BatchItem] = {}
    for item in items:
        key = item.mailbox_id or -item.pk
        if key in some:
            yield list(some.values())
            some = {}
        some[key] = item
    yield list(some.values())


def _together(act: Act, batch: Batch, items: list[BatchItem], now: datetime) -> None:
    """All of them at once; where that fails one by one: whatever goes wrong with a mailbox is told of this mailbox."""
    try:
        with transaction.atomic():
            act(batch, _steps(batch, items), now)
            connection.check_constraints()  # those that wait for the end, too: here it is known whose fault it is
    except Exception:
        if not connection.is_usable():
            raise
        if len(items) > 1:
            for item in items:
                _together(act, batch, [item], now)
            return
        log.exception("batch step failed batch=%d item=%d", batch.pk, items[0].pk)
        items[0].state = Outcome.KEPT if batch.state == Batch.State.TAKING_BACK else Outcome.FAILED
        items[0].note = _("An unexpected fault. Our staff can read about it in the log.")


def _steps(batch: Batch, items: list[BatchItem]) -> list[Step]:
    """Each with its mailbox, held until the transaction ends and read afterwards."""
    keys = [item.mailbox_id for item in items if item.mailbox_id]
    services.lock_mailboxes(keys)
    mailboxes = with_everything(managed_by(batch)).in_bulk(keys)
    return [Step(item, mailboxes.get(item.mailbox_id or 0)) for item in items]


def _do(batch: Batch, steps: list[Step], now: datetime) -> None:
    by = services.By(batch.created_by, _reason(batch), batch.place)
    coming: list[tuple[Step, Mailbox, Plan]] = []
    for step in steps:
        plan = plan_for(batch, step.mailbox, step.item.values, now)
        if plan.state != Outcome.WAITING or step.mailbox is None:
            step.item.state, step.item.note = plan.state, plan.note
            continue
        step.item.state, step.item.events, step.item.before = Outcome.DONE, [], {}
        coming.append((step, step.mailbox, plan))
    for step, mailbox, plan in coming:
        if plan.successor is not None:
            values = batch.values | step.item.values
            step.item.before = _leave(batch, mailbox, plan.successor, values, now)
    _add(batch, coming, by, now)
    _end(coming, by, now)


def _add(batch: Batch, coming: list[tuple[Step, Mailbox, Plan]], by: services.By, now: datetime) -> None:
    wanted = [(step, mailbox, plan.values) for step, mailbox, plan in coming if plan.values is not None]
    first = batch.values.get("order") == "first" or batch.kind == Batch.Kind.LEAVE
    events = services.add_responders(
        [(mailbox, values) for _step, mailbox, values in wanted], actor=by, now=now, first=first
    )
    for (step, _mailbox, _values), event in zip(wanted, events, strict=True):
        step.item.events = [event.pk]


def _end(coming: list[tuple[Step, Mailbox, Plan]], by: services.By, now: datetime) -> None:
    of_row = {row.pk: step.item for step, _mailbox, plan in coming for row in plan.ends}
    for event in services.switch_many(dict.fromkeys(of_row, by), on=False, now=now):
        of_row[event.responder_id or 0].events.append(event.pk)


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
        blocked = mailbox_services.set_sign_in(mailbox, allowed=False, actor=services.By(author, place=batch.place))
    since = None if values["days"] is None else now + timedelta(days=values["days"])
    if since is not None:
        mailbox_services.set_successor(mailbox, successor, since, actor=services.By(author, place=batch.place))
    return {"blocked": blocked, "successor": successor.pk if since else None}


def _undo(batch: Batch, steps: list[Step], now: datetime) -> None:
    by = services.By(batch.created_by, _reason(batch), batch.place)
    standing = [step for step in steps if step.mailbox is not None]
    undone = undo.undo_plain([step.item.events for step in standing], by, now)
    for step in steps:
        if step.mailbox is None:
            step.item.state = Outcome.KEPT
            step.item.note = _("There is no such mailbox, or it is not yours to change.")
        elif _is_undone([key for key in step.item.events if key not in undone], step.item, by, now):
            _stay(step.item, step.mailbox, batch)
            step.item.state = Outcome.TAKEN_BACK


def _is_undone(left: list[int], item: BatchItem, by: services.By, now: datetime) -> bool:
    """Of what was changed since, or is more than that; the remark says what stands in the way."""
    if not left:
        return True
    try:
        with transaction.atomic():
            for event in ResponderEvent.objects.filter(pk__in=left).order_by("-pk"):
                undo.undo(event, by, now)
    except undo.CannotUndo as problem:
        item.state, item.note = Outcome.KEPT, str(problem)
        return False
    return True


def _stay(item: BatchItem, mailbox: Mailbox, batch: Batch) -> None:
    """As it was before the person left, unless somebody changed it since."""
    if batch.created_by is None:
        return
    by = services.By(batch.created_by, place=batch.place)
    if item.before.get("blocked") and mailbox.owner and access.may_let_in(batch.created_by, mailbox.owner):
        mailbox_services.set_sign_in(mailbox, allowed=True, actor=by)
    if item.before.get("successor") and mailbox.successor_id == item.before["successor"]:
        mailbox_services.set_successor(mailbox, None, None, actor=by)


def _make(batch: Batch, steps: list[Step], _now: datetime) -> None:
    new_addresses.make(batch, [step.item for step in steps])


def _take_back_made(batch: Batch, steps: list[Step], now: datetime) -> None:
    new_addresses.take_back(batch, [step.item for step in steps], now)


# --- What the kinds do ---


# State of a batch that is at work → of its items that wait for it.
_AT_WORK: dict[Batch.State, BatchItem.State] = {
    Batch.State.RUNNING: Outcome.WAITING,
    Batch.State.TAKING_BACK: Outcome.DONE,
}


@dataclass(frozen=True)
class Work:
    """How batches of a kind are done and undone."""

    do: Act
    undo: Act
    begin: Callable[[Batch], None] = lambda _batch: None  # in the transaction that starts or goes on
    at_once: int = AT_ONCE
    is_for_one: bool = False  # one worker at a time
    labels: Mapping[BatchItem.State, Any] = field(default_factory=dict)  # where the usual ones do not say it


OF_RESPONDERS = Work(_do, _undo)
OF_ADDRESSES = Work(
    _make, _take_back_made, new_addresses.begin, new_addresses.AT_ONCE,
    is_for_one=True,  # an alias leads to mailboxes that are there
    labels=new_addresses.LABELS,
)  # fmt: skip


def _work_of(batch: Batch) -> Work:
    return OF_ADDRESSES if batch.kind == Batch.Kind.MAKE else OF_RESPONDERS


# --- What is shown ---


def visible_to(user: access.AnyUser) -> QuerySet[Batch]:
    """Staff see everybody's, others their own."""
    if access.is_support(user):
        return Batch.objects.all()
    return Batch.objects.filter(created_by=user.pk) if user.is_authenticated else Batch.objects.none()


def counts(batch: Batch) -> dict[str, int]:
    """How many mailboxes are in which state."""
    return dict(batch.items.order_by().values_list("state").annotate(number=Count("pk")))


def labels(batch: Batch) -> dict[str, str]:
    """The states of its items, in words."""
    own = _work_of(batch).labels
    return {state.value: str(own.get(state, state.label)) for state in BatchItem.State}


def result(batch: Batch) -> Iterator[list[str]]:
    """The rows of the result file."""
    yield [_("address"), _("result"), _("remark")]
    words = labels(batch)
    for item in batch.items.order_by("number").iterator(chunk_size=2_000):
        yield [item.address, str(words[BatchItem.State(item.state)]), item.note]
