"""The hook's own talk with libpq: whatever happens to one statement, the next one gets its own answer."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import psycopg
import pytest
import uvloop
from django.db import connection

from responders.hook import connection as hooks
from responders.hook.connection import Begun, Connection, Outage
from responders.hook.dialogue import Statement
from tests.lmtp.parts import in_a_loop

ECHO = Statement("SELECT x FROM unnest(%(a)s::text[]) x")
DIVIDE = Statement("SELECT 6 / %(n)s::int")
SLEEP = Statement("SELECT pg_sleep(%(seconds)s::float8)::text")
NAME = "the connection of the test"
Scene = Callable[[Connection], Coroutine[Any, Any, None]]
pytestmark = pytest.mark.django_db


def parameters() -> dict[str, Any]:
    names = {"host", "port", "dbname", "user", "password"}
    return {name: value for name, value in connection.get_connection_params().items() if name in names}


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Scene], None]:
    """Runs a scene on a connection of its own.

    With more patience than the hook has: a slow machine is no outage.
    """
    monkeypatch.setattr(hooks, "STATEMENT_SECONDS", 120)
    monkeypatch.setitem(hooks.SESSION, "statement_timeout", "120s")

    async def with_connection(scene: Scene) -> None:
        own = Connection(parameters() | {"application_name": NAME})
        await scene(own)
        await own.close()

    return lambda scene: in_a_loop(request.param, with_connection(scene))


async def echoes(own: Connection, *texts: str) -> bool:
    return await own.run(ECHO, {"a": list(texts)}) == [(text,) for text in texts]


def hang_up() -> None:
    """As the server does when it is restarted."""
    with psycopg.connect(**parameters(), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s"
            " AND (query LIKE '%%pg_sleep($1%%' OR query LIKE '%%unnest($1%%' OR query LIKE '%%INTO kept%%')",
            [NAME],
        )


async def hang_up_on(asked: asyncio.Task[Any]) -> None:
    """While it waits for its answer."""
    for _wait in range(1_000):
        if asked.done():
            break
        hang_up()
        await asyncio.sleep(0.1)
    with pytest.raises(Outage):
        await asked


def test_every_text_comes_back_as_it_went(play: Callable[[Scene], None]) -> None:
    async def scene(own: Connection) -> None:
        plain, others = ["NULL", "", "żółć", "a\nb", "{", "}", "'", ","], ['"', "\\", '","', 'a","b', '\\",', '""']
        for texts in ([], [""], plain, others, [*plain, *others], *([one] for one in plain + others)):
            assert await echoes(own, *texts)
        assert await echoes(own, "a", 'b"', '"c')
        assert await echoes(own, 'a"', "b", '"c')
        assert await echoes(own, *(f'x"\\{{}},{number}' * 10_000 for number in range(40)))  # more than a socket takes
        assert await own.run("SELECT %s::int", (5,)) == [(5,)]
        assert await echoes(own, "after a cursor")

    play(scene)


def test_a_poisoned_value_leaves_the_connection_fit(play: Callable[[Scene], None]) -> None:
    async def scene(own: Connection) -> None:
        for _time in range(3):
            with pytest.raises(psycopg.DataError):
                await own.run(DIVIDE, {"n": 0})
            assert await own.run(DIVIDE, {"n": 2}) == [(3,)]
        for text, trouble in (("a\0b", psycopg.DataError), ("\ud800", UnicodeEncodeError)):
            with pytest.raises(trouble):
                await echoes(own, text)
            assert await echoes(own, "fit")

    play(scene)


def test_who_asks_after_one_that_was_given_up_does_not_get_its_answer(
    play: Callable[[Scene], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(own: Connection) -> None:
        asked = asyncio.create_task(own.run(SLEEP, {"seconds": 3}))
        await asyncio.sleep(0.2)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await echoes(own, "new")
        monkeypatch.setattr(hooks, "STATEMENT_SECONDS", 0.3)
        with pytest.raises(Outage):
            await own.run(SLEEP, {"seconds": 3})
        monkeypatch.setattr(hooks, "STATEMENT_SECONDS", 120)
        assert await echoes(own, "newer")

    play(scene)


def test_a_server_that_hangs_up_is_an_outage_in_the_middle_and_nothing_in_between(
    play: Callable[[Scene], None],
) -> None:
    async def scene(own: Connection) -> None:
        await hang_up_on(asyncio.create_task(own.run(SLEEP, {"seconds": 300})))
        assert await echoes(own, "again")
        hang_up()
        await asyncio.sleep(0.3)
        assert await echoes(own, "and again")
        hang_up()
        time.sleep(0.3)  # noqa: ASYNC251 (the loop has no time to see it)
        assert await echoes(own, "and once more")

    play(scene)


# --- Two statements, of which the second is kept or not ----------------------------------------------

KEEP = Statement("INSERT INTO kept (text) SELECT %(text)s::text WHERE 1 / length(%(text)s::text) >= 0")


@pytest.fixture
def kept(django_db_setup: None) -> Iterator[Callable[[], list[str]]]:
    """What was kept, in a table of its own."""
    with psycopg.connect(**parameters(), autocommit=True) as other:
        other.execute("CREATE TABLE kept (text text)")
        yield lambda: [row[0] for row in other.execute("SELECT text FROM kept ORDER BY text")]
        other.execute("DROP TABLE kept")


async def begin(own: Connection, text: str | None = None) -> Begun:
    begun = await own.begin(ECHO, {"a": ["first"]})
    if text is not None:
        begun.follow(KEEP, {"text": text})
    assert await begun.rows() == [("first",)]
    return begun


def test_the_second_is_there_once_it_is_kept(play: Callable[[Scene], None], kept: Callable[[], list[str]]) -> None:
    async def scene(own: Connection) -> None:
        for text in ("a", "b"):
            begun = await begin(own, text)
            assert own.is_busy
            assert text not in kept()
            assert await begun.keep()
            assert text in kept()
            await begun.undo()  # says nothing any more
            assert not await begun.keep()
            assert not own.is_busy
            assert await echoes(own, "fit")
        assert kept() == ["a", "b"]

    play(scene)


def test_the_second_is_not_there_where_it_is_undone(
    play: Callable[[Scene], None], kept: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(own: Connection) -> None:
        begun, warnings = await begin(own, "undone"), list[object]()
        assert own._connection is not None
        own._connection.add_notice_handler(warnings.append)
        await begun.undo()
        assert not await begun.keep()
        assert not await (await begin(own)).keep()  # nothing followed
        assert await echoes(own, "fit")
        assert warnings == []
        monkeypatch.setattr(hooks, "HELD_SECONDS", 0.05)
        begun = await begin(own, "too late")
        assert await echoes(own, "waited for the connection")
        assert not await begun.keep()
        assert kept() == []

    play(scene)


def test_trouble_with_one_of_the_two_leaves_the_connection_fit(
    play: Callable[[Scene], None], kept: Callable[[], list[str]]
) -> None:
    async def scene(own: Connection) -> None:
        for _time in range(2):
            begun = await own.begin(DIVIDE, {"n": 0})
            begun.follow(KEEP, {"text": "after a failure"})
            with pytest.raises(psycopg.DataError):
                await begun.rows()
            assert await echoes(own, "fit")
            begun = await begin(own, "")  # divides by zero
            with pytest.raises(psycopg.DataError):
                await begun.keep()
            assert await echoes(own, "fit")
            begun = await begin(own, "")
            await begun.undo()
            assert await echoes(own, "fit")
            begun = await begin(own, "\ud800")  # cannot be sent
            assert not await begun.keep()
            assert await echoes(own, "fit")
        with pytest.raises(UnicodeEncodeError):
            await own.begin(ECHO, {"a": ["\ud800"]})
        assert await echoes(own, "fit")
        assert kept() == []

    play(scene)


def test_a_statement_that_cannot_be_prepared_is_an_outage(play: Callable[[Scene], None], db: None) -> None:
    async def scene(own: Connection) -> None:
        missing = Statement("SELECT * FROM kept WHERE text = %(text)s")
        for _time in range(2):
            begun = await own.begin(missing, {"text": ""})
            with pytest.raises(Outage):
                await begun.rows()
            assert await echoes(own, "fit")
            begun = await begin(own)
            begun.follow(missing, {"text": ""})
            with pytest.raises(Outage):
                await begun.keep()
            assert await echoes(own, "fit")

    play(scene)


def test_a_server_that_hangs_up_keeps_nothing(
    play: Callable[[Scene], None], kept: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "HELD_SECONDS", 120)

    async def scene(own: Connection) -> None:
        begun = await begin(own, "a")
        hang_up()
        await asyncio.sleep(0.3)
        with pytest.raises(Outage):
            await begun.keep()
        begun = await begin(own, "b")
        hang_up()
        await begun.undo()
        begun = await own.begin(SLEEP, {"seconds": 300})
        begun.follow(KEEP, {"text": "c"})
        await hang_up_on(asyncio.create_task(begun.rows()))
        begun = await own.begin(SLEEP, {"seconds": 3})
        begun.follow(KEEP, {"text": "d"})
        asked = asyncio.create_task(begun.rows())
        await asyncio.sleep(0.1)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await echoes(own, "again")
        assert kept() == []

    play(scene)


def test_the_end_of_a_server_that_had_not_read_everything_is_noticed(
    play: Callable[[Scene], None], kept: Callable[[], list[str]]
) -> None:
    """Before the time is over for which an answer is waited for."""

    async def scene(own: Connection) -> None:
        begun = await own.begin(SLEEP, {"seconds": 300})
        begun.follow(KEEP, {"text": "unread"})
        async with asyncio.timeout(60):
            await hang_up_on(asyncio.create_task(begun.rows()))
        assert await echoes(own, "again")

    play(scene)
