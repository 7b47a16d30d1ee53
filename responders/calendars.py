"""Absences and calendars: a month of them, a personal feed (RFC 5545), and a window taken from an .ics file."""

import calendar
import hashlib
import secrets
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailboxes import access
from mailboxes.log import Actor, record
from mailboxes.models import Mailbox, User
from responders import windows
from responders.core.days import holiday_name, is_weekend
from responders.core.schedule import State, Window, state_at, to_local
from responders.models import CalendarFeed, Responder
from responders.windows import Course

MAX_OCTETS = 256 * 1024
MAX_COMPONENTS = 2_000
EVENTS_SHOWN = 500
BEHIND_IN_FEED = timedelta(days=366)


@dataclass(frozen=True)
class Absence:
    """One window of one responder on one day. `start` and `end` are local; None where that edge is on another day."""

    mailbox: Mailbox
    row: Responder | None  # None: deleted since
    state: State
    start: datetime | None
    end: datetime | None


@dataclass
class CalendarDay:
    """A square of the month."""

    date: date
    is_of_month: bool
    is_today: bool
    is_off: bool
    holiday: str
    absences: list[Absence] = field(default_factory=list)


def month(
    first: date, mailboxes: QuerySet[Mailbox], today: date, language: str, country: str, *, now: datetime
) -> list[CalendarDay]:
    """The weeks of a month from Monday on, with the absences of the mailboxes, over, on and coming; two queries."""
    days = {
        day: CalendarDay(
            day, day.month == first.month, day == today,
            is_weekend(day) or bool(holiday_name(day, country, "en")), holiday_name(day, country, language),
        )
        for week in calendar.Calendar().monthdatescalendar(first.year, first.month)
        for day in week
    }  # fmt: skip
    begin, end = _moment(min(days)) - timedelta(days=1), _moment(max(days)) + timedelta(days=2)
    for window, course in _windows_within(mailboxes, begin, end, now):
        state = state_at(is_enabled=True, window=window, at=now)
        zone = course.row.time_zone if course.row else course.mailbox.time_zone
        start = to_local(window.start or begin, zone)
        over = to_local(window.end, zone) if window.end else None
        for day in _days_of(start, over, days):
            days[day].absences.append(_on_day(day, course, state, start, over))
    return list(days.values())


def _windows_within(
    mailboxes: QuerySet[Mailbox], begin: datetime, end: datetime, now: datetime
) -> list[tuple[Window, Course]]:
    """When absence messages of the mailboxes were, are and will be on within the time, the earliest first."""
    since = min(begin, now)  # of a month to come, too, what is on now began before it
    events = windows.events_of(mailboxes, since)
    rows = {event.responder.pk: event.responder for event in events if event.responder}
    rows |= {row.pk: row for row in absences(mailboxes, begin, end)}
    found = [
        (window, course)
        for course in windows.courses(events, rows.values(), since)
        for window in course.windows
        if course.type == "absence" and window.start and window.start < end and (not window.end or window.end > begin)
    ]
    return sorted(found, key=lambda one: (one[0].start or begin, one[1].mailbox.pk))[:EVENTS_SHOWN]


def _days_of(start: datetime, over: datetime | None, days: Collection[date]) -> list[date]:
    """Those of the days that it touches; what ends at midnight ends the day before."""
    last = (over - timedelta(microseconds=1)).date() if over else max(days)
    return [day for day in days if start.date() <= day <= last]


def _on_day(day: date, course: Course, state: State, start: datetime, over: datetime | None) -> Absence:
    ends = over is not None and day == (over - timedelta(microseconds=1)).date()
    begins = day == start.date()
    return Absence(course.mailbox, course.row, state, start if begins else None, over if ends else None)


def absences(mailboxes: QuerySet[Mailbox], since: datetime, until: datetime) -> list[Responder]:
    """Absence messages that are on within the time, the earliest first."""
    rows = Responder.objects.filter(mailbox__in=mailboxes, type="absence", is_enabled=True)
    rows = rows.filter(Q(to_utc__isnull=True) | Q(to_utc__gt=since), Q(from_utc__isnull=True) | Q(from_utc__lt=until))
    return list(rows.select_related("mailbox").order_by("from_utc", "pk")[:EVENTS_SHOWN])


