"""Decisions lie in parts by the time: made ahead, dropped when they are over; nothing is lost where one is missing."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from mailboxes.models import Mailbox
from mailboxes.signing import dkim_signer
from responders import decision_partitions as parts
from responders.decision_partitions import DEFAULT, TABLE, Part
from responders.models import Decision
from responders.services import database_now
from responders.tasks import delete_old_decisions

NOON = datetime(2027, 1, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PAUSE", 0)


def day(number: int) -> datetime:
    return datetime(2027, 1, number, tzinfo=UTC)


def decide(mailbox: Mailbox, at: datetime) -> Decision:
    return Decision.objects.create(mailbox=mailbox, decided_at=at, forward_path=mailbox.address, reason="replied")


def place_of(row: Decision) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT tableoid::regclass::text FROM {TABLE} WHERE id = %s", [row.pk])
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize(("kept", "days"), [(1, 1), (30, 1), (31, 2), (90, 3), (3650, 122)])
def test_a_part_holds_a_thirtieth_of_what_is_kept(kept: int, days: int) -> None:
    assert parts.days_of_a_part(kept) == days


def test_parts_are_made_a_week_ahead_from_tomorrow_on() -> None:
    made = parts.to_make([], None, 90, NOON)
    assert [(part.begin, part.end) for part in made] == [(day(5), day(8)), (day(8), day(11)), (day(11), day(14))]
    assert made[0].name == "responders_decision_20270105"
    assert parts.to_make(made, None, 90, NOON) == []


def test_they_go_on_where_the_last_one_ends_whatever_its_length() -> None:
    last = Part("x", day(1), day(6))
    assert [part.begin for part in parts.to_make([last], None, 30, NOON)] == [day(n) for n in range(6, 12)]


def test_after_a_gap_no_part_is_made_for_time_that_lies_in_the_default_part() -> None:
    assert parts.to_make([Part("x", day(1), day(2))], day(6), 90, NOON)[0].begin == day(7)


@pytest.mark.usefixtures("no_parts_left")
def test_a_row_dated_far_ahead_keeps_no_part_from_being_made(mailbox: Mailbox) -> None:
    """A clock was wrong for a moment; its row stays in the default part, and is deleted when its time is over."""
    now = database_now()
    far = decide(mailbox, now + timedelta(days=2000))
    soon = decide(mailbox, now + timedelta(days=1))
    made = parts.make_ahead(90, now)
    assert len(made) == 2  # from the day after the one of tomorrow
    assert place_of(decide(mailbox, now + timedelta(days=4))) in made
    assert (place_of(far), place_of(soon)) == (DEFAULT, DEFAULT)
    assert parts.make_ahead(90, now + timedelta(days=30)) != []
    far_from_now = far.decided_at + timedelta(days=1)
    assert parts.to_make(parts.parts(), far.decided_at, 90, far_from_now)[0].begin > far.decided_at


def test_a_part_is_over_when_its_last_row_is() -> None:
    first, second = Part("a", None, day(2)), Part("b", day(2), day(3))
    assert parts.over([second, first], 2, NOON) == [first]
    assert parts.over([second, first], 1, NOON) == [first, second]


def test_rows_find_their_part_and_old_parts_go(mailbox: Mailbox) -> None:
    now = database_now()
    delete_old_decisions()
    tomorrow = parts.parts()[0]
    assert tomorrow.begin is not None
    today, later = decide(mailbox, now), decide(mailbox, tomorrow.begin)
    assert (place_of(today), place_of(later)) == (DEFAULT, tomorrow.name)
    assert delete_old_decisions() == 0
    with connection.cursor() as cursor:  # deferred checks of foreign keys hold a table as it is
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert parts.drop_over(90, tomorrow.end + timedelta(days=90)) == [tomorrow.name]
    assert set(Decision.objects.all()) == {today}


def test_old_rows_of_the_default_part_are_deleted_in_batches(mailbox: Mailbox) -> None:
    now = database_now()
    for age in (92, 91, 91, 89):
        decide(mailbox, now - timedelta(days=age))
    assert delete_old_decisions(batch=2) == 3
    assert Decision.objects.count() == 1


def test_a_row_goes_with_its_mailbox_wherever_it_lies(mailbox: Mailbox) -> None:
    delete_old_decisions()
    for at in (database_now(), database_now() + timedelta(days=2)):
        decide(mailbox, at)
    mailbox.delete()
    assert not Decision.objects.exists()


def test_the_database_knows_the_mailbox_of_every_row(mailbox: Mailbox) -> None:
    delete_old_decisions()
    row = decide(mailbox, database_now() + timedelta(days=2))
    Decision.objects.filter(pk=row.pk).update(mailbox=999_999_999)
    with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.cursor() as cursor:
        cursor.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def no_parts_left(transactional_db: None) -> Iterator[None]:
    """A test that commits leaves its tables behind."""
    yield
    with connection.cursor() as cursor:
        for part in parts.parts():
            cursor.execute(f"DROP TABLE {part.name}")


@pytest.mark.usefixtures("no_parts_left")
def test_whoever_is_at_the_table_is_not_held_up(mailbox: Mailbox) -> None:
    """A part that cannot be dropped at once is left to the next call: nobody waits behind us."""
    delete_old_decisions()
    part = parts.parts()[0]
    with another_connection() as reader:
        reader.execute(f"SELECT count(*) FROM {TABLE}")
        assert parts.drop_over(90, part.end + timedelta(days=90)) == []
    assert parts.drop_over(90, part.end + timedelta(days=90)) == [part.name]


@pytest.mark.usefixtures("no_parts_left")
def test_parts_are_made_while_somebody_reads_and_writes(mailbox: Mailbox) -> None:
    with another_connection() as hook:
        hook.execute(
            f"INSERT INTO {TABLE} (mailbox_id, decided_at, reverse_path, forward_path, reason, evidence, misses,"
            " message_id, queue_id) SELECT mailbox_id, decided_at, '', 'x', 'replied', '', '[]', '', ''"
            " FROM (VALUES (%s::bigint, now())) v (mailbox_id, decided_at) WHERE EXISTS (SELECT FROM mailboxes_user)",
            [mailbox.pk],
        )
        assert parts.make_ahead(90, database_now()) == []  # the default part is written to just now
        hook.commit()
        hook.execute("SELECT count(*) FROM mailboxes_mailbox")
        assert len(parts.make_ahead(90, database_now())) == 3


@pytest.mark.usefixtures("no_parts_left")
def test_parts_are_made_while_keys_are_written_to_a_redis_that_hangs(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[str]] = []
    monkeypatch.setattr(dkim_signer, "_fields", lambda *_of: made.append(_made_beside()) or set())
    dkim_signer.write()
    assert len(made[0]) == 3


def _made_beside() -> list[str]:
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(_make_in_a_thread, 0).result()


@pytest.mark.usefixtures("no_parts_left")
def test_two_workers_make_each_part_once(mailbox: Mailbox) -> None:
    with ThreadPoolExecutor(2) as both:
        made = list(both.map(_make_in_a_thread, range(2)))
    assert sorted(name for names in made for name in names) == [part.name for part in parts.parts()]


def _make_in_a_thread(_number: int) -> list[str]:
    try:
        return parts.make_ahead(90, database_now())
    finally:
        connection.close()


def another_connection() -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(**{name: value for name, value in connection.get_connection_params().items()
                              if name in {"host", "port", "dbname", "user", "password"}})  # fmt: skip


def test_what_was_there_before_is_the_first_part() -> None:
    """The migration moves no row: the table as it was becomes a part, with its rows, keys and numbers."""
    name = f"before_{uuid.uuid4().hex}"
    with another_connection() as server:
        server.autocommit = True
        server.execute(f"CREATE DATABASE {name}")
        try:
            _migrate(name, "0025_log_stays")
            with psycopg.connect(_url(name)) as panel:
                panel.execute(OLD_ROWS)
            _migrate(name, "0026_decisions_in_parts")
            with psycopg.connect(_url(name)) as panel:
                found = panel.execute(f"SELECT tableoid::regclass::text, id FROM {TABLE} ORDER BY id").fetchall()
                assert found == [(f"{TABLE}_before", 1), (f"{TABLE}_before", 2)]
                panel.execute(OLD_ROWS)
                assert panel.execute(f"SELECT min(id) > 2 FROM {TABLE} WHERE id > 2").fetchone() == (True,)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


OLD_ROWS = f"""
INSERT INTO {TABLE} (decided_at, reverse_path, forward_path, reason, evidence, misses, message_id, queue_id)
    SELECT now() - n * interval '1 day', '', 'x', 'no-mailbox', '', '[]', '', '' FROM generate_series(1, 2) n
"""


def _url(name: str) -> str:
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def _migrate(name: str, target: str) -> None:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", "responders", target, "--verbosity=0"]
    subprocess.run(command, check=True, env=os.environ | {"DATABASE_URL": _url(name)})
