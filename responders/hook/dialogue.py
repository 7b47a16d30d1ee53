"""Questions and answers over libpq's own calls (its manual's chapters on asynchronous commands and on pipeline mode).

What is asked for every message is a `Statement`: prepared once, and run through psycopg's own door to libpq
(`psycopg.pq`), which takes a quarter of the CPU of a cursor. All else goes the usual way, as text.
Raises psycopg's errors, and TimeoutError where an answer does not come in time.
"""

import asyncio
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import abc, pq
from psycopg.adapt import Transformer

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_NEEDS_BACKSLASH = re.compile(r'(["\\])')
_FINE = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}
# While an answer is waited for, so often somebody looks whether the connection has ended.
LOOK_SECONDS = 0.5
_serial = itertools.count(1)

Row = tuple[Any, ...]


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
        return _array(value).encode()
    return str(value).encode()


def _array(values: list[Any]) -> str:
    plain = len(values) > 1 and _plain_array(values)
    return plain or f"{{{','.join(map(_element, values))}}}"


def _plain_array(values: list[Any]) -> str | None:
    """Of texts without a quote or backslash in any: nearly all. None for others."""
    try:
        text = '","'.join(values)
    except TypeError:
        return None
    if "\\" in text or text.count('"') != 2 * (len(values) - 1):
        return None
    return f'{{"{text}"}}'


def _element(value: Any) -> str:
    if isinstance(value, str):
        if '"' in value or "\\" in value:
            value = _NEEDS_BACKSLASH.sub(r"\\\1", value)
        return f'"{value}"'
    return "NULL" if value is None else str(value)


class Dialogue:
    """One at a time over one connection; until its loop's time `until` an answer is waited for."""

    def __init__(self, connection: psycopg.AsyncConnection[Row]) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._prepared: set[bytes] = set()
        self._readers: dict[bytes, abc.Transformer] = {}  # of answers: they know the columns' types
        self._loop = asyncio.get_running_loop()
        self._watched: int | None = None  # the socket
        self._results: list[pq.abc.PGresult] = []
        self._is_pipeline = self._has_ended = False
        self._answer: asyncio.Future[list[pq.abc.PGresult]] | None = None
        self._until = 0.0
        self._timer: asyncio.TimerHandle

    async def run_text(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any]) -> list[Row]:
        """The usual way. Raises psycopg's errors."""
        self.pause()
        cursor = await self._connection.execute(sql, parameters, prepare=True)
        return await cursor.fetchall() if cursor.description else []

    async def run(self, statement: Statement, parameters: Mapping[str, Any], until: float) -> list[Row]:
        """Prepared once, and run."""
        if statement.name not in self._prepared:
            self._pgconn.send_prepare(statement.name, statement.text)
            _checked(await self._answered(until))
            self._prepared.add(statement.name)
        self._execute(statement, statement.values(parameters))
        return self._rows(statement, _checked(await self._answered(until)))

    def begin(self, statement: Statement, parameters: Mapping[str, Any]) -> None:
        """Send a statement that is committed whatever follows it."""
        values = statement.values(parameters)
        self._pgconn.enter_pipeline_mode()
        self._is_pipeline = True
        self._send(statement, values)
        self._pgconn.pipeline_sync()
        self._pgconn.flush()

    def follow(self, statement: Statement, parameters: Mapping[str, Any]) -> None:
        """Send another: the server does it at once, and commits it when `keep` comes."""
        self._send(statement, statement.values(parameters))
        self._pgconn.flush()

    async def begun(self, statement: Statement, until: float) -> list[Row]:
        """The rows of what was begun."""
        return self._rows(statement, _checked(await self._answered(until)))

    async def keep(self, until: float) -> None:
        """Commit what followed."""
        self._pgconn.pipeline_sync()
        results = await self._answered(until)
        self._end_pipeline()
        _checked(results)

    async def undo(self, until: float) -> None:
        """Roll back what followed; whether it had failed is nobody's matter then.

        BEGIN takes into a transaction what came since the last commit: without, the server would log a warning.
        """
        for command in (b"BEGIN", b"ROLLBACK"):
            self._pgconn.send_query_params(command, None)
        self._pgconn.pipeline_sync()
        await self._answered(until)
        self._end_pipeline()

    def _end_pipeline(self) -> None:
        self._pgconn.exit_pipeline_mode()
        self._is_pipeline = False

    def _send(self, statement: Statement, values: list[bytes | None]) -> None:
        """In a pipeline: to be prepared where it was not. That it could not be is trouble that ends the connection."""
        if statement.name not in self._prepared:
            self._pgconn.send_prepare(statement.name, statement.text)
            self._prepared.add(statement.name)
        self._execute(statement, values)

    def _execute(self, statement: Statement, values: list[bytes | None]) -> None:
        self._pgconn.send_query_prepared(statement.name, values, result_format=pq.Format.BINARY)

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
        self._results, self._answer, self._has_ended = [], self._loop.create_future(), False
        if self._watched is None:
            self._watched = self._pgconn.socket
            self._loop.add_reader(self._watched, self._read)
        if self._pgconn.flush():
            self._loop.add_writer(self._watched, self._write)
        answer, self._until = self._answer, until
        self._wait()
        try:
            return await answer
        finally:
            self._timer.cancel()
            self._answer = None

    def _wait(self) -> None:
        self._timer = self._loop.call_at(min(self._until, self._loop.time() + LOOK_SECONDS), self._look)

    def _look(self) -> None:
        """Under uvloop nobody tells of the end of a connection where something that was sent has not been read."""
        self._read()
        if self._answer is not None and self._loop.time() >= self._until:
            self._fail(TimeoutError())
        elif self._answer is not None:
            self._wait()

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
                    self._end_of_statement()
                elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                    self._settle()
                else:
                    self._results.append(result)
                    self._has_ended = False
        except psycopg.Error as error:
            self._fail(error)

    def _end_of_statement(self) -> None:
        """In a pipeline the server has yet to say that it is through, which is when it has committed."""
        if not self._is_pipeline:
            self._settle()
        elif self._has_ended:  # nothing more comes
            self._fail(psycopg.OperationalError("the server hung up"))
        self._has_ended = True

    def _settle(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._results)
        self._answer = None

    def _fail(self, error: Exception) -> None:
        """The server hung up; where nobody waits for it, the next one to ask will see."""
        self.pause()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self._answer = None


def _checked(results: "list[pq.abc.PGresult]") -> "pq.abc.PGresult":
    """The last result; raises the first error that the server tells of."""
    result = next((result for result in results if result.status not in _FINE), results[-1] if results else None)
    if result is None:
        raise psycopg.OperationalError("the server gave no answer")
    if result.status in _FINE:
        return result
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    words = result.error_message.decode("utf-8", "replace").strip() or "the server gave no answer"
    try:
        raise psycopg.errors.lookup(state)(words)
    except KeyError:
        raise psycopg.OperationalError(words) from None