def _moment(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


# --- The feed ---


def make_feed(user: User, *, actor: Actor = None) -> str:
    """A new secret for the person's feed, in place of an old one. Only its hash is kept."""
    token = secrets.token_urlsafe(32)
    CalendarFeed.objects.update_or_create(user=user, defaults={"secret_hash": _hash(token)})
    record(user, "calendar feed: a new address", actor)
    return token


def end_feed(user: User, *, actor: Actor = None) -> None:
    """Switch the feed off."""
    if CalendarFeed.objects.filter(user=user).delete()[0]:
        record(user, "calendar feed: off", actor)


def has_feed(user: User) -> bool:
    """Whether an address that was shown leads to it."""
    return _feeds().filter(user=user).exists()


def person_of_feed(token: str) -> User | None:
    """Whose feed it is; nobody's where it ended or its person may not sign in."""
    feed = _feeds().select_related("user").filter(secret_hash=_hash(token), user__is_active=True).first()
    return feed.user if feed else None


def _feeds() -> QuerySet[CalendarFeed]:
    """Without those from before somebody else set the person's password."""
    made_since = Q(user__password_given_at=None) | Q(made_at__gt=F("user__password_given_at"))
    return CalendarFeed.objects.filter(made_since)


def feed(user: User, now: datetime) -> bytes:
    """The absences of the person's mailboxes, of the last year and to come, without their texts."""
    made = icalendar.Calendar()
    made.add("prodid", f"-//Webmail Panel//{settings.MAIL_HOSTNAME}//")
    made.add("version", "2.0")
    with override(user.language or settings.LANGUAGE_CODE):
        made.add("x-wr-calname", _("Absences"))
        for row in absences(access.mailboxes_of(user), now - BEHIND_IN_FEED, now + 10 * BEHIND_IN_FEED):
            made.add_component(_event(row, now))
    content: bytes = made.to_ical()
    return content


def _event(row: Responder, now: datetime) -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", f"responder-{row.pk}@{settings.MAIL_HOSTNAME}")
    event.add("dtstamp", now)
    event.add("last-modified", row.updated_at)
    start = row.from_utc or row.created_at
    # Without an end it is drawn until tomorrow, every day anew.
    end = row.to_utc or max(now, start) + timedelta(days=1)
    event.add("dtstart", start.astimezone(UTC))
    event.add("dtend", end.astimezone(UTC))
    name = row.mailbox.name or str(row.mailbox)
    words = _("%(name)s is away") if row.to_utc else _("%(name)s is away, no end set")
    event.add("summary", words % {"name": name})
    event.add("location", str(row.mailbox))
    event.add("class", "PRIVATE")
    event.add("transp", "TRANSPARENT")
    event.add("url", f"{settings.PANEL_URL}/mailboxes/{row.mailbox_id}/")
    return event


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


# --- A window from a file ---


class NoWindow(ValueError):
    """The file holds no window; the text says why, in the active language."""


@dataclass(frozen=True)
class FoundWindow:
    """The local start and end that an event has in the mailbox's zone. `others`: how many more the file holds."""

    start: datetime
    end: datetime
    title: str
    others: int


def window_from_file(content: bytes, zone: str, now: datetime) -> FoundWindow:
    """The next event of an .ics file that is not over, else the last one. Raises NoWindow."""
    if not content:
        raise NoWindow(_("Choose a file first."))
    if len(content) > MAX_OCTETS:
        raise NoWindow(_("This file is larger than 256 KB."))
    if content.upper().count(b"BEGIN:") > MAX_COMPONENTS:
        raise NoWindow(_("This file holds too many events."))
    found = sorted(_windows(content, zone), key=lambda one: one.start)
    if not found:
        raise NoWindow(_("There is no event with a start and an end in this file."))
    local_now = to_local(now, zone)
    coming = [one for one in found if one.end > local_now]
    chosen = coming[0] if coming else found[-1]
    return FoundWindow(chosen.start, chosen.end, chosen.title, len(found) - 1)


def _windows(content: bytes, zone: str) -> Iterator[FoundWindow]:
    try:
        calendars = icalendar.Calendar.from_ical(content, multiple=True)
        events = [event for one in calendars for event in one.walk("VEVENT")]
    except Exception as error:  # the library raises whatever its parsers meet in a stranger's file
        raise NoWindow(_("This is not a calendar file (.ics).")) from error
    for event in events:
        if (window := _window(event, zone)) is not None:
            yield window


def _window(event: Any, zone: str) -> FoundWindow | None:
    try:
        start, end = event.get("dtstart"), event.get("dtend")
        if start is None:
            return None
        begin = _local(start.dt, zone)
        over = _local(end.dt, zone) if end is not None else begin + _length(event, start.dt)
        title = " ".join(str(event.get("summary", "")).split())[:200]
    except Exception:  # noqa: BLE001 (a field that the library could not make sense of)
        return None
    return FoundWindow(begin, over, title, 0) if begin < over else None


def _length(event: Any, start: date) -> timedelta:
    duration = event.get("duration")
    if duration is not None:
        return timedelta(seconds=duration.dt.total_seconds())
    return timedelta() if isinstance(start, datetime) else timedelta(days=1)  # RFC 5545 §3.6.1


def _local(value: date, zone: str) -> datetime:
    """In the mailbox's zone; a date is its first minute, a floating time is taken as it stands (RFC 5545 §3.3.5)."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time())
    if value.tzinfo is not None:
        value = value.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return value.replace(second=0, microsecond=0)


def weekdays(days: Iterable[CalendarDay]) -> list[date]:
    """A week of the calendar, for the head of the table."""
    return [day.date for day in days][:7]
