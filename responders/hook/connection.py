"""One connection of the hook to PostgreSQL.

What is asked for every message is a `Statement`: prepared once, and run through psycopg's own door to libpq
(`psycopg.pq`), which takes a quarter of the CPU of a cursor. All else goes the usual way, as text.
Raises `Outage` where the database cannot do its work: time mends that, Postfix keeps the copy.
"""

import asyncio
import itertools
import re
import select
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import abc, pq
from psycopg.adapt import Transformer
from psycopg.rows import tuple_row

# Together less than the ten seconds that Postfix waits for us (master.cf): a copy may find a statement that hangs (a
# database that is frozen rather than dead) and then a connection that cannot be made, and still hears that it is to
# come again.
STATEMENT_SECONDS = 6
CONNECT_SECONDS = 3
# After a connection that failed, for so long nobody tries again: an outage is told at once, not after a queue.
RETRY_SECONDS = 0.5
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
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_NEEDS_BACKSLASH = re.compile(r'(["\\])')
_serial = itertools.count(1)

Row = tuple[Any, ...]


class Outage(RuntimeError):
    """The database is away, too slow to wait for, or not what this program was made for."""


class Statement:
    """SQL with placeholders as psycopg writes them, `%(name)s`; each needs a type that the SQL makes clear."""

    def __init__(self, sql: str) -> None:
        self.names = tuple(dict.fromkeys(_PLACEHOLDER.findall(sql)))
        places = {name: f"${place}" for place, name in enumerate(self.names, 1)}
        self.text = _PLACEHOLDER.sub(lambda found: places[found[1]], sql).encode()
        self.name = f"hook_{next(_serial)}".encode()

    def values(self, parameters: Mapping[str, Any]) -> list[bytes | None]:
        """The parameters in the order of their numbers, as PostgreSQL reads them."""
        return [literal(parameters[name]) for name in self.names]


def literal(value: Any) -> bytes | None:
    """A value as the text of a parameter; a list as an array's (PostgreSQL's manual, 8.15.6)."""
    if value is None:
        return None
    if isinstance(value, list):
        return (_plain_array(value) or f"{{{','.join(map(_element, value))}}}").encode()
    return str(value).encode()


def _plain_array(values: list[Any]) -> str | None:
    """Of texts without a quote or backslash in any: nearly all. None for others."""
    try:
        text = '","'.join(values)
    except TypeError:
        return None
    if not values or "\\" in text or text.count('"') != 2 * (len(values) - 1):
        return None
    return f'{{"{text}"}}'


def _element(value: Any) -> str:
    if isinstance(value, str):
        if '"' in value or "\\" in value:
            value = _NEEDS_BACKSLASH.sub(r"\\\1", value)
        return f'"{value}"'
    return "NULL" if value is None else str(value)


class Connection:
    """Made when needed and made anew after trouble; one statement at a time, each its own commit."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """`parameters` are libpq's, as psycopg takes them."""
        self._parameters = dict(parameters) | {"autocommit": True, "connect_timeout": CONNECT_SECONDS}
        self._connection: psycopg.AsyncConnection[Row] | None = None
        self._dialogue: _Dialogue | None = None
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
            until = self._loop.time() + STATEMENT_SECONDS
            try:
                dialogue = await self._ready(until)
                if isinstance(statement, Statement) and isinstance(parameters, Mapping):
                    return await dialogue.run(statement, parameters, until)
                async with asyncio.timeout_at(until):
                    return await dialogue.run_text(str(statement), parameters)
            except (psycopg.DataError, psycopg.IntegrityError):
                raise
            except (psycopg.Error, TimeoutError, OSError) as error:
                await self._drop()
                raise Outage(f"database: {str(error) or type(error).__name__}") from error
            except asyncio.CancelledError:  # in the middle of a dialogue, maybe
                await self._drop()
                raise

    async def close(self) -> None:
        async with self._lock:
            await self._drop()

    async def _ready(self, until: float) -> "_Dialogue":
        """Over a connection that stands."""
        if self._connection is not None and self._is_stale(self._connection):
            await self._drop()
        if self._connection is None or self._dialogue is None:
            async with asyncio.timeout_at(until):
                self._connection = await self._connect()
            self._dialogue = _Dialogue(self._connection)
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


