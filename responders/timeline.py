"""A mailbox's absences as a picture: when it answered, answers and will answer, among weekends and public holidays."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mailboxes.models import Mailbox
from responders import sentences, windows
from responders.core.days import holiday_name, is_weekend
from responders.core.schedule import State, Window, state_at
from responders.models import Responder, ResponderEvent

DAYS_BEHIND, DAYS_AHEAD = 21, 70
DAYS = DAYS_BEHIND + DAYS_AHEAD
LINES = 8
LINE_HEIGHT, TOP = 40, 22  # of the drawing, in pixels


@dataclass(frozen=True)
class Span:
    """A part of the picture's width, in per cent, and what it is."""

    x: float
    width: float
    title: str = ""


@dataclass(frozen=True)
class Bar:
    """One window: over (ended), on (active) or coming (scheduled), and the same in words."""

    span: Span
    state: str


@dataclass(frozen=True)
class Line:
    """One responder: its bars, and where they stand."""

    title: str
    type: str
    is_deleted: bool
    bars: list[Bar]
    text_y: int
    bar_y: int


@dataclass(frozen=True)
class Timeline:
    """Everything the template draws. Days off have a name where they are public holidays."""

    first: date
    last: date
    now: float
    weekends: list[Span]
    holidays: list[tuple[date, Span]]
    months: list[tuple[date, float]]
    lines: list[Line]
    left_out: int
    height: int


def begins(mailbox: Mailbox, now: datetime) -> datetime:
    """With which moment the picture does: a midnight of the mailbox's zone."""
    tz = ZoneInfo(mailbox.time_zone)
    return datetime.combine(now.astimezone(tz).date() - timedelta(days=DAYS_BEHIND), time(), tz)


def timeline(
    mailbox: Mailbox, rows: Iterable[Responder], read: list[ResponderEvent], language: str, now: datetime
) -> Timeline:
    """The weeks around `now` in the mailbox's zone. Of many responders those that are on or coming stand first.

    `read`: what `windows.events` found since `begins`.
    """
    tz = ZoneInfo(mailbox.time_zone)
    first = now.astimezone(tz).date() - timedelta(days=DAYS_BEHIND)
    start, end = (datetime.combine(first + timedelta(days=days), time(), tz) for days in (0, DAYS))
    days = [first + timedelta(days=number) for number in range(DAYS)]
    wanted = [course for course in windows.courses(read, rows, start) if _inside(course, start, end)]
    wanted.sort(key=lambda course: not any(window.end is None or window.end > now for window in course.windows))
    lines = [_line(course, place, start, end, now) for place, course in enumerate(wanted[:LINES])]
    holidays = [(day, _day(day, first, name)) for day in days if (name := holiday_name(day, mailbox.country, language))]
    return Timeline(
        first=first,
        last=days[-1],
        now=_percent(now, start, end),
        weekends=[_day(day, first) for day in days if is_weekend(day)],
        holidays=holidays,
        months=_months(days),
        lines=lines,
        left_out=max(0, len(wanted) - LINES),
        height=TOP + LINE_HEIGHT * len(lines),
    )


def _months(days: list[date]) -> list[tuple[date, float]]:
    """Where each begins, and the one in which the picture does; not where its name would be cut off."""
    begun = [(day, _day(day, days[0]).x) for day in days if day.day == 1]
    first = [] if begun and begun[0][1] < 10 else [(days[0], 0.0)]
    return first + [(day, x) for day, x in begun if x < 94]


def _inside(course: windows.Course, start: datetime, end: datetime) -> list[Window]:
    """Its windows that the picture shows, or begins to show."""
    return [
        window
        for window in course.windows
        if window.start and window.start < end and (window.end is None or window.end > start)
    ]


def _line(course: windows.Course, place: int, start: datetime, end: datetime, now: datetime) -> Line:
    bars = [_bar(window, start, end, now) for window in _inside(course, start, end)]
    y = TOP + place * LINE_HEIGHT
    return Line(course.title, course.type, course.row is None, bars, y + 13, y + 19)


def _bar(window: Window, start: datetime, end: datetime, now: datetime) -> Bar:
    left, right = _percent(window.start or start, start, end), _percent(window.end or end, start, end)
    state: State = state_at(is_enabled=True, window=window, at=now)
    words = sentences.span_sentence(window.start, window.end, start.tzinfo)
    return Bar(Span(left, round(max(right - left, 0.6), 2), words), state.value)


def _day(day: date, first: date, title: str = "") -> Span:
    return Span(round((day - first).days * 100 / DAYS, 2), round(100 / DAYS, 2), title)


def _percent(moment: datetime, start: datetime, end: datetime) -> float:
    return round(min(max((moment - start) / (end - start), 0), 1) * 100, 2)
