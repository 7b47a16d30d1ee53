"""The hook's own talk with libpq: whatever happens to one statement, the next one gets its own answer."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import uvloop
from django.db import connection

from responders.hook import connection as hooks
from responders.hook.connection import Connection, Outage, Statement

ECHO = Statement("SELECT x FROM unnest(%(a)s::text[]) x")
DIVIDE = Statement("SELECT 6 / %(n)s::int")
SLEEP = Statement("SELECT pg_sleep(%(seconds)s::float8)::text")
Scene = Callable[[Connection], Coroutine[Any, Any, None]]
pytestmark = pytest.mark.django_db


def parameters() -> dict[str, Any]:
    names = {"host", "port", "dbname", "user", "password"}
    return {name: value for name, value in connection.get_connection_params().items() if name in names}


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Scene], None]:
    """Runs a scene on a connection of its own, in a thread of its own: the main one may have Playwright's loop.

    With more patience than the hook has: a slow machine is no outage.
    """
    monkeypatch.setattr(hooks, "STATEMENT_SECONDS", 120)
    monkeypatch.setitem(hooks.SESSION, "statement_timeout", "120s")

    async def with_connection(scene: Scene) -> None:
        own = Connection(parameters())
        await scene(own)
        await own.close()

    def in_a_loop(scene: Scene) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(with_connection(scene))

    def run(scene: Scene) -> None:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(in_a_loop, scene).result()

    return run


async def echoes(own: Connection, *texts: str) -> bool:
    return await own.run(ECHO, {"a": list(texts)}) == [(text,) for text in texts]


def hang_up() -> None:
    """As the server does when it is restarted."""
    with psycopg.connect(**parameters(), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND (query LIKE '%pg_sleep($1%' OR query LIKE '%unnest($1%')"
        )


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
        asked = asyncio.create_task(own.run(SLEEP, {"seconds": 300}))
        for _wait in range(1_000):
            if asked.done():
                break
            hang_up()
            await asyncio.sleep(0.1)
        with pytest.raises(Outage):
            await asked
        assert await echoes(own, "again")
        hang_up()
        await asyncio.sleep(0.3)
        assert await echoes(own, "and again")
        hang_up()
        time.sleep(0.3)  # noqa: ASYNC251 (the loop has no time to see it)
        assert await echoes(own, "and once more")

    play(scene)
