"""How long a page waits for the database.

A server that is dead says so. One that is frozen (its disk hangs, its host was stopped) takes connections and answers
nothing, and neither statement_timeout, which the server itself keeps, nor TCP, whose packets its kernel confirms, ends
the wait. So whoever asks looks at the clock; and as a long answer is no frozen server, after a silence it is asked over
a new connection, which has a time-out, whether it still speaks.

Only while a page is made: commands, tasks and migrations wait as long as it takes.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import psycopg
from psycopg.abc import PQGen

# Seconds. All of them one after the other (a connection that was open falls silent, is looked after, and a new one is
# tried) are less than the ten that a visitor has.
SILENCE, LOOK, CONNECT = 2.0, 2, 3
# After a connection that was waited for in vain: others are told so at once, not each after a wait of its own.
LEFT_ALONE = 3.0
NO_ANSWER = "the database takes connections and does not answer"

_is_short: ContextVar[bool] = ContextVar("patience_is_short", default=False)
_left_alone_until = 0.0  # of this process, by time.monotonic


@contextlib.contextmanager
def short() -> Iterator[None]:
    """In here nobody waits for a database that has stopped to answer: psycopg.OperationalError instead."""
    before = _is_short.set(True)
    try:
        yield
    finally:
        _is_short.reset(before)


def connect(make: Callable[[dict[str, Any]], psycopg.Connection], parameters: dict[str, Any]) -> psycopg.Connection:
    """A connection that waits as it is asked to. Raises psycopg.OperationalError."""
    made = _connect_soon(make, parameters) if _is_short.get() else make(parameters)
    usual = made.wait

    def wait(gen: PQGen[Any], *args: Any, **kwargs: Any) -> Any:
        return usual(_watched(gen, made, parameters) if _is_short.get() else gen, *args, **kwargs)

    made.wait = wait  # type: ignore[method-assign]  # through here goes whatever is asked
    return made


def _connect_soon(make: Callable[[dict[str, Any]], psycopg.Connection], parameters: dict[str, Any]) -> Any:
    global _left_alone_until  # noqa: PLW0603 (one database, one process)
    if time.monotonic() < _left_alone_until:
        raise psycopg.errors.ConnectionTimeout(NO_ANSWER)
    try:
        return make(parameters | {"connect_timeout": CONNECT})
    except psycopg.errors.ConnectionTimeout:
        _left_alone_until = time.monotonic() + LEFT_ALONE
        raise


def _watched(gen: PQGen[Any], connection: psycopg.Connection, parameters: dict[str, Any]) -> PQGen[Any]:
    """psycopg's dialogue with the server, looked at whenever psycopg has waited for a moment in vain.

    A connection that is given up is closed: what comes next on it (a ROLLBACK) must not wait again.
    """
    try:
        wanted = next(gen)
        silent_since = time.monotonic()
        while True:
            ready = yield wanted
            if ready:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > SILENCE:
                if not _speaks(parameters):
                    gen.close()
                    connection.close()
                    raise psycopg.OperationalError(NO_ANSWER)
                silent_since = time.monotonic()
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value


def _speaks(parameters: dict[str, Any]) -> bool:
    """Whether the server still answers somebody; a refusal is an answer, too."""
    try:
        psycopg.connect(**parameters | {"connect_timeout": LOOK}).close()
    except psycopg.errors.ConnectionTimeout:
        return False
    except psycopg.Error:
        pass
    return True
