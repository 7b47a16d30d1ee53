"""The load: N connections that hand over M messages, as fast as they are taken or so many a second."""

import asyncio
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import uvloop

from bench.messages import Letter


@dataclass(slots=True)
class Run:
    """What was seen: seconds in all, and how long each message took in ms, in order of size."""

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)

    def quantile(self, part: int) -> float:
        """So many of a hundred took no longer, in ms."""
        return statistics.quantiles(self.took, n=100)[part - 1]


def send(port: int, connections: int, letters: Sequence[Letter], *, smtp: bool = False) -> Run:
    """Every letter, over so many connections, each sending its next one as soon as the last is answered."""
    return uvloop.run(_send([port] * connections, letters, smtp=smtp))


def send_to_each(ports: Sequence[int], connections: int, letters: Sequence[Letter]) -> Run:
    """The same, the connections shared out among several ports."""
    return uvloop.run(_send([ports[number % len(ports)] for number in range(connections)], letters))


def send_steadily(port: int, connections: int, letters: Sequence[Letter], per_second: float) -> Run:
    """So many a second, over idle ones of the connections; each is timed from the moment at which it was due."""
    return uvloop.run(_send_steadily(port, connections, letters, per_second))


async def _send(ports: Sequence[int], letters: Sequence[Letter], *, smtp: bool = False) -> Run:
    run, waiting = Run(), iter(letters)
    clients = [await _connected(run, port, "EHLO" if smtp else "LHLO") for port in ports]
    await asyncio.gather(*(client.is_idle for client in clients))
    began = time.perf_counter()
    await asyncio.gather(*(client.send_all(waiting) for client in clients))
    run.seconds = time.perf_counter() - began
    for client in clients:
        client.quit()
    return run


async def _send_steadily(port: int, connections: int, letters: Sequence[Letter], per_second: float) -> Run:
    run, idle = Run(), asyncio.Queue[_Client]()
    clients = [await _connected(run, port, "LHLO") for _number in range(connections)]
    for client in clients:
        await client.is_idle
        idle.put_nowait(client)
    began, tasks = time.perf_counter(), []
    for number, letter in enumerate(letters):
        due = began + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        client = await idle.get()
        sent = client.send(letter, due)
        sent.add_done_callback(lambda _sent, client=client: idle.put_nowait(client))
        tasks.append(sent)
    await asyncio.gather(*tasks)
    run.seconds = time.perf_counter() - began
    for client in clients:
        client.quit()
    return run


async def _connected(run: Run, port: int, hello: str) -> "_Client":
    loop = asyncio.get_running_loop()
    _transport, client = await loop.create_connection(lambda: _Client(run, hello), "127.0.0.1", port)
    return client


class _Client(asyncio.Protocol):
    """One connection, speaking LMTP or SMTP; MAIL, RCPT and DATA go in one packet (RFC 2920)."""

    def __init__(self, run: Run, hello: str) -> None:
        loop = asyncio.get_running_loop()
        self.is_idle: asyncio.Future[None] = loop.create_future()
        self._done: asyncio.Future[None] = self.is_idle
        self._all: asyncio.Future[None] | None = None
        self._waiting: Iterable[Letter] = ()
        self._run, self._hello = run, hello
        self._buffer = b""
        self._expected = [b"220", b"250"]
        self._letter: Letter | None = None
        self._began = 0.0

    def send(self, letter: Letter, began: float = 0.0) -> "asyncio.Future[None]":
        self._done = asyncio.get_running_loop().create_future()
        self._begin(letter, began)
        return self._done

    async def send_all(self, waiting: Iterable[Letter]) -> None:
        """Without a task for each: the generator must not cost more than the server."""
        self._waiting, self._all = waiting, asyncio.get_running_loop().create_future()
        self._next()
        await self._all

    def quit(self) -> None:
        self._all = None
        self._transport.write(b"QUIT\r\n")
        self._transport.close()

    def _next(self) -> None:
        letter = next(iter(self._waiting), None)
        if letter is not None:
            self._begin(letter, 0.0)
        elif self._all is not None and not self._all.done():
            self._all.set_result(None)

    def _begin(self, letter: Letter, began: float) -> None:
        self._letter, self._began = letter, began or time.perf_counter()
        self._expected = [b"250", b"250", b"354", b"250"]
        self._transport.write(f"MAIL FROM:<{letter.reverse_path}>\r\nRCPT TO:<{letter.recipient}>\r\nDATA\r\n".encode())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        for waits in (self._done, self._all):
            if waits is not None and not waits.done():
                waits.set_exception(SystemExit("the server hung up"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\r\n")
        for line in lines:
            if line[3:4] != b"-":
                self._answered(line)

    def _answered(self, line: bytes) -> None:
        expected = self._expected.pop(0)
        if not line.startswith(expected):
            self._transport.abort()
            raise SystemExit(f"the server answered {line!r}")
        if expected == b"220":
            self._transport.write(f"{self._hello} bench.example\r\n".encode())
        elif expected == b"354" and self._letter is not None:
            self._transport.writelines([self._letter.head, self._letter.body, b".\r\n"])
        elif not self._expected:
            self._ended()

    def _ended(self) -> None:
        if self._letter is not None:
            self._run.took.append((time.perf_counter() - self._began) * 1000)
        if self._all is not None:
            self._next()
        elif not self._done.done():
            self._done.set_result(None)
