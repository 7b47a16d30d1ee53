"""When a responder answers: windows typed in a local time zone, computed in UTC.

Pure: the moment is always an argument. *Local* datetimes are naive and belong to a named IANA zone,
as they were typed; *moments* are aware. A window is closed at its start and open at its end, so the
first second answers and the last named second does not.
"""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

# At the edges of the calendar a time has no counterpart in another zone.
YEARS = range(1900, 9000)


class State(enum.StrEnum):
    """What a responder is doing at a moment."""

    OFF = "off"
    SCHEDULED = "scheduled"
    ACTIVE = "active"
    ENDED = "ended"


class LocalTimeError(ValueError):
    """A typed local time does not name exactly one moment. `before` and `after` are the nearest that do."""

    def __init__(self, local: datetime, before: datetime, after: datetime) -> None:
        super().__init__(f"{local:%Y-%m-%d %H:%M} does not name one moment")
        self.local = local
        self.before = before
        self.after = after


class SkippedTimeError(LocalTimeError):
    """The clock went forward over this time: it does not exist on that day."""


class RepeatedTimeError(LocalTimeError):
    """The clock went back over this time: it exists twice on that day."""


@dataclass(frozen=True, slots=True)
class Window:
    """From–to in UTC; an open end is None."""

    start: datetime | None = None
    end: datetime | None = None

    def contains(self, at: datetime) -> bool:
        """Whether the moment lies in the window, its start included, its end not."""
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


def to_utc(local: datetime, zone: str) -> datetime:
    """The one moment that a typed local time names. Raises SkippedTimeError, RepeatedTimeError."""
    tz = ZoneInfo(zone)
    early, late = local.replace(tzinfo=tz, fold=0), local.replace(tzinfo=tz, fold=1)
    if early.utcoffset() == late.utcoffset():
        return early.astimezone(UTC)
    # In a gap fold=0 reads the clock as before the change: its round trip lands after the gap.
    if early.astimezone(UTC).astimezone(tz).replace(tzinfo=None) != local:
        raise SkippedTimeError(local, *_edges(local, tz))
    raise RepeatedTimeError(local, *_edges(local, tz))


def _edges(local: datetime, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """The nearest full minutes before and after `local` that name exactly one moment."""
    minute = timedelta(minutes=1)
    before = after = local.replace(second=0, microsecond=0)
    while not _names_one_moment(before, tz):
        before -= minute
    while not _names_one_moment(after, tz):
        after += minute
    return before, after


def _names_one_moment(local: datetime, tz: ZoneInfo) -> bool:
    return local.replace(tzinfo=tz, fold=0).utcoffset() == local.replace(tzinfo=tz, fold=1).utcoffset()


def to_local(moment: datetime, zone: str) -> datetime:
    """The moment as a naive wall-clock time of the zone."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def state_at(*, is_enabled: bool, window: Window, at: datetime) -> State:
    """What a responder with this window is doing at the moment."""
    if not is_enabled:
        return State.OFF
    if window.start is not None and at < window.start:
        return State.SCHEDULED
    if window.end is not None and at >= window.end:
        return State.ENDED
    return State.ACTIVE


def next_transition(*, is_enabled: bool, window: Window, after: datetime) -> datetime | None:
    """The next moment later than `after` at which the state changes by itself; None if it never does."""
    if not is_enabled:
        return None
    edges = [edge for edge in (window.start, window.end) if edge is not None and edge > after]
    return min(edges, default=None)
