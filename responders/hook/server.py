"""Sockets, limits, health and draining: the thin shell around the protocol and the pipeline."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from prometheus_client import CONTENT_TYPE_LATEST

from responders.hook.ahead import NOTHING, Ahead
from responders.hook.lmtp import Delivery, Envelope, Reply, Session, Step
from responders.hook.metrics import Metrics

log = logging.getLogger("responders.hook")

Expect = Callable[[Envelope], Ahead]
Receive = Callable[[Delivery, Ahead], Awaitable[list[Reply]]]
# A health check gets its answer within the five seconds that it waits, whatever the database does.
SECONDS_TO_ASK, SECONDS_TO_SAY = 3, 5


class ListenError(RuntimeError):
    """An address cannot be listened on; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may use, in connections, octets and seconds."""

    connections: int = 200
    message_size: int = 100 * 1024 * 1024
    idle_seconds: float = 300  # RFC 5321 §4.5.3.2.7
    drain_seconds: float = 30


class Server:
    """Listens until it is stopped; then lets messages that are on their way end first.

    `expect` hears of a message before its content comes; what it finds goes with the message to `receive`.
    """

    def __init__(
        self, expect: Expect, receive: Receive, hostname: str, limits: Limits, metrics: Metrics | None = None
    ) -> None:
        self.expect, self.receive = expect, receive
        self.metrics = metrics or Metrics()
        self.hostname = hostname
        self.limits = limits
        self.is_draining = False
        self.clients: set[_Client] = set()
        self.decisions: set[asyncio.Task[None]] = set()
        self._is_empty = asyncio.Event()
        self._listeners: list[asyncio.Server] = []
        self._door: socket.socket | None = None
        self._arriving: set[asyncio.Future[Any]] = set()

    async def listen(self, address: str) -> None:
        """Listen on HOST:PORT or unix:PATH. Raises ListenError."""
        loop = asyncio.get_running_loop()
        try:
            if address.startswith("unix:"):
                path = Path(address.removeprefix("unix:"))
                listener = await loop.create_unix_server(lambda: _Client(self), sock=_unix_socket(path))
            else:
                host, port = split_address(address)
                listener = await loop.create_server(lambda: _Client(self), host, port)
        except OSError as error:
            raise ListenError(f"{address}: {error.strerror or error}") from error
        self._listeners.append(listener)

    def take_from(self, door: socket.socket) -> None:
        """Serve the connections that are handed over at the door, and tell there which end (`processes.fork`)."""
        door.setblocking(False)
        self._door = door
        asyncio.get_running_loop().add_reader(door, self._take, door)

    def _take(self, door: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            octet, descriptors, _flags, _address = socket.recv_fds(door, 1, 1)
        except OSError:
            return
        if not octet:
            loop.remove_reader(door)
        for descriptor in descriptors:
            arriving = loop.create_task(self._serve(socket.socket(fileno=descriptor)))
            self._arriving.add(arriving)
            arriving.add_done_callback(self._arriving.discard)

    async def _serve(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: _Client(self), connection)
        except OSError:  # it has gone already
            connection.close()
            self.one_has_gone()

    def one_has_gone(self) -> None:
        """A connection has ended: whoever hands them out may give another."""
        if self._door is not None:
            with contextlib.suppress(OSError):
                self._door.send(b"-")

    @property
    def ports(self) -> list[int]:
        """The TCP ports listened on, useful where port 0 asked for a free one."""
        names = [listener.sockets[0].getsockname() for listener in self._listeners if listener.sockets]
        return [name[1] for name in names if isinstance(name, tuple)]

    @property
    def is_full(self) -> bool:
        """Decisions may outlive their client: whichever are more count."""
        return max(len(self.clients), len(self.decisions)) >= self.limits.connections

    async def drain(self) -> None:
        """Stop listening, say 421 to idle clients, wait for messages on their way, then hang up."""
        self.is_draining = True
        for listener in self._listeners:
            listener.close()
        for client in list(self.clients):
            client.hang_up_if_idle()
        self.look_whether_empty()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_empty.wait(), self.limits.drain_seconds)
        for client in list(self.clients):
            client.abort()

    def look_whether_empty(self) -> None:
        """Called whenever a client or a decision has gone."""
        if self.is_draining and not self.clients and not self.decisions:
            self._is_empty.set()


class _Client(asyncio.Protocol):
    """One connection: carries bytes between the transport and the session."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._session = Session(server.hostname, max_size=server.limits.message_size)
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._active_at = 0.0
        self._ahead = NOTHING
        self._is_choked = False
        self._has_ended = False  # the client says nothing more; it may still listen

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        if self._server.is_draining or self._server.is_full:
            self._do(self._session.hang_up("4.3.2", "Too busy, come again"))
            return
        self._server.clients.add(self)
        self._server.metrics.connections = len(self._server.clients)
        transport.write(self._session.greeting)
        self._touch()
        self._watch()

    def data_received(self, data: bytes) -> None:
        self._touch()
        if self._session.is_deciding and self._transport is not None:
            self._transport.pause_reading()  # what comes before it has its answer waits, and nothing more is taken
        self._do(self._session.feed(data))

    def eof_received(self) -> bool:
        """Whether to stay for its replies."""
        self._has_ended = True
        return self._session.is_deciding

    def connection_lost(self, exc: Exception | None) -> None:
        # What is being decided goes on: a reply that is on its way must be recorded.
        self._server.clients.discard(self)
        self._server.one_has_gone()
        self._server.metrics.connections = len(self._server.clients)
        self._server.look_whether_empty()
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None

    def pause_writing(self) -> None:
        """The client does not read our replies: then we do not read its commands."""
        self._is_choked = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_choked = False
        self._read_on()

    def hang_up_if_idle(self) -> None:
        """421, unless a message is on its way."""
        if not self._session.is_receiving:
            self._do(self._session.hang_up("4.3.2", "Going down, come again"))

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _do(self, step: Step) -> None:
        if self._transport is None:
            return
        if step.output:
            self._transport.write(step.output)
        if step.expected is not None:
            self._ahead = self._server.expect(step.expected)
        if step.delivery is not None:
            ahead, self._ahead = self._ahead, NOTHING
            task = self._loop.create_task(self._decide(step.delivery, ahead))
            self._server.decisions.add(task)
            task.add_done_callback(self._decided)
        elif step.is_over or (self._has_ended and not self._session.is_deciding):
            self._transport.close()
        elif self._server.is_draining:
            self.hang_up_if_idle()

    async def _decide(self, delivery: Delivery, ahead: Ahead) -> None:
        try:
            with self._server.metrics.delivery():
                replies = await self._server.receive(delivery, ahead)
        except Exception:
            log.exception("a delivery found no decision")
            replies = [Reply(451, "4.3.0", "Not now, come again")] * len(delivery.envelope.forward_paths)
        if self._transport is None:
            return
        self._touch()
        self._do(self._session.answer(replies))
        self._read_on()

    def _read_on(self) -> None:
        """Unless the next message waits for its decision, which had come with the one before."""
        if self._transport is not None and not self._session.is_deciding and not self._is_choked:
            self._transport.resume_reading()

    def _decided(self, task: "asyncio.Task[None]") -> None:
        self._server.decisions.discard(task)
        self._server.look_whether_empty()

    def _touch(self) -> None:
        self._active_at = self._loop.time()

    def _watch(self) -> None:
        """One timer per connection that looks now and then, instead of one per read."""
        left = self._active_at + self._server.limits.idle_seconds - self._loop.time()
        if left <= 0 and not self._session.is_deciding:
            self._do(self._session.hang_up("4.4.2", "Nothing came for too long"))
            return
        self._timer = self._loop.call_later(max(left, 1.0), self._watch)


