"""When a mailbox's responders were on, are and will be, as it really was.

A stored responder says only what holds now. The history keeps what each change put something else in place of: going
back from now, the newest event first, each event tells what held before it. Between two events a responder was on
while its window of that time lasted; what was ended early ends there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from mailboxes.models import Mailbox
from responders.core.rendering import for_reading
from responders.core.schedule import Window
from responders.models import Responder, ResponderEvent
from responders.validation import from_json

Kind = ResponderEvent.Kind
CHANGES = [Kind.CREATED, Kind.EDITED, Kind.SWITCHED_ON, Kind.SWITCHED_OFF, Kind.DELETED]
EVENTS_READ = 500


@dataclass(frozen=True)
class Course:
    """One responder's windows, the oldest first. An open end is None; so is the row of a deleted responder."""

    row: Responder | None
    mailbox: Mailbox
    title: str
    type: str
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class _Setting:
    """What decides whether a responder is on, from one event to the next. Times are local, in the zone."""

    is_enabled: bool
    from_date: datetime | None
    to_date: datetime | None
    time_zone: str


_FIELDS = set(_Setting.__dataclass_fields__)


def events(mailbox: Mailbox, since: datetime, latest: int) -> list[ResponderEvent]:
    """What changed since, when each responder was made, and so many of the latest events; newest first, a bounded list.

    One question for the windows and for the history that the page shows.
    """
    rows = mailbox.responder_events.order_by("-at", "-id")
    wanted = Q(kind__in=CHANGES, at__gte=since) | Q(kind=Kind.CREATED, responder__isnull=False)
    wanted |= Q(pk__in=rows.values("pk")[:latest])
    return list(rows.filter(wanted).select_related("actor", "responder", "undone_by")[:EVENTS_READ])


def events_of(mailboxes: QuerySet[Mailbox], since: datetime) -> list[ResponderEvent]:
    """What changed in any of the mailboxes since, newest first, a bounded list: one question however many they are."""
    rows = ResponderEvent.objects.filter(mailbox__in=mailboxes, kind__in=CHANGES, at__gte=since)
    return list(rows.select_related("mailbox", "responder__mailbox").order_by("-at", "-id")[:EVENTS_READ])


def courses(read: list[ResponderEvent], rows: Iterable[Responder], since: datetime) -> list[Course]:
    """Of each responder that is stored, in the order given, then of those deleted since; from `since` on (UTC).

    `read` is what `events` or `events_of` found.
    """
    known_since = max(since, read[-1].at) if len(read) == EVENTS_READ else since
    by_number: dict[int | None, list[ResponderEvent]] = {}
    for event in (event for event in read if event.kind in CHANGES):
        by_number.setdefault(event.responder_id or event.deleted_responder, []).append(event)
    found = [_of_row(row, by_number.get(row.pk, []), known_since) for row in rows]
    deleted = [own for number, own in by_number.items() if number and own[0].kind == Kind.DELETED]
    return found + [_of_deleted(own, own[0].mailbox, known_since) for own in deleted if own[0].mailbox]


def _of_row(row: Responder, events: list[ResponderEvent], since: datetime) -> Course:
    setting = _Setting(row.is_enabled, row.from_date, row.to_date, row.time_zone)
    windows = _back(setting, None, events, max(since, _made(events, row.created_at)))
    return Course(row, row.mailbox, row.title, row.type, windows)


def _of_deleted(events: list[ResponderEvent], mailbox: Mailbox, since: datetime) -> Course:
    """The event of the deletion comes first and holds all there was."""
    deletion, *earlier = events
    was = {name: from_json(name, before) for name, (before, _after) in deletion.changes.items()}
    setting = _Setting(**{name: was[name] for name in _FIELDS})
    windows = _back(setting, deletion.at, earlier, max(since, _made(earlier, since)))
    return Course(None, mailbox, for_reading(was["subject"]), was["type"], windows)


def _made(events: Iterable[ResponderEvent], else_at: datetime) -> datetime:
    """A responder that came without an event (nothing but tests make one) cannot have answered before it was there."""
    return next((event.at for event in events if event.kind == Kind.CREATED), else_at)


def _back(
    setting: _Setting, until: datetime | None, events: Iterable[ResponderEvent], since: datetime
) -> tuple[Window, ...]:
    """When it was on: by what holds until then, and by what held before each event, back to `since`."""
    found = []
    for event in (event for event in events if event.at > since):
        found.append(_on(setting, event.at, until))
        setting, until = _before(setting, event), event.at
    return _joined(reversed([*found, _on(setting, since, until)]))


def _before(setting: _Setting, event: ResponderEvent) -> _Setting:
    if event.kind in (Kind.SWITCHED_ON, Kind.SWITCHED_OFF):
        return replace(setting, is_enabled=event.kind == Kind.SWITCHED_OFF)
    return replace(setting, **_replaced(event.changes))


def _replaced(changes: Mapping[str, list[Any]]) -> dict[str, Any]:
    return {name: from_json(name, before) for name, (before, _after) in changes.items() if name in _FIELDS}


def _on(setting: _Setting, since: datetime, until: datetime | None) -> Window | None:
    """The part of the setting's window from `since` until then; None where there is none."""
    start = max(filter(None, (since, _moment(setting.from_date, setting.time_zone))))
    end = min(filter(None, (until, _moment(setting.to_date, setting.time_zone))), default=None)
    return Window(start, end) if setting.is_enabled and (end is None or start < end) else None


def _moment(local: datetime | None, zone: str) -> datetime | None:
    """Of a time that was checked when it was saved."""
    return local and local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _joined(windows: Iterable[Window | None]) -> tuple[Window, ...]:
    """A change in the middle that let it go on makes no second window."""
    found: list[Window] = []
    for window in filter(None, windows):
        if found and found[-1].end == window.start:
            found[-1] = Window(found[-1].start, window.end)
        else:
            found.append(window)
    return tuple(found)
