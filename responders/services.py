"""What people, commands and tasks do to responders.

`now` is always the database's time (`database_now`), read once at the door. Activity itself is never
stored: the hook and Postfix compute it. What is stored as `state` here is a mirror for lists and history.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import DateTimeField, F, Func, Max

from mailboxes import log
from mailboxes.log import Actor
from mailboxes.models import Mailbox
from responders.core import schedule
from responders.models import Responder, ResponderEvent
from responders.validation import ResponderInput, all_texts, as_input, checked, plain, refuse_too_many, tidy

# Off for longer than this, switching on again begins a new activation: everyone is answered afresh.
QUICK_OFF_AND_ON = timedelta(days=1)
Kind = ResponderEvent.Kind
By = log.By


class ResponderConflict(RuntimeError):
    """Somebody saved meanwhile. `current` is what is stored now."""

    def __init__(self, current: Responder) -> None:
        super().__init__("the responder was changed meanwhile")
        self.current = current


def database_now() -> datetime:
    """The database's clock (UTC): the only one that decides."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT panel_now()")
        moment: datetime = cursor.fetchone()[0]
    return moment


class PanelNow(Func):
    """The same for a queryset: one query less."""

    function = "panel_now"
    output_field = DateTimeField()


@transaction.atomic
def save_responder(
    mailbox: Mailbox,
    values: ResponderInput,
    *,
    actor: Actor,
    now: datetime,
    responder: Responder | None = None,
    expected_version: int | None = None,
    first: bool = False,
) -> Responder:
    """Make a responder of the mailbox, or change one, and write the history.

    `expected_version` is what the person saw when they began to edit; `first` puts a new one before all others.
    Raises ResponderInvalid, ResponderConflict.
    """
    Mailbox.objects.select_for_update(no_key=True).get(pk=mailbox.pk)  # one writer at a time: positions stay unique
    before = None if responder is None else _locked(responder, expected_version)
    row = before or Responder(mailbox=mailbox, position=_free_position(mailbox, first=first))
    changes = _take_in(row, mailbox, values, now)
    row.save()
    _record(row, Kind.EDITED if before else Kind.CREATED, actor=actor, at=now, changes=changes)
    return row


@transaction.atomic
def add_responders(
    wanted: Sequence[tuple[Mailbox, ResponderInput]], *, actor: Actor, now: datetime, first: bool = False
) -> list[ResponderEvent]:
    """Make a responder for each of the mailboxes, no two of them the same, in a few statements for all.

    Returns the history's rows in the same order. Raises ResponderInvalid, and then none is made.
    """
    lock_mailboxes(mailbox.pk for mailbox, _values in wanted)
    places = _free_positions([mailbox.pk for mailbox, _values in wanted], first=first)
    rows = []
    for mailbox, values in wanted:
        row = Responder(mailbox=mailbox, position=places.get(mailbox.pk, 0))
        _take_in(row, mailbox, values, now)
        rows.append(row)
    Responder.objects.bulk_create(rows)
    return ResponderEvent.objects.bulk_create(_event(row, Kind.CREATED, actor=actor, at=now) for row in rows)


def lock_mailboxes(keys: Iterable[int]) -> None:
    """Let nobody else change responders of these mailboxes until the transaction ends. What the hook writes goes on."""
    rows = Mailbox.objects.select_for_update(no_key=True).filter(pk__in=list(keys)).order_by("pk")
    list(rows.values_list("pk"))  # in one order, so that two of us do not wait for each other


def _take_in(row: Responder, mailbox: Mailbox, values: ResponderInput, now: datetime) -> dict[str, list[Any]]:
    """Put what was typed into a row, new or stored; return what is another than before. Raises ResponderInvalid."""
    before = row if row.pk else None
    if before is None:
        refuse_too_many(mailbox)
    values = replace(tidy(values), language=values.language or mailbox.language)
    window = checked(mailbox, values, before, now)
    old = as_input(row) if before else None
    _remember_activation(row, values, window, now)
    if old and all_texts(old) != all_texts(values):
        row.text_revision += 1
    _fill(row, values, window)
    _mirror(row, now)
    row.version += 1 if before else 0
    return _changes(old, values)


def says_the_same(row: Responder, values: ResponderInput) -> bool:
    """Whether saving the values would change nothing of what the row says."""
    return as_input(row) == replace(tidy(values), language=values.language or row.mailbox.language)


def check(mailbox: Mailbox, values: ResponderInput, now: datetime, responder: Responder | None = None) -> None:
    """Whether `save_responder` would take the values. Raises ResponderInvalid."""
    if responder is None:
        refuse_too_many(mailbox)
    checked(mailbox, tidy(values), responder, now)


def unsaved(mailbox: Mailbox, values: ResponderInput, now: datetime, responder: Responder | None = None) -> Responder:
    """The row that `save_responder` would store. Raises ResponderInvalid."""
    values = replace(tidy(values), language=values.language or mailbox.language)
    row = Responder(mailbox=mailbox)
    _fill(row, values, checked(mailbox, values, responder, now))
    return row