class Connections:
    """Several, of which a statement takes the first that is free: in quiet times one server process does everything,
    which has all it needs at hand; under load the steps do not wait for each other.
    """

    def __init__(self, parameters: Mapping[str, Any], count: int) -> None:
        self._all = [Connection(parameters) for _number in range(count)]

    async def run(self, statement: Statement | str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> list[Row]:
        """As `Connection.run`."""
        free = next((one for one in self._all if not one.is_busy), self._all[0])
        return await free.run(statement, parameters)

    async def close(self) -> None:
        for one in self._all:
            await one.close()


class _Dialogue:
    """Questions and answers over libpq's own calls (its manual's chapter on asynchronous command processing)."""

    def __init__(self, connection: psycopg.AsyncConnection[Row]) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._prepared: set[bytes] = set()
        self._readers: dict[bytes, abc.Transformer] = {}  # of answers: they know the columns' types
        self._loop = asyncio.get_running_loop()
        self._watched: int | None = None  # the socket
        self._results: list[pq.abc.PGresult] = []
        self._answer: asyncio.Future[list[pq.abc.PGresult]] | None = None

    async def run_text(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any]) -> list[Row]:
        """The usual way. Raises psycopg's errors."""
        self.pause()
        cursor = await self._connection.execute(sql, parameters, prepare=True)
        return await cursor.fetchall() if cursor.description else []

    async def run(self, statement: Statement, parameters: Mapping[str, Any], until: float) -> list[Row]:
        """Raises psycopg's errors, TimeoutError at the loop's time `until`."""
        if statement.name not in self._prepared:
            self._pgconn.send_prepare(statement.name, statement.text)
            _checked(await self._answered(until))
            self._prepared.add(statement.name)
        self._pgconn.send_query_prepared(statement.name, statement.values(parameters), result_format=pq.Format.BINARY)
        return self._rows(statement, _checked(await self._answered(until)))

    def _rows(self, statement: Statement, result: "pq.abc.PGresult") -> list[Row]:
        reader = self._readers.get(statement.name)
        if reader is None:
            reader = self._readers[statement.name] = Transformer(self._connection)
            reader.set_pgresult(result)
        else:
            reader.set_pgresult(result, set_loaders=False)
        rows = reader.load_rows(0, result.ntuples, tuple)
        reader.set_pgresult(None, set_loaders=False)  # whose answer may be large
        return rows

    def pause(self) -> None:
        """Leave the socket to somebody else."""
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._loop.remove_writer(self._watched)
            self._watched = None

    async def _answered(self, until: float) -> "list[pq.abc.PGresult]":
        self._results, self._answer = [], self._loop.create_future()
        if self._watched is None:
            self._watched = self._pgconn.socket
            self._loop.add_reader(self._watched, self._read)
        if self._pgconn.flush():
            self._loop.add_writer(self._watched, self._write)
        timer = self._loop.call_at(until, self._fail, TimeoutError())
        try:
            return await self._answer
        finally:
            timer.cancel()
            self._answer = None

    def _write(self) -> None:
        try:
            if not self._pgconn.flush() and self._watched is not None:
                self._loop.remove_writer(self._watched)
        except psycopg.Error as error:
            self._fail(error)

    def _read(self) -> None:
        try:
            self._pgconn.consume_input()
            while self._answer is not None and not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    self._settle()
                    return
                self._results.append(result)
        except psycopg.Error as error:
            self._fail(error)

    def _settle(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._results)
        self._answer = None

    def _fail(self, error: Exception) -> None:
        """The server hung up; where nobody waits for it, the next one to ask will see."""
        self.pause()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def _checked(results: "list[pq.abc.PGresult]") -> "pq.abc.PGresult":
    """The last result; raises the error that the server tells of."""
    if not results:
        raise psycopg.OperationalError("the server gave no answer")
    result = results[-1]
    if result.status in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        return result
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    words = result.error_message.decode("utf-8", "replace").strip() or "the server gave no answer"
    try:
        raise psycopg.errors.lookup(state)(words)
    except KeyError:
        raise psycopg.OperationalError(words) from None
