"""The hook's connections to PostgreSQL: made when needed, made anew after trouble.

Raises `Outage` where the database cannot do its work: time mends that, Postfix keeps the copy.
"""

import asyncio
import contextlib
import select
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg.rows import tuple_row

from responders.hook.dialogue import Dialogue, Row, Statement

# Together less than the ten seconds that Postfix waits for us (master.cf): a copy may find a statement that hangs (a
# database that is frozen rather than dead) and then a connection that cannot be made, and still hears that it is to
# come again.
STATEMENT_SECONDS = 6
CONNECT_SECONDS = 3
# After a connection that failed, for so long nobody tries again: an outage is told at once, not after a queue.
RETRY_SECONDS = 0.5
# So long a connection waits to hear whether what was begun is to be kept; then others may need it.
HELD_SECONDS = 0.1
# Every statement here looks a few keys up. A plan is made once per connection, maybe while the tables are small:
# it must not become one that reads them whole when they have grown.
SESSION = {
    "timezone": "UTC",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
Result = TypeVar("Result")


class Outage(RuntimeError):
    """The database is away, too slow to wait for, or not what this program was made for."""


class Connection:
    """Made when needed and made anew after trouble; one statement at a time, each its own commit."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """`parameters` are libpq's, as psycopg takes them."""
        self._parameters = dict(parameters) | {"autocommit": True, "connect_timeout": CONNECT_SECONDS}
        self._connection: psycopg.AsyncConnection[Row] | None = None
        self._dialogue: Dialogue | None = None
        self._unasked = select.poll()  # what the server says without being asked
        self._lock = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._rests_until = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a statement runs."""
        return self._lock.locked()

    async def run(self, statement: Statement | str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> list[Row]:
        """Run a statement and return its rows. Raises Outage; DataError and IntegrityError for its values."""
        async with self._lock:
            return await self.guarded(self._run(statement, parameters, self._loop.time() + STATEMENT_SECONDS))

    async def begin(self, statement: Statement, parameters: Mapping[str, Any]) -> "Begun":
        """Send a statement, which another may follow. Raises Outage."""
        await self._lock.acquire()
        try:
            dialogue = await self.guarded(self._begin(statement, parameters))
        except BaseException:
            self._lock.release()
            raise
        return Begun(self, dialogue, statement)

    async def guarded(self, work: Awaitable[Result]) -> Result:
        """What it gives; trouble with the connection is its end, and an Outage."""
        try:
            return await work
        except (psycopg.DataError, psycopg.IntegrityError):
            raise
        except (psycopg.Error, TimeoutError, OSError) as error:
            await self._drop()
            raise Outage(f"database: {str(error) or type(error).__name__}") from error
        except asyncio.CancelledError:  # in the middle of a dialogue, maybe
            await self._drop()
            raise

    def release(self) -> None:
        """What was begun is over."""
        self._lock.release()

    async def close(self) -> None:
        async with self._lock:
            await self._drop()

    async def _run(
        self, statement: Statement | str, parameters: Mapping[str, Any] | Sequence[Any], until: float
    ) -> list[Row]:
        dialogue = await self._ready(until)
        if isinstance(statement, Statement) and isinstance(parameters, Mapping):
            return await dialogue.run(statement, parameters, until)
        async with asyncio.timeout_at(until):
            return await dialogue.run_text(str(statement), parameters)

    async def _begin(self, statement: Statement, parameters: Mapping[str, Any]) -> Dialogue:
        dialogue = await self._ready(self._loop.time() + STATEMENT_SECONDS)
        dialogue.begin(statement, parameters)
        return dialogue

    async def _ready(self, until: float) -> Dialogue:
        """Over a connection that stands."""
        if self._connection is not None and self._is_stale(self._connection):
            await self._drop()
        if self._connection is None or self._dialogue is None:
            async with asyncio.timeout_at(until):
                self._connection = await self._connect()
            self._dialogue = Dialogue(self._connection)
            self._unasked = select.poll()
            self._unasked.register(self._connection.fileno(), select.POLLIN)
        return self._dialogue

    async def _connect(self) -> psycopg.AsyncConnection[Row]:
        now = self._loop.time
        if now() < self._rests_until:
            raise psycopg.OperationalError("away a moment ago")
        self._rests_until = now() + RETRY_SECONDS + CONNECT_SECONDS
        try:
            connection = await psycopg.AsyncConnection.connect(**self._parameters, row_factory=tuple_row)
        except psycopg.Error:
            self._rests_until = now() + RETRY_SECONDS
            raise
        self._rests_until = 0.0
        for name, value in SESSION.items():
            await connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        return connection

    def _is_stale(self, connection: psycopg.AsyncConnection[Row]) -> bool:
        """Whether the server hung up while nobody looked (it was restarted)."""
        if connection.closed:
            return True
        if not self._unasked.poll(0):
            return False
        try:
            connection.pgconn.consume_input()  # the server's last words, maybe
            connection.pgconn.consume_input()  # that nothing follows them is seen by a look of its own
        except psycopg.OperationalError:
            return True
        return bool(connection.closed)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.pause()
        if connection is not None:
            await connection.close()


class Begun:
    """A statement on its way, and maybe one that follows it: done meanwhile, and committed only when told to.

    The connection is theirs until one of `keep` and `undo` is through. `rows` is to be asked for first; from then on
    nobody may take longer than HELD_SECONDS to say which of the two, or it is undone.
    """

    def __init__(self, connection: Connection, dialogue: Dialogue, statement: Statement) -> None:
        self._connection, self._dialogue, self._statement = connection, dialogue, statement
        self._loop = asyncio.get_running_loop()
        self._has_second = self.is_over = False
        self._timer: asyncio.TimerHandle | None = None
        self._undoing: asyncio.Task[None] | None = None

    def follow(self, statement: Statement, parameters: Mapping[str, Any]) -> None:
        """Send the one that follows. Where that fails there is nothing to keep."""
        if self.is_over:
            return
        with contextlib.suppress(psycopg.Error, ValueError):
            self._dialogue.follow(statement, parameters)
            self._has_second = True

    async def rows(self) -> list[Row]:
        """Of the first. Raises as `Connection.run`; then nothing is kept of the other."""
        try:
            rows = await self._connection.guarded(self._dialogue.begun(self._statement, self._until()))
        except BaseException:
            await self.undo()
            raise
        self._timer = self._loop.call_later(HELD_SECONDS, self._give_up)
        return rows

    async def keep(self) -> bool:
        """Commit what followed; False where there is nothing to keep. Raises as `Connection.run`."""
        if not self._has_second:
            await self.undo()
        if not self._end():
            return False
        try:
            await self._connection.guarded(self._dialogue.keep(self._until()))
        finally:
            self._connection.release()
        return True

    async def undo(self) -> None:
        """Nothing is kept of what followed, nor done if that has been said before."""
        if not self._end():
            return
        try:
            with contextlib.suppress(Outage):
                await self._connection.guarded(self._dialogue.undo(self._until()))
        finally:
            self._connection.release()

    def _end(self) -> bool:
        """Whether this is the first to end it."""
        is_first, self.is_over = not self.is_over, True
        if self._timer is not None:
            self._timer.cancel()
        return is_first

    def _give_up(self) -> None:
        self._undoing = self._loop.create_task(self.undo())

    def _until(self) -> float:
        return self._loop.time() + STATEMENT_SECONDS


class Connections:
    """Several, of which a statement takes the first that is free: in quiet times one server process does everything,
    which has all it needs at hand; under load the steps do not wait for each other.
    """

    def __init__(self, parameters: Mapping[str, Any], count: int) -> None:
        self._all = [Connection(parameters) for _number in range(count)]

    async def run(self, statement: Statement | str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> list[Row]:
        """As `Connection.run`."""
        return await self._free().run(statement, parameters)

    async def begin(self, statement: Statement, parameters: Mapping[str, Any]) -> Begun:
        """As `Connection.begin`."""
        return await self._free().begin(statement, parameters)

    async def close(self) -> None:
        for one in self._all:
            await one.close()

    def _free(self) -> Connection:
        """The first, or the last where none is: the first may be held."""
        return next((one for one in self._all if not one.is_busy), self._all[-1])