@transaction.atomic
def switch(responder: Responder, *, on: bool, actor: Actor, now: datetime) -> Responder:
    """Switch on or off by hand. Nothing happens if it is so already."""
    row = _locked(responder)
    if row.is_enabled == on:
        return row
    _turn(row, on=on, now=now)
    row.save()
    _record(row, Kind.SWITCHED_ON if on else Kind.SWITCHED_OFF, actor=actor, at=now)
    return row


# What `_turn` changes.
_TURNED = ["is_enabled", "activation", "disabled_at", "state", "state_changed_at", "next_transition_at", "version"]


@transaction.atomic
def switch_many(who: dict[int, By], *, on: bool, now: datetime) -> list[ResponderEvent]:
    """The same for many responders, by key, each with who does it; return the history's rows."""
    rows = [row for row in locked_responders(who) if row.is_enabled != on]
    for row in rows:
        _turn(row, on=on, now=now)
        row.updated_at = now
    Responder.objects.bulk_update(rows, [*_TURNED, "updated_at"])
    kind = Kind.SWITCHED_ON if on else Kind.SWITCHED_OFF
    return ResponderEvent.objects.bulk_create(_event(row, kind, actor=who[row.pk], at=now) for row in rows)


def locked_responders(keys: Iterable[int]) -> list[Responder]:
    """Those that there are, held until the transaction ends."""
    return list(Responder.objects.select_for_update(no_key=True).filter(pk__in=list(keys)).order_by("pk"))


def _turn(row: Responder, *, on: bool, now: datetime) -> None:
    _remember_activation(row, None, row.window, now, is_enabled=on)
    row.is_enabled = on
    _mirror(row, now)
    row.version += 1


@transaction.atomic
def answer_everyone_again(responder: Responder, *, actor: Actor, now: datetime) -> Responder:
    """Begin a new activation: nobody counts as answered any more."""
    row = _locked(responder)
    row.activation += 1
    row.version += 1
    row.save()
    _record(row, Kind.ANSWER_AGAIN, actor=actor, at=now)
    return row


@transaction.atomic
def delete_responder(responder: Responder, *, actor: Actor, now: datetime) -> None:
    """Delete a responder; its texts stay in the history."""
    row = _locked(responder)
    _record(row, Kind.DELETED, actor=actor, at=now, changes=_all_of(row))
    row.delete()


@transaction.atomic
def delete_responders(who: dict[int, By], *, now: datetime) -> None:
    """The same for many responders, by key, each with who does it."""
    rows = locked_responders(who)
    ResponderEvent.objects.bulk_create(
        _event(row, Kind.DELETED, actor=who[row.pk], at=now, changes=_all_of(row)) for row in rows
    )
    Responder.objects.filter(pk__in=[row.pk for row in rows]).delete()


def _all_of(row: Responder) -> dict[str, list[Any]]:
    values = as_input(row)
    return {field.name: [plain(getattr(values, field.name)), None] for field in fields(values)}


@transaction.atomic
def move(responder: Responder, *, up: bool, actor: Actor, now: datetime) -> None:
    """Change places with the neighbour above or below; at the edge nothing happens."""
    Mailbox.objects.select_for_update(no_key=True).get(pk=responder.mailbox_id)
    rows = list(Responder.objects.filter(mailbox=responder.mailbox_id).order_by("position", "pk"))
    place = next((index for index, row in enumerate(rows) if row.pk == responder.pk), None)
    if place is None:
        raise Responder.DoesNotExist
    other = place + (-1 if up else 1)
    if not 0 <= other < len(rows):
        return
    rows[place], rows[other] = rows[other], rows[place]
    for position, row in enumerate(rows):
        Responder.objects.filter(pk=row.pk).update(position=position)
    _record(rows[other], Kind.EDITED, actor=actor, at=now, changes={"position": [place + 1, other + 1]})


# One edge of the window per row and pass. The state is compared in the same statement that sets it, and rows
# that another worker holds are left to it: no transition happens twice. A row that cannot move keeps no other waiting.
_APPLY_DUE = """
WITH due AS (
    SELECT id FROM responders_responder
    WHERE next_transition_at <= %(now)s AND is_enabled AND state IN ('scheduled', 'active') {among}
    ORDER BY next_transition_at, id LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), moved AS (
    UPDATE responders_responder r SET
        state = CASE WHEN r.next_transition_at = r.to_utc THEN 'ended' ELSE 'active' END,
        state_changed_at = r.next_transition_at,
        next_transition_at = CASE WHEN r.next_transition_at = r.to_utc THEN NULL ELSE r.to_utc END
    FROM due
    WHERE r.id = due.id AND r.is_enabled AND r.next_transition_at <= %(now)s AND r.state IN ('scheduled', 'active')
    RETURNING r.id, r.mailbox_id, r.state, r.state_changed_at
)
INSERT INTO responders_responderevent (responder_id, mailbox_id, kind, at, recorded_at, changes)
SELECT id, mailbox_id, CASE state WHEN 'ended' THEN 'ended' ELSE 'started' END, state_changed_at, %(now)s, '{}'
FROM moved ORDER BY state_changed_at, id
"""


