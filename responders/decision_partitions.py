"""The parts that the table of decisions is kept in: each holds a few days, and what is old goes a part at a time.

A part that is dropped leaves no dead rows behind, nothing for VACUUM to do, and no holes in the indexes. Parts are made
days ahead. Where none was made in time, rows come to lie in the default part, and are deleted from it in batches; so
are those from before there were parts.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from time import sleep

from django.db import OperationalError, connection, transaction

log = logging.getLogger(__name__)

TABLE = "responders_decision"
DEFAULT = f"{TABLE}_default"
AHEAD = timedelta(days=7)
PARTS = 30  # about so many at a time; a row is kept longer than asked by one part's days at most
# A statement that waits for a lock lets everybody else wait behind it, the hook included. Better somewhat later.
LOCK_TIMEOUT = "100ms"
TRIES = 3
_LOCK = 7253  # of PostgreSQL, for this alone: 7252 is held while keys are written to Redis
PAUSE = 1.0  # seconds, between tries and between parts: whoever waited catches up meanwhile


@dataclass(frozen=True, order=True)
class Part:
    """The decisions from `begin` until before `end` (UTC); `begin` is None for those from before there were parts."""

    name: str
    begin: datetime | None
    end: datetime


def days_of_a_part(kept_days: int) -> int:
    """How many days a new part is to hold, where decisions are kept for so many."""
    return -(-kept_days // PARTS)


def to_make(parts: Sequence[Part], newest_elsewhere: datetime | None, kept_days: int, now: datetime) -> list[Part]:
    """The parts that are missing, so that decisions of the next days have one.

    They begin where the last one ends, or tomorrow; never before `newest_elsewhere`, the newest row in the default
    part that could lie in one of them (`horizon`): that row could not stay there.
    """
    begin = max((part.end for part in parts), default=now)
    begin = begin if begin > now else _midnight_after(now)
    if newest_elsewhere is not None:
        begin = max(begin, _midnight_after(newest_elsewhere))
    made, step = [], timedelta(days=days_of_a_part(kept_days))
    while begin < now + AHEAD:
        made.append(Part(f"{TABLE}_{begin:%Y%m%d}", begin, begin + step))
        begin += step
    return made


def horizon(kept_days: int, now: datetime) -> datetime:
    """No part that is made now reaches further. A row in the default part that is dated later hinders none."""
    return now + AHEAD + timedelta(days=days_of_a_part(kept_days))


def over(parts: Sequence[Part], kept_days: int, now: datetime) -> list[Part]:
    """The parts whose every decision is older than it is kept."""
    return sorted(part for part in parts if part.end <= now - timedelta(days=kept_days))


def make_ahead(kept_days: int, now: datetime) -> list[str]:
    """Make the parts that are missing; their names. What cannot be locked soon is left to the next call."""
    missing = to_make(parts(), _newest_in_default(horizon(kept_days, now)), kept_days, now)
    return _as_far_as_possible([(part.name, _attach(part)) for part in missing], there=False)


def drop_over(kept_days: int, now: datetime) -> list[str]:
    """Drop the parts that are over; their names. What cannot be locked soon is left to the next call."""
    names = [part.name for part in over(parts(), kept_days, now)]
    return _as_far_as_possible([(name, [f"DROP TABLE {_quoted(name)}"]) for name in names], there=True)


def delete_old_elsewhere(kept_days: int, now: datetime, *, batch: int) -> int:
    """Delete what is old in the parts that go on for ever, a batch at a time; how many rows."""
    names = [DEFAULT, *(part.name for part in parts() if part.begin is None)]
    return sum(_delete_old(name, now - timedelta(days=kept_days), batch) for name in names)


_PARTS = """
SELECT c.relname, substring(bounds FROM $$FROM \\('([^']+)'\\)$$)::timestamptz,
    substring(bounds FROM $$TO \\('([^']+)'\\)$$)::timestamptz
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, pg_get_expr(c.relpartbound, c.oid) AS bounds
WHERE i.inhparent = %s::regclass AND bounds <> 'DEFAULT'
"""


def parts() -> list[Part]:
    """Those there are, but the default one."""
    with connection.cursor() as cursor:
        cursor.execute(_PARTS, [TABLE])
        return sorted((Part(*row) for row in cursor.fetchall()), key=lambda part: part.end)


def _attach(part: Part) -> list[str]:
    """Made alone and then attached: so nobody who reads or writes decisions waits."""
    name = _quoted(part.name)
    bounds = f"FROM ('{part.begin:%Y-%m-%d %H:%M:%S+00}') TO ('{part.end:%Y-%m-%d %H:%M:%S+00}')"
    return [
        f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES {bounds}",
    ]


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _as_far_as_possible(wanted: Sequence[tuple[str, Sequence[str]]], *, there: bool) -> list[str]:
    """Names of the parts whose statements were done, one after the other, up to the first at which somebody stays."""
    done: list[str] = []
    for number, (name, statements) in enumerate(wanted):
        if number:
            sleep(PAUSE)
        outcome = _patiently(name, statements, there=there)
        if outcome is None:
            break
        done += [name] if outcome else []
    return done


def _patiently(name: str, statements: Sequence[str], *, there: bool) -> bool | None:
    """Whether they were done: not where another worker did it; None where somebody is at the table at every try."""
    for number in range(TRIES):
        if number:
            sleep(PAUSE)
        outcome = _at_once(name, statements, there=there)
        if outcome is not None:
            return outcome
    log.warning("left to the next call: %s", name)
    return None


def _at_once(name: str, statements: Sequence[str], *, there: bool) -> bool | None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, true), pg_advisory_xact_lock(%s)", [LOCK_TIMEOUT, _LOCK]
            )
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [_quoted(name)])
            if cursor.fetchone() != (there,):
                return False
            for statement in statements:
                cursor.execute(statement)
    except OperationalError:  # the lock did not come in time
        return None
    return True


def _newest_in_default(before: datetime) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT max(decided_at) FROM {DEFAULT} WHERE decided_at < %s", [before])  # noqa: S608 (constant)
        row = cursor.fetchone()
    return row[0] if row else None


def _delete_old(name: str, until: datetime, batch: int) -> int:
    total, table = 0, _quoted(name)
    while True:
        with connection.cursor() as cursor:
            # Found by place: the index on the time, asked each time from its beginning, would read dead entries again.
            cursor.execute(
                f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table}"  # noqa: S608 (a table of ours)
                " WHERE decided_at < %s LIMIT %s))",
                [until, batch],
            )
            deleted = int(cursor.rowcount)
        total += deleted
        if deleted < batch:
            return total


def _midnight_after(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
