"""Every domain has its turn once a day: whoever is slow, whatever becomes of a worker, however many there are."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F
from pytest_django import Settings

from mailboxes import tasks
from mailboxes.domain_dns import asker, checking, claims, fetcher, side_by_side, turns
from mailboxes.domain_dns.records import Answer, Finding, Record, State
from mailboxes.models import Customer, Domain, DomainClaim, DomainHealth, DomainRecord

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GOOD = Finding("mx", State.OK, "ok", ("10 mail.example",), (Record("firma.example", "MX", "10 mail.example."),))
Look = Callable[[str, object], list[Finding]]


def at(moment: datetime) -> Callable[[], datetime]:
    """A clock that stands."""
    return lambda: moment


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which domains were looked at; no question leaves."""
    names: list[str] = []

    def look(name: str, keys: object) -> list[Finding]:
        names.append(name)
        return [GOOD]

    monkeypatch.setattr(checking, "look", look)
    return names


def make(count: int, customer: Customer | None = None, name: str = "d") -> list[Domain]:
    rows = [Domain(name=f"{name}{number}.example", customer=customer) for number in range(count)]
    return Domain.objects.bulk_create(rows)


def test_every_domain_has_its_turn_within_a_day_and_no_run_takes_all(
    looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LEAST_A_RUN", 1)
    make(400)
    now, most = NOW, 0
    for _run in range(turns.RUNS_A_DAY):
        most = max(most, turns.check_due(at(now)).checked)
        now += 5 * MINUTE
    assert len(set(looked)) == len(looked) == 400
    assert most == 2
    turns.check_due(at(now))
    assert len(looked) <= 402  # the next day's turns come when the first day's did


def test_a_zone_that_shows_a_bug_harms_no_other(looked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    good: Look = checking.look

    def look(name: str, keys: object) -> list[Finding]:
        if name == "d0.example":
            raise RuntimeError
        return good(name, keys)

    monkeypatch.setattr(checking, "look", look)
    make(3)
    assert turns.check_due(at(NOW)).checked == 3
    assert sorted(looked) == ["d1.example", "d2.example"]
    assert sorted(DomainRecord.objects.values_list("health__domain__name", flat=True)) == sorted(looked)
    assert turns.check_due(at(NOW + 59 * MINUTE)).checked == 0
    assert turns.check_due(at(NOW + 61 * MINUTE)).checked == 1


def test_who_is_suspended_is_not_looked_at(looked: list[str]) -> None:
    make(1)
    Domain.objects.update(is_active=False)
    assert turns.check_due(at(NOW)).checked == 0


class Killed(BaseException):
    """The worker is no more."""


def test_a_worker_that_is_killed_leaves_what_it_looked_at_for_a_lease_and_the_rest_at_once(
    looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(15)
    keep, kept = turns._keep, []

    def dies(turn: turns.Turn, seen: list[Finding]) -> DomainHealth | None:
        if len(kept) == 2:
            raise Killed
        kept.append(turn.domain.name)
        return keep(turn, seen)

    monkeypatch.setattr(turns, "_keep", dies)
    with pytest.raises(Killed):
        turns.check_due(at(NOW))
    monkeypatch.setattr(turns, "_keep", keep)
    left = DomainHealth.objects.filter(taken_until__gt=NOW).count()
    assert 1 <= left <= side_by_side.THREADS
    assert DomainHealth.objects.filter(checked_at=None).count() == 13  # what was seen of two is kept
    assert turns.check_due(at(NOW + MINUTE)).checked == 13 - left
    assert turns.check_due(at(NOW + 2 * MINUTE)).checked == 0
    assert turns.check_due(at(NOW + side_by_side.LEASE)).checked == left
    assert not DomainHealth.objects.filter(checked_at=None).exists()


def test_a_run_ends_after_its_time_and_the_next_goes_on(looked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look costs all our patience; the clock goes on by it."""
    make(300)
    moments = iter(range(10**6))

    def clock() -> datetime:
        return NOW + next(moments) * timedelta(seconds=20)

    monkeypatch.setattr(turns, "LEAST_A_RUN", 300)
    runs = [turns.check_due(clock).checked]
    while sum(runs) < 300 and len(runs) < 100:
        runs.append(turns.check_due(clock).checked)
    assert sum(runs) == len(set(looked)) == len(looked) == 300
    assert max(runs) <= turns.RUN_LASTS / timedelta(seconds=20)


def test_a_run_with_its_last_look_is_shorter_than_celery_allows(settings: Settings) -> None:
    longest = asker.DOMAIN_PATIENCE + fetcher.PATIENCE
    limit = settings.CELERY_TASK_TIME_LIMIT
    assert turns.RUN_LASTS.total_seconds() + 2 * longest < limit
    assert claims.RUN_LASTS.total_seconds() + 2 * longest < limit
    assert side_by_side.LEASE.total_seconds() > 2 * longest


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], list[str]]]:
    """Domains whose name begins so are not answered for until the others are through; gives what was looked at."""
    go_on, seen, silent = threading.Event(), [], [""]

    def look(name: str, keys: object) -> list[Finding]:
        seen.append(name)
        if name.startswith(silent[0]):
            assert go_on.wait(60), f"the others wait for {name}"
        elif len([one for one in seen if not one.startswith(silent[0])]) == 20:
            go_on.set()
        return [GOOD]

    def names(begin: str) -> list[str]:
        silent[0] = begin
        return seen

    monkeypatch.setattr(checking, "look", look)
    yield names
    go_on.set()


def test_one_customers_silent_name_servers_hold_up_nobody_else(
    stuck: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That customer's many domains come first, and each is answered for only once the others have been looked at."""
    monkeypatch.setattr(turns, "LEAST_A_RUN", 100)
    make(30, Customer.objects.create(name="Cicha", number="C1"), "cicha")
    make(20, Customer.objects.create(name="Inna", number="I1"), "inna")
    seen = stuck("cicha")
    assert turns.check_due(at(NOW)).checked == 50
    assert len(seen) == len(set(seen)) == 50


def test_those_that_were_silent_before_hold_up_nobody_else(
    stuck: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of as many customers as you like: they share a provider whose name servers are down."""
    monkeypatch.setattr(turns, "LEAST_A_RUN", 100)
    for domain in make(15, name="cicha"):
        DomainHealth.objects.create(domain=domain, next_check_at=NOW, silent_since=NOW)
    make(20, name="inna")
    seen = stuck("cicha")
    assert turns.check_due(at(NOW)).checked == 35
    assert len(seen) == len(set(seen)) == 35


def test_what_one_worker_looks_at_no_other_does(looked: list[str]) -> None:
    [domain] = make(1)
    turns._begin_with_new(NOW)
    turn = turns._take_due(NOW, [])
    assert turn is not None
    assert turns.check_due(at(NOW + MINUTE)).checked == 0
    assert not turns.check_now(domain, NOW + MINUTE)
    turns._keep(turn, [GOOD])
    assert turns.check_now(domain, NOW + 2 * MINUTE)
    assert looked == ["d0.example"]
    assert DomainHealth.objects.get().taken_until is None


def test_whose_lease_ended_does_not_end_the_next_ones(looked: list[str]) -> None:
    make(1)
    turns._begin_with_new(NOW)
    slow, next_one = turns._take_due(NOW, []), turns._take_due(NOW + side_by_side.LEASE, [])
    assert slow is not None
    assert next_one is not None
    turns._keep(slow, [GOOD])
    assert DomainHealth.objects.get().taken_until == next_one.until


def test_who_asks_while_a_worker_looks_is_answered_by_a_look_that_begins_later(
    looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They changed their zone after the first look had begun."""
    [domain] = make(1)
    turns._begin_with_new(NOW)
    turn = turns._take_due(NOW, [])
    assert turn is not None
    assert checking.want(domain, NOW + MINUTE)
    again: list[tuple[object, ...]] = []
    monkeypatch.setattr(tasks.check_domain, "apply_async", lambda what, **_how: again.append(what))
    DomainHealth.objects.update(taken_until=F("taken_until") + timedelta(days=3650))  # the task's clock is the real one
    tasks.check_domain(domain.pk)
    tasks.check_domain(domain.pk, tries=1)
    assert (again, looked) == ([(domain.pk, 9)], [])
    DomainHealth.objects.update(taken_until=turn.until)
    turns._keep(turn, [GOOD])
    assert DomainHealth.objects.get().next_check_at == NOW + MINUTE
    assert turns.check_due(at(NOW + 2 * MINUTE)).checked == 1
    assert looked == ["d0.example"]
    assert DomainHealth.objects.get().next_check_at == NOW + 2 * MINUTE + timedelta(days=1)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_look_at_each_domain_once(looked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LEAST_A_RUN", 100)
    make(60)

    def run() -> None:
        try:
            turns.check_due(at(NOW))
        finally:
            connection.close()

    workers = [threading.Thread(target=run) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(looked) == len(set(looked)) == 60


def test_claims_are_looked_for_side_by_side_and_no_customer_holds_up_another(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, asked = threading.Event(), []

    def asks(_server: str) -> Callable[[str, str], Answer]:
        def ask(name: str, _kind: str) -> Answer:
            asked.append(name)
            if "cicha" in name:
                assert go_on.wait(60), "the others wait"
            elif len([one for one in asked if "inna" in one]) == 5:
                go_on.set()
            return Answer(trouble="Timeout")

        return ask

    monkeypatch.setattr(claims, "asker", asks)
    for name, count in (("cicha", 15), ("inna", 5)):
        customer = Customer.objects.create(name=name, number=name)
        DomainClaim.objects.bulk_create(
            DomainClaim(
                customer=customer, name=f"{name}{n}.example", token=f"{name}{n}", created_at=NOW, next_check_at=NOW
            )
            for n in range(count)
        )
    assert claims.look_at_due(at(NOW)) == 0
    assert len(asked) == len(set(asked)) == 20
    assert not DomainClaim.objects.filter(next_check_at__lte=NOW + side_by_side.LEASE).exists()
    go_on.set()
