"""A mailbox's absences as a picture: what is behind, what is on, what comes, among weekends and public holidays."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from responders.core.days import holiday_name, is_weekend
from responders.models import Responder, ResponderType

DAYS_BEHIND, DAYS_AHEAD = 14, 70
DAYS = DAYS_BEHIND + DAYS_AHEAD
ROWS = 8
ROW_HEIGHT, TOP = 40, 22  # of the drawing, in pixels


@dataclass(frozen=True)
class Span:
    """A part of the picture's width, in per cent, and what it is."""

    x: float
    width: float
    title: str = ""


@dataclass(frozen=True)
class Line:
    """One responder: its bar, and where it stands."""

    row: Responder
    state: str
    bar: Span
    is_open: bool  # it goes on beyond the picture, or has no end
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
    height: int


def timeline(rows: Iterable[Responder], zone: str, country: str, language: str, now: datetime) -> Timeline:
    """The weeks around `now` in the mailbox's zone; responders that are on, or were, the first ones only."""
    tz = ZoneInfo(zone)
    first = now.astimezone(tz).date() - timedelta(days=DAYS_BEHIND)
    start, end = (datetime.combine(first + timedelta(days=days), time(), tz) for days in (0, DAYS))
    days = [first + timedelta(days=number) for number in range(DAYS)]
    wanted = [row for row in rows if _is_in(row, start, end)][:ROWS]
    lines = [_line(row, place, start, end, now) for place, row in enumerate(wanted)]
    holidays = [(day, _day(day, first, name)) for day in days if (name := holiday_name(day, country, language))]
    return Timeline(
        first=first,
        last=days[-1],
        now=_percent(now, start, end),
        weekends=[_day(day, first) for day in days if is_weekend(day)],
        holidays=holidays,
        months=[(day, _day(day, first).x) for day in days if day.day == 1],
        lines=lines,
        height=TOP + ROW_HEIGHT * len(lines),
    )


def _is_in(row: Responder, start: datetime, end: datetime) -> bool:
    is_behind = row.to_utc is not None and row.to_utc <= start
    is_ahead = row.from_utc is not None and row.from_utc >= end
    return row.is_enabled and not is_behind and not is_ahead


def _line(row: Responder, place: int, start: datetime, end: datetime, now: datetime) -> Line:
    since = row.from_utc or (row.created_at if row.type == ResponderType.ABSENCE else start)
    left, right = _percent(since, start, end), _percent(row.to_utc or end, start, end)
    is_open = row.to_utc is None or row.to_utc > end
    y = TOP + place * ROW_HEIGHT
    return Line(row, row.state_at(now).value, Span(left, max(right - left, 0.6)), is_open, y + 13, y + 19)


def _day(day: date, first: date, title: str = "") -> Span:
    return Span(round((day - first).days * 100 / DAYS, 2), round(100 / DAYS, 2), title)


def _percent(moment: datetime, start: datetime, end: datetime) -> float:
    return round(min(max((moment - start) / (end - start), 0), 1) * 100, 2)