def apply_due_transitions(now: datetime, *, batch: int = 1000, only: Collection[int] | None = None) -> int:
    """Move every responder whose time has come (scheduled → active → ended), oldest first; return how many moves.

    `only`: of those with these keys.

    Each batch is a transaction of its own: killed half-way, it goes on at the next call.
    """
    moves, statement = 0, _APPLY_DUE.replace("{among}", "" if only is None else "AND id = ANY(%(only)s)")
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, {"now": now, "limit": batch, "only": list(only or ())})
            moved = int(cursor.rowcount)
        moves += moved
        if not moved:
            return moves


@transaction.atomic
def bring_in_step(keys: Collection[int], *, actor: Actor, now: datetime) -> int:
    """Let the stored state of these say what the clock says, now; return how many it did not say so of.

    Edges that are due leave their events, as by the clock; the log tells who did not wait for it.
    """
    rows = list(Responder.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk"))
    before = {row.pk: (row.state, row.next_transition_at) for row in rows}
    apply_due_transitions(now, only=before.keys())
    moved = 0
    for row in Responder.objects.filter(pk__in=before).order_by("pk"):
        _mirror(row, now)
        if before[row.pk] != (row.state, row.next_transition_at):
            row.save(update_fields=["state", "state_changed_at", "next_transition_at"])
            log.record(row, f"brought in step with the clock: {before[row.pk][0]} → {row.state}", actor)
            moved += 1
    return moved


def _locked(responder: Responder, expected_version: int | None = None) -> Responder:
    row = Responder.objects.select_for_update(no_key=True).get(pk=responder.pk)
    if expected_version is not None and row.version != expected_version:
        raise ResponderConflict(row)
    return row


def _free_position(mailbox: Mailbox, *, first: bool) -> int:
    """The last, or the first: the others move down (the constraint is looked at when all is done)."""
    if first:
        mailbox.responders.update(position=F("position") + 1)
        return 0
    highest: int | None = mailbox.responders.aggregate(highest=Max("position"))["highest"]
    return 0 if highest is None else highest + 1


def _free_positions(keys: list[int], *, first: bool) -> dict[int, int]:
    """The same for many mailboxes; those without a responder are missing."""
    theirs = Responder.objects.filter(mailbox__in=keys)
    if first:
        theirs.update(position=F("position") + 1)
        return {}
    highest = theirs.order_by().values_list("mailbox").annotate(highest=Max("position"))
    return {key: place + 1 for key, place in highest}


def _remember_activation(
    row: Responder,
    values: ResponderInput | None,
    window: schedule.Window,
    now: datetime,
    *,
    is_enabled: bool = True,
) -> None:
    """Count a new activation where a new window begins or a long pause ends; keep when it was switched off."""
    is_enabled = values.is_enabled if values else is_enabled
    was_over = row.pk is not None and row.window.end is not None and row.window.end <= now
    is_over = window.end is not None and window.end <= now
    was_off_long = row.disabled_at is not None and now - row.disabled_at > QUICK_OFF_AND_ON
    if (was_over and not is_over) or (is_enabled and not row.is_enabled and was_off_long):
        row.activation += 1
    if is_enabled:
        row.disabled_at = None
    elif row.is_enabled or row.disabled_at is None:
        row.disabled_at = now


def _mirror(row: Responder, now: datetime) -> None:
    """Set the stored state to what the clock says."""
    state = row.state_at(now)
    if row.state != state:
        row.state, row.state_changed_at = state.value, now
    row.next_transition_at = row.next_transition(now)


def _fill(row: Responder, values: ResponderInput, window: schedule.Window) -> None:
    for field in fields(values):
        setattr(row, field.name, _storable(getattr(values, field.name)))
    row.country = row.mailbox.country
    row.from_utc, row.to_utc = window.start, window.end


def _storable(value: Any) -> Any:
    return plain(value) if isinstance(value, tuple) else value


def _changes(old: ResponderInput | None, new: ResponderInput) -> dict[str, list[Any]]:
    if old is None:
        return {}
    pairs = {field.name: (getattr(old, field.name), getattr(new, field.name)) for field in fields(ResponderInput)}
    return {name: [plain(was), plain(is_now)] for name, (was, is_now) in pairs.items() if was != is_now}


def _record(
    row: Responder,
    kind: Kind,
    *,
    actor: Actor,
    at: datetime,
    changes: dict[str, list[Any]] | None = None,
) -> None:
    _event(row, kind, actor=actor, at=at, changes=changes).save(force_insert=True)


def _event(
    row: Responder, kind: Kind, *, actor: Actor, at: datetime, changes: dict[str, list[Any]] | None = None
) -> ResponderEvent:
    by = log.as_by(actor)
    return ResponderEvent(
        mailbox_id=row.mailbox_id, responder=row, kind=kind, at=at, changes=changes or {},
        actor=by.user, reason=by.reason, place=by.place, way=by.way, undoes=by.undoes,
    )  # fmt: skip
