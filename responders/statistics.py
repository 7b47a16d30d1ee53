"""What became of a mailbox's messages, day by day, for the chart of its page."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncDate

from mailboxes.models import Mailbox
from responders.core.facts import Reason
from responders.models import Decision

DAYS = 30
# Of the chart's drawing, in its own units.
HEIGHT, STEP, BAR = 100, 20, 14
SHADES = 4  # reasons told apart by their colour: three, and the rest


@dataclass
class Day:
    """One day of the mailbox's zone: how many messages were answered, and how many not, by reason."""

    date: date
    answered: int = 0
    silent: Counter[str] = field(default_factory=Counter)

    @property
    def silenced(self) -> int:
        return self.silent.total()


@dataclass(frozen=True)
class Part:
    """What one reason has of a bar; `shade` 1 is the most frequent one, the last stands for all the rest."""

    shade: int
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """A day as drawn: the answered part stands on the ground, the reasons for silence on top of it."""

    day: Day
    x: int
    answered_y: float
    answered_height: float
    silent: list[Part]


@dataclass(frozen=True)
class Chart:
    """The bars, and what they come to. `highest` is the number of messages of the busiest day.

    `reasons`: shade, reason and how many, the most frequent first; the last reason is empty where several are meant.
    """

    bars: list[Bar]
    answered: int
    silent: int
    highest: int
    reasons: list[tuple[int, str, int]]
    width: int = DAYS * STEP
    height: int = HEIGHT
    bar: int = BAR


def replies_lately(mailboxes: Iterable[Mailbox], now: datetime) -> dict[int, int]:
    """Mailbox id → how many replies it sent within the days of the chart; one query."""
    rows = _decisions(now).filter(mailbox__in=list(mailboxes), reason=Reason.REPLIED.value)
    return dict(rows.values_list("mailbox").annotate(n=Count("pk")))


def chart(mailbox: Mailbox, now: datetime) -> Chart:
    """The days until now, in the mailbox's zone."""
    days = _days(mailbox, now)
    highest = max(day.answered + day.silenced for day in days)
    total = sum((day.silent for day in days), Counter[str]())
    shades = {reason: min(place, SHADES) for place, (reason, _count) in enumerate(total.most_common(), 1)}
    bars = [_bar(day, place, highest, shades) for place, day in enumerate(days)]
    return Chart(bars, sum(day.answered for day in days), total.total(), highest, _legend(total, shades))


def _legend(total: "Counter[str]", shades: dict[str, int]) -> list[tuple[int, str, int]]:
    named = [(shades[reason], reason, count) for reason, count in total.most_common(SHADES)]
    if len(total) <= SHADES:
        return named
    return [*named[:-1], (SHADES, "", sum(count for reason, count in total.items() if shades[reason] == SHADES))]


def _days(mailbox: Mailbox, now: datetime) -> list[Day]:
    zone = ZoneInfo(mailbox.time_zone)
    today = now.astimezone(zone).date()
    days = {day: Day(day) for day in (today - timedelta(days=ago) for ago in reversed(range(DAYS)))}
    since = datetime.combine(min(days), time(), zone)
    rows = Decision.objects.filter(mailbox=mailbox, decided_at__gte=since, decided_at__lte=now)
    counted = rows.values_list(TruncDate("decided_at", tzinfo=zone), "reason").annotate(n=Count("pk"))
    for day, reason, count in counted:
        if reason == Reason.REPLIED.value:
            days[day].answered = count
        else:
            days[day].silent[reason] = count
    return list(days.values())


def _bar(day: Day, place: int, highest: int, shades: dict[str, int]) -> Bar:
    unit = HEIGHT / highest if highest else 0
    counts = Counter[int]()
    for reason, count in day.silent.items():
        counts[shades[reason]] += count
    parts, top = [], HEIGHT - day.answered * unit
    for shade, count in sorted(counts.items()):
        top -= count * unit
        parts.append(Part(shade, round(top, 1), round(count * unit, 1)))
    answered = round(day.answered * unit, 1)
    return Bar(day, place * STEP + (STEP - BAR) // 2, round(HEIGHT - answered, 1), answered, parts)


def _decisions(now: datetime) -> "QuerySet[Decision]":
    return Decision.objects.filter(decided_at__gt=now - timedelta(days=DAYS), decided_at__lte=now)
