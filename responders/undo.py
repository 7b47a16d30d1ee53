"""Taking back what was done to a responder, while nobody has done anything to the same fields since."""

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from mailboxes.models import Mailbox
from responders import mailbox_changes, services
from responders.models import Responder, ResponderEvent
from responders.validation import ResponderInput, ResponderInvalid, as_input, from_json, plain

UNDO_LASTS = timedelta(days=14)
Kind = ResponderEvent.Kind
_FIELDS = {field.name for field in fields(ResponderInput)}


class CannotUndo(Exception):
    """The text says why, in the active language."""


def may_be_undone(event: ResponderEvent, now: datetime) -> bool:
    """Whether it is worth a button: recent, a person's, and not undone yet."""
    return (
        event.kind in _HOW
        and event.at > now - UNDO_LASTS
        and not hasattr(event, "undone_by")
        and (event.kind != Kind.EDITED or event.changes.keys() <= _FIELDS)
    )


def is_for_owner_alone(event: ResponderEvent) -> bool:
    """Who else looks after the mailbox, and who gets copies of its mail: only whoever may say that may take it back
    (`access.may_delegate`, `access.may_send_copies`).
    """
    return mailbox_changes.DELEGATES in event.changes or _sends_copies_again(event)


def _sends_copies_again(event: ResponderEvent) -> bool:
    if "deputy_gets_copy" in event.changes:
        return bool(event.changes["deputy_gets_copy"][0])
    return "deputy_address" in event.changes and event.responder is not None and event.responder.deputy_gets_copy


@transaction.atomic
def undo(event: ResponderEvent, by: services.By, now: datetime) -> None:
    """Put things back as they were before the event. Raises CannotUndo."""
    Mailbox.objects.select_for_update(no_key=True).get(pk=event.standing_mailbox().pk)
    event = ResponderEvent.objects.select_related("responder", "mailbox").get(pk=event.pk)
    if not may_be_undone(event, now):
        raise CannotUndo(_("This cannot be undone any more."))
    try:
        _HOW[Kind(event.kind)](event, replace(by, undoes=event), now)
    except ResponderInvalid as invalid:
        raise CannotUndo(" ".join(str(text) for texts in invalid.errors.values() for text in texts)) from invalid


@transaction.atomic
def undo_plain(groups: Sequence[Collection[int]], by: services.By, now: datetime) -> set[int]:
    """Undo events, by key, that made or ended responders which nobody touched since; return which were undone.

    In a few statements for all. A group with anything else in it is left alone as a whole: it is for `undo`.
    """
    keys = {key for group in groups for key in group}
    events = ResponderEvent.objects.filter(pk__in=keys)
    services.lock_mailboxes(events.exclude(mailbox=None).values_list("mailbox", flat=True))
    services.locked_responders(events.exclude(responder=None).values_list("responder", flat=True))
    found = {event.pk: event for event in events.select_related("responder", "undone_by") if _is_plain(event, now)}
    undone = {key for group in groups if found.keys() >= set(group) for key in group}
    who = {found[key].responder_id or 0: replace(by, undoes=found[key]) for key in undone}
    made = {found[key].responder_id or 0 for key in undone if found[key].kind == Kind.CREATED}
    services.delete_responders({key: one for key, one in who.items() if key in made}, now=now)
    services.switch_many({key: one for key, one in who.items() if key not in made}, on=True, now=now)
    return undone


def _is_plain(event: ResponderEvent, now: datetime) -> bool:
    if event.responder is None or event.mailbox_id is None or not may_be_undone(event, now):
        return False
    return event.kind == Kind.SWITCHED_OFF or (event.kind == Kind.CREATED and event.responder.version == 1)


def _back_to(event: ResponderEvent, by: services.By, now: datetime) -> None:
    row = _row(event)
    stored = as_input(row)
    current = {name: plain(getattr(stored, name)) for name in event.changes}
    if current != {name: after for name, (_before, after) in event.changes.items()}:
        raise CannotUndo(_("It was changed again since: look at it and change it by hand."))
    before = {name: from_json(name, was) for name, (was, _after) in event.changes.items()}
    services.save_responder(row.mailbox, replace(stored, **before), actor=by, now=now, responder=row)


def _switch_back(event: ResponderEvent, by: services.By, now: datetime) -> None:
    services.switch(_row(event), on=event.kind == Kind.SWITCHED_OFF, actor=by, now=now)


def _remove(event: ResponderEvent, by: services.By, now: datetime) -> None:
    row = _row(event)
    if row.version > 1:
        raise CannotUndo(_("It was changed again since: look at it and change it by hand."))
    services.delete_responder(row, actor=by, now=now)


def _make_again(event: ResponderEvent, by: services.By, now: datetime) -> None:
    values = {name: from_json(name, was) for name, (was, _after) in event.changes.items() if name in _FIELDS}
    services.save_responder(event.standing_mailbox(), ResponderInput(**values), actor=by, now=now)


def _set_back(event: ResponderEvent, by: services.By, _now: datetime) -> None:
    try:
        mailbox_changes.take_back(event, by)
    except mailbox_changes.ChangedSince as problem:
        raise CannotUndo(str(problem)) from problem


_HOW = {
    Kind.MAILBOX: _set_back,
    Kind.EDITED: _back_to,
    Kind.SWITCHED_ON: _switch_back,
    Kind.SWITCHED_OFF: _switch_back,
    Kind.CREATED: _remove,
    Kind.DELETED: _make_again,
}


def _row(event: ResponderEvent) -> Responder:
    if event.responder is None:
        raise CannotUndo(_("This autoresponder was deleted since."))
    return event.responder
