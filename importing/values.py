"""Cells of other systems' tables, read. Pure: every cell is text or None, as a dump writes it."""

import math
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

MAX_QUOTA_MB = 10_000_000
MAX_INTERVAL_DAYS = 999
Row = dict[str, str | None]


def text(row: Row, name: str) -> str:
    return (row.get(name) or "").strip()


def is_yes(row: Row, name: str, *, default: bool = True) -> bool:
    """1, t, true, y, yes. A column that is not there says nothing: the default."""
    value = row.get(name)
    return default if value is None else value.strip().lower() in {"1", "t", "true", "y", "yes", "\x01"}


def number(row: Row, name: str) -> int:
    """A whole number; 0 where there is none."""
    try:
        return int(float(row.get(name) or 0))
    except (ValueError, OverflowError):
        return 0


def megabytes(octets: int) -> int | None:
    """Octets as MB, rounded up; None: no limit."""
    return min(math.ceil(octets / 1_048_576), MAX_QUOTA_MB) if octets > 0 else None


def days(seconds: int) -> int:
    """Whole days, rounded up; at least one."""
    return max(1, min(math.ceil(seconds / 86_400), MAX_INTERVAL_DAYS))


def local_time(written: str, zone: str, *, written_in: tzinfo | None = None) -> datetime | None:
    """A date as the source writes it, as a naive local time in `zone`.

    Without an offset it is in `written_in` (None: in `zone` already). None where there is no date: empty,
    0000-00-00. Raises ValueError.
    """
    if not written or written.startswith("0000-00-00"):
        return None
    moment = datetime.fromisoformat(written.strip())
    if moment.tzinfo is None and written_in is not None:
        moment = moment.replace(tzinfo=written_in)
    return whole(moment, zone)


def whole(moment: datetime, zone: str) -> datetime:
    """Local and naive, without parts of a second."""
    local = moment if moment.tzinfo is None else moment.astimezone(ZoneInfo(zone))
    return local.replace(microsecond=0, tzinfo=None)


def from_unix(seconds: float, zone: str) -> datetime | None:
    """A Unix time as a local one; None where it is none. Raises ValueError, OverflowError."""
    return whole(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds), zone) if seconds else None
