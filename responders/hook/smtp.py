"""The client's side of an SMTP connection: octets go out, whole answers come in."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import cast

MAX_LINES = 100  # of an answer
MAX_BUFFER = 64 * 1024  # octets of a line; RFC 5321 §4.5.3.1.5 allows 512


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply of the server (RFC 5321 §4.2); `text` is its lines in one."""

    code: int
    text: str

    @property
    def is_permanent(self) -> bool:
        return 500 <= self.code <= 599

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class Wire(asyncio.Protocol):
    """A connection whose answers are waited for by their number: what was pipelined is answered in its order.

    An answer that nobody waited for (421 in quiet times) is the first that the next one to wait gets.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._lines: list[str] = []
        self._answers: deque[Answer] = deque()
        self._wanted = 0
        self._waits: asyncio.Future[None] | None = None
        self._trouble: OSError | None = None

    @property
    def is_open(self) -> bool:
        return self._trouble is None and self._transport is not None and not self._transport.is_closing()

    @property
    def has_answers(self) -> bool:
        """Whether something was answered that nobody has heard yet."""
        return bool(self._answers)

    def write(self, octets: bytes) -> None:
        """Send; what the other side does not take yet is kept. Nothing where it hung up: `answers` says so."""
        if self._transport is not None and self.is_open:  # uvloop raises RuntimeError for a closed one
            self._transport.write(octets)

    async def answers(self, count: int, until: float) -> list[Answer]:
        """The next answers. Raises OSError if the connection ends before, TimeoutError at the loop's time `until`."""
        if len(self._answers) < count:
            if self._trouble is not None:
                raise self._trouble
            self._wanted, self._waits = count, self._loop.create_future()
            timer = self._loop.call_at(until, self._give_up)
            try:
                await self._waits
            finally:
                timer.cancel()
                self._waits = None
        return [self._answers.popleft() for _number in range(count)]

    def close(self) -> None:
        """When everything is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """At once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        if self._trouble is not None:
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace").rstrip("\r"))
        if len(self._buffer) > MAX_BUFFER:
            self._fail(ConnectionResetError("the relay does not speak SMTP"))
        if self._waits is not None and len(self._answers) >= self._wanted and not self._waits.done():
            self._waits.set_result(None)

    def eof_received(self) -> None:
        self._fail(ConnectionResetError("the relay hung up"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc if isinstance(exc, OSError) else ConnectionResetError("the relay hung up"))

    def _take(self, line: str) -> None:
        """A line of an answer of one or several (RFC 5321 §4.2.1)."""
        if not (line[:3].isascii() and line[:3].isdigit()) or len(self._lines) > MAX_LINES:
            self._fail(ConnectionResetError("the relay does not speak SMTP"))
            return
        self._lines.append(line[4:])
        if line[3:4] != "-":
            self._answers.append(Answer(int(line[:3]), "\n".join(self._lines)))
            self._lines = []

    def _give_up(self) -> None:
        if self._waits is not None and not self._waits.done():
            self._waits.set_exception(TimeoutError())

    def _fail(self, trouble: OSError) -> None:
        """What came before still counts; nobody gets more."""
        self._trouble = self._trouble or trouble
        if self._waits is not None and not self._waits.done():
            self._waits.set_exception(self._trouble)
