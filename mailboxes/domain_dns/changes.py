"""What a check means beside what was known before: history, what broke, what works again. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mailboxes.domain_dns.records import Finding, State

# Something is broken when it was found so twice, with time between: a record may be gone while it is being changed.
SEEN_TWICE = 2
AGAIN_AFTER = timedelta(hours=1)
DAILY = timedelta(days=1)


@dataclass(frozen=True)
class Known:
    """What is known of one item. `state` is never UNKNOWN but before the first answer.

    `worked`: it was right once, as it is wanted today. `times_bad`: how often in a row it was not, counted an hour
    apart at least. `broke_at`: since when something that worked is broken for sure. `wanted`: what must be there.
    """

    state: State = State.UNKNOWN
    reason: str = ""
    found: tuple[str, ...] = ()
    since: datetime | None = None
    wanted: str = ""
    worked: bool = False
    times_bad: int = 0
    bad_at: datetime | None = None
    broke_at: datetime | None = None


def learn(before: Known, seen: Finding, now: datetime) -> Known:
    """What is known after a check. Not being answered changes nothing that is known."""
    wanted = "\n".join(record.zone_line for record in seen.publish)
    if seen.kind != "spf" and wanted != before.wanted:  # what to publish as SPF depends on what is there
        before = replace(before, worked=False, times_bad=0, bad_at=None, broke_at=None)
    before = replace(before, wanted=wanted)
    if seen.state is State.UNKNOWN:
        return before
    changed = (seen.state, seen.reason, seen.found) != (before.state, before.reason, before.found)
    after = replace(
        before, state=seen.state, reason=seen.reason, found=seen.found, since=now if changed else before.since
    )
    if seen.state is State.OK:
        return replace(after, worked=True, times_bad=0, bad_at=None, broke_at=None)
    return _count_bad(after, now)


def _count_bad(after: Known, now: datetime) -> Known:
    if after.bad_at is not None and now - after.bad_at < AGAIN_AFTER / 2:  # asked again by hand within minutes
        return after
    times = after.times_bad + 1
    is_broken = after.worked and times >= SEEN_TWICE
    return replace(after, times_bad=times, bad_at=now, broke_at=after.broke_at or (now if is_broken else None))


def is_news(before: Known, after: Known) -> bool:
    """Whether the history tells of it."""
    return after.state is not State.UNKNOWN and (before.state, before.reason) != (after.state, after.reason)


def next_check(items: list[Known], now: datetime) -> datetime:
    """Tomorrow; what worked and was seen bad once is looked at again soon."""
    doubtful = any(item.worked and item.times_bad and item.broke_at is None for item in items)
    return now + (AGAIN_AFTER if doubtful else DAILY)