class Health:
    """A tiny HTTP answer: /metrics for Prometheus; for health checks 200 while ready, 503 while draining or without a
    database.
    """

    def __init__(self, server: Server, is_ready: Callable[[], Awaitable[bool]]) -> None:
        self._server = server
        self._is_ready = is_ready
        self._listener: asyncio.Server | None = None

    async def listen(self, address: str) -> None:
        """Listen on HOST:PORT. Raises ListenError."""
        host, port = split_address(address)
        try:
            self._listener = await asyncio.start_server(self._answer, host, port)
        except OSError as error:
            raise ListenError(f"{address}: {error.strerror or error}") from error

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(SECONDS_TO_SAY):
                asked = await reader.readline()
                status, kind, body = await self._page(asked)
                head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                writer.write(f"{head}Connection: close\r\n\r\n".encode("ascii") + body)
                await writer.drain()
        writer.close()

    async def _page(self, asked: bytes) -> tuple[str, str, bytes]:
        if asked.split(b" ")[1:2] == [b"/metrics"]:
            return "200 OK", CONTENT_TYPE_LATEST, self._server.metrics.text()
        if not self._server.is_draining and await self._answers_in_time():
            return "200 OK", "text/plain", b"ready\n"
        return "503 Service Unavailable", "text/plain", b"not ready\n"

    async def _answers_in_time(self) -> bool:
        """A database that is frozen answers neither yes nor no."""
        try:
            async with asyncio.timeout(SECONDS_TO_ASK):
                return await self._is_ready()
        except TimeoutError:
            return False


async def serve(server: Server, health: Health | None, listen: Iterable[str], health_address: str | None) -> None:
    """Listen until SIGTERM or SIGINT, then drain. Raises ListenError."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    for address in listen:
        await server.listen(address)
        log.info("listening on %s", address)
    if health is not None and health_address:
        await health.listen(health_address)
    await stop.wait()
    log.info("draining")
    await server.drain()
    if health is not None:
        health.close()


def split_address(address: str) -> tuple[str, int]:
    """HOST:PORT, the host in brackets where it is IPv6. Raises ListenError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 <= int(port) < 65536:
        raise ListenError(f"{address} is neither HOST:PORT nor unix:PATH")
    return host.strip("[]") or "127.0.0.1", int(port)


def listening(address: str) -> list[socket.socket]:
    """Sockets that listen on HOST:PORT, for each of the host's addresses, or on unix:PATH. Raises ListenError."""
    try:
        if address.startswith("unix:"):
            sockets = [_unix_socket(Path(address.removeprefix("unix:")))]
            sockets[0].listen()
            return sockets
        host, port = split_address(address)
        found = dict.fromkeys((info[0], info[4]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        return [socket.create_server(at, family=family) for family, at in found]
    except OSError as error:
        raise ListenError(f"{address}: {error.strerror or error}") from error


def _unix_socket(path: Path) -> socket.socket:
    """A socket at the path, in place of one that a dead server left. Raises OSError."""
    if path.is_socket():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise OSError(errno.EADDRINUSE, "another program listens there")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o666)  # Postfix's own user connects; the folder decides who may
    return listener
