"""What needs a look: the parts of the panel that are down or late, and what happened on the latest days."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Case, CharField, Exists, F, OuterRef, QuerySet, Value, When
from django.db.models.functions import Cast
from redis.exceptions import RedisError

from mailboxes import addresses
from mailboxes.models import DomainClaim, DomainHealth, DomainRecord, SendingStop
from responders.core.facts import Reason
from responders.models import DailyCount, DrawnBrake, HookSign, Responder

DAYS = 30
ALIVE = timedelta(minutes=2)
OLD_COPY = 15 * 60  # seconds: Postfix has tried several times
LONG = timedelta(days=60)
SILENT_FOR = timedelta(days=2)  # a name server that is down for an evening is no trouble yet
KEPT_DAYS = 400

_COUNT = """
INSERT INTO responders_dailycount (day, reason, decisions)
SELECT (decided_at AT TIME ZONE 'UTC')::date, reason, count(*) FROM responders_decision
WHERE decided_at >= %(since)s GROUP BY 1, 2
ON CONFLICT (day, reason) DO UPDATE SET decisions = excluded.decisions
"""


def count_decisions(now: datetime) -> int:
    """Count those since the beginning of yesterday (UTC); of older days the count stands."""
    since = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"since": since})
        written = int(cursor.rowcount)
    DailyCount.objects.filter(day__lt=now.date() - timedelta(days=KEPT_DAYS)).delete()
    return written


@dataclass(frozen=True)
class Bar:
    """A day of the chart; heights and places in its units (100 high)."""

    day: date
    x: int
    answered: int
    silent: int
    answered_height: float
    silent_height: float

    @property
    def answered_y(self) -> float:
        return 100 - self.answered_height

    @property
    def silent_y(self) -> float:
        return 100 - self.answered_height - self.silent_height


@dataclass(frozen=True)
class DaysChart:
    """Decisions of the latest days, and how often which reason was given."""

    bars: list[Bar]
    answered: int
    silent: int
    reasons: list[tuple[str, int, float]]


@dataclass(frozen=True)
class Stopped:
    """A mailbox or a domain that sent as much as it may, as replies or otherwise."""

    mailbox_id: int
    name: str
    last_at: datetime


def stopped(now: datetime, most: int) -> tuple[list[Stopped], list[Stopped]]:
    """Drawn brakes and stopped senders of the latest day, those of now first; one query for both."""
    day = {"last_at__gt": now - timedelta(days=1)}
    columns = ("kind", "mailbox_id", "name", "last_at")
    name = Case(When(is_of_domain=True, then=F("mailbox__domain_id")), default=F("mailbox__address"))
    brakes = DrawnBrake.objects.filter(**day).annotate(kind=Value("brake"), name=name).values_list(*columns)
    senders = SendingStop.objects.filter(**day).annotate(kind=Value("sender"), name=F("mailbox__address"))
    rows = brakes[:most].union(senders.values_list(*columns)[:most], all=True).order_by("-last_at")
    found = [(kind, Stopped(pk, _shown(name), last_at)) for kind, pk, name, last_at in rows]
    return [row for kind, row in found if kind == "brake"], [row for kind, row in found if kind == "sender"]


def _shown(name: str) -> str:
    return addresses.display(name) if "@" in name else addresses.display_domain(name)


def chart(today: date) -> DaysChart:
    """One query, whatever the number of decisions."""
    first = today - timedelta(days=DAYS - 1)
    counts = {
        (day, reason): count
        for day, reason, count in DailyCount.objects.filter(day__gte=first).values_list("day", "reason", "decisions")
    }
    days = [first + timedelta(days=number) for number in range(DAYS)]
    answered = {day: counts.get((day, Reason.REPLIED.value), 0) for day in days}
    everything = {day: sum(count for (of, _reason), count in counts.items() if of == day) for day in days}
    highest = max(everything.values()) or 1
    bars = [
        Bar(
            day, place * 10, answered[day], everything[day] - answered[day], 100 * answered[day] / highest,
            100 * (everything[day] - answered[day]) / highest,
        )
        for place, day in enumerate(days)
    ]  # fmt: skip
    return DaysChart(
        bars, sum(answered.values()), sum(everything.values()) - sum(answered.values()), _by_reason(counts)
    )


def _by_reason(counts: dict[tuple[date, str], int]) -> list[tuple[str, int, float]]:
    """Reason, how often, and how much of the most frequent one in percent; without those that were answered."""
    sums: dict[str, int] = {}
    for (_day, reason), count in counts.items():
        if reason != Reason.REPLIED.value:
            sums[reason] = sums.get(reason, 0) + count
    most = max(sums.values(), default=1)
    return [(reason, count, 100 * count / most) for reason, count in sorted(sums.items(), key=lambda one: -one[1])]


@dataclass(frozen=True)
class Trouble:
    """Parts that do not do their work. `hooks`: those silent for minutes; `late`: the oldest copies, in minutes."""

    no_hook: bool
    hooks: list[HookSign]
    late: list[tuple[str, int]]
    overdue: int
    beat_is_down: bool


# A host that said nothing for a week is gone, not down.
_MOMENT = """
SELECT panel_now(), (
    SELECT count(*) FROM responders_responder WHERE next_transition_at < panel_now() - interval '1 minute'
), sign.host, sign.at, sign.oldest_copy
FROM (SELECT) always LEFT JOIN responders_hooksign sign ON sign.at > panel_now() - interval '7 days'
ORDER BY sign.host
"""


@dataclass(frozen=True)
class Moment:
    """The database's time, how many responders are late by over a minute in changing their state, hooks' signs."""

    now: datetime
    overdue: int
    signs: list[HookSign]


def moment() -> Moment:
    """One query."""
    with connection.cursor() as cursor:
        cursor.execute(_MOMENT)
        rows = cursor.fetchall()
    signs = [HookSign(host=host, at=at, oldest_copy=oldest) for _now, _overdue, host, at, oldest in rows if host]
    return Moment(rows[0][0], rows[0][1], signs)


def trouble(found: Moment) -> Trouble:
    """What is down or late at this moment."""
    alive = [sign for sign in found.signs if sign.at > found.now - ALIVE]
    return Trouble(
        no_hook=not alive,
        hooks=[sign for sign in found.signs if sign not in alive],
        late=[(sign.host, sign.oldest_copy // 60) for sign in alive if sign.oldest_copy > OLD_COPY],
        overdue=found.overdue,
        beat_is_down=not _beat_is_alive(),
    )


def _beat_is_alive() -> bool:
    try:
        return bool(cache.get("beat-alive"))
    except (RedisError, OSError):
        return False


def forgotten(now: datetime) -> QuerySet[Responder]:
    """Absences that have been on for long, and nobody ends."""
    rows = Responder.objects.filter(
        type="absence",
        is_enabled=True,
        state="active",
        to_utc=None,
        state_changed_at__lt=now - LONG,
        mailbox__deleted_at=None,
        mailbox__domain__deleted_at=None,
    )
    return rows.select_related("mailbox").order_by("state_changed_at")


@dataclass(frozen=True)
class TroubledDomain:
    """`what`: broken, silent (once it answered), disputed (proven by another customer than the one who has it)."""

    what: str
    name: str
    since: datetime
    customer: str

    def __str__(self) -> str:
        return addresses.display_domain(self.name)


def troubled_domains(now: datetime, most: int) -> list[TroubledDomain]:
    """The latest trouble with domains first. One query."""
    worked = Exists(DomainRecord.objects.filter(health=OuterRef("pk"), worked=True))
    health = DomainHealth.objects.filter(domain__is_active=True)
    broken = health.filter(broken_since__isnull=False)
    silent = health.filter(worked, broken_since=None, silent_since__lt=now - SILENT_FOR)
    disputed = DomainClaim.objects.filter(disputed_at__isnull=False)
    rows = _named(broken, "broken", "domain__name", "broken_since").union(
        _named(silent, "silent", "domain__name", "silent_since"),
        _named(disputed, "disputed", "name", "disputed_at", "customer__name"),
    )
    return [TroubledDomain(*row) for row in rows.order_by("-latest")[:most]]


def _named(rows: QuerySet[Any], what: str, name: str, since: str, customer: str = "") -> QuerySet[Any, Any]:
    whose = F(customer) if customer else Value("")
    named: Any = rows.order_by().annotate(
        what=Value(what, CharField()), shown=F(name), latest=F(since), whose=Cast(whose, CharField())
    )
    found: QuerySet[Any, Any] = named.values_list("what", "shown", "latest", "whose")
    return found
