"""Whose turn it is: the DNS of every domain is looked at once a day, whatever becomes of a worker.

The database is the list of what is left. A domain is taken just before it is looked at, and what was seen is kept at
once: a worker that is killed leaves a few domains, for the length of a lease. A run ends well before Celery would end
it; what it did not reach is due in the next one.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from mailboxes.domain_dns import changes, checking
from mailboxes.domain_dns.expected import DkimKey
from mailboxes.domain_dns.records import Finding
from mailboxes.domain_dns.side_by_side import LEASE, THREADS, Clock, busy_customers, work_off
from mailboxes.models import Domain, DomainHealth

log = logging.getLogger(__name__)

RUNS_A_DAY = 288  # of the task: every five minutes
LEAST_A_RUN, MOST_A_RUN = 20, 500
# Nothing is taken any more after so long; the worker has other things to do.
RUN_LASTS = timedelta(minutes=2)
SILENT_AT_ONCE = THREADS // 2  # of those that did not answer last time, each of which costs all our patience


@dataclass(frozen=True)
class Turn:
    """A domain that was taken, for one worker alone until the lease ends."""

    domain: Domain
    keys: tuple[DkimKey, ...]
    was_silent: bool
    taken_at: datetime
    until: datetime


@dataclass
class Done:
    """How many domains were looked at, and how many of them have something that worked and is broken now."""

    checked: int = 0
    broken: int = 0


def check_due(clock: Clock) -> Done:
    """Look at the domains whose time has come, so many that all have their turn within a day."""
    begun = clock()
    _begin_with_new(begun)
    left, done = [_share()], Done()

    def take(underway: Sequence[Turn]) -> Turn | None:
        now = clock()
        turn = _take_due(now, underway) if left[0] and now - begun < RUN_LASTS else None
        left[0] -= turn is not None
        return turn

    def keep(turn: Turn, seen: list[Finding]) -> None:
        health = _keep(turn, seen)
        done.checked += 1
        done.broken += health is not None and health.broken_since is not None

    work_off(take, _look_or_log, keep)
    return done


def check_now(domain: Domain, now: datetime) -> bool:
    """Look at one domain, for somebody who waits; False: another worker is looking at it."""
    DomainHealth.objects.get_or_create(domain=domain, defaults={"next_check_at": now})
    turn = _take(DomainHealth.objects.filter(domain=domain), now)
    if turn is None:
        return False
    _keep(turn, _look_or_log(turn))
    return True


def _share() -> int:
    """A day's runs reach every domain, with a quarter to spare; a first run does not ask for all at once."""
    total = Domain.objects.filter(is_active=True).count()
    return min(MOST_A_RUN, max(LEAST_A_RUN, total * 5 // (4 * RUNS_A_DAY) + 1))


def _begin_with_new(now: datetime) -> None:
    new = Domain.objects.filter(is_active=True, health=None).order_by("pk")[:MOST_A_RUN]
    rows = [DomainHealth(domain=domain, next_check_at=now) for domain in new]
    DomainHealth.objects.bulk_create(rows, ignore_conflicts=True)


def _take_due(now: datetime, underway: Sequence[Turn]) -> Turn | None:
    """The next one, but of nobody who has many under way, and not only of those that were silent before."""
    due = DomainHealth.objects.filter(next_check_at__lte=now, domain__is_active=True)
    due = due.exclude(domain__customer__in=busy_customers([turn.domain.customer_id for turn in underway]))
    if sum(turn.was_silent for turn in underway) >= SILENT_AT_ONCE:
        due = due.filter(silent_since=None)
    return _take(due, now)


@transaction.atomic
def _take(rows: QuerySet[DomainHealth], now: datetime) -> Turn | None:
    free = rows.filter(Q(taken_until=None) | Q(taken_until__lte=now)).select_related("domain")
    health = free.select_for_update(skip_locked=True, of=("self",)).order_by("next_check_at", "pk").first()
    if health is None:
        return None
    DomainHealth.objects.filter(pk=health.pk).update(taken_until=now + LEASE)
    was_silent = health.silent_since is not None
    return Turn(health.domain, checking.keys_of(health.domain), was_silent, now, now + LEASE)


def _look_or_log(turn: Turn) -> list[Finding]:
    """Nothing where a zone shows a bug of ours: the other domains have their turn, this one in an hour again."""
    try:
        return checking.look(turn.domain.name, turn.keys)
    except Exception:
        log.exception("the DNS of %s could not be examined", turn.domain.name)
        return []


@transaction.atomic
def _keep(turn: Turn, seen: list[Finding]) -> DomainHealth | None:
    """What was seen, and the domain is free again, unless the lease ended and another worker took it meanwhile."""
    health = DomainHealth.objects.filter(domain=turn.domain)
    if seen:
        kept = checking.record(turn.domain, seen, turn.taken_at)
    else:
        kept = None
        health.update(next_check_at=turn.taken_at + changes.AGAIN_AFTER)
    health.filter(taken_until=turn.until).update(taken_until=None)
    return kept
