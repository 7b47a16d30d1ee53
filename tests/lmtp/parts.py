"""The parts of the tests: a hook, an LMTP client, relays that behave and relays that do not, messages."""

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, TypeVar

from aiosmtpd.controller import Controller

from responders.hook.journal import Journal
from responders.hook.ledger import Ledger
from responders.hook.ledger.loading import Query
from responders.hook.metrics import Metrics
from responders.hook.pipeline import Pipeline
from responders.hook.relay import Relay as RelayClient
from responders.hook.server import Limits, Server
from responders.management.commands.lmtpd import configuration, database_parameters
from webmail_panel.embedded import free_port

Result = TypeVar("Result")
SENDER = "jan@nadawca.example"
_numbers = itertools.count(1)


def message(
    *,
    to: str = "anna@firma.example",
    subject: str = "Pytanie",
    queue_id: str | None = None,
    extra: str = "",
    body: str = "Dzień dobry",
    received_at: datetime | None = None,
) -> bytes:
    """A person's message, with the Received field of our Postfix on top; a new queue id each time unless given."""
    number = next(_numbers)
    date = format_datetime(received_at or datetime.now(UTC))
    return (
        f"Received: from client.example (client.example [192.0.2.1])\r\n"
        f"\tby panel.example (Postfix) with ESMTP id {queue_id or f'4QUEUE{number:06}'}\r\n"
        f"\tfor <{to}>; {date}\r\n"
        f"From: Jan Kowalski <{SENDER}>\r\nTo: {to}\r\nSubject: {subject}\r\n"
        f"Message-ID: <{number}@nadawca.example>\r\n{extra}MIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
    ).encode()


def copy(address: str) -> str:
    """The recipient that Postfix adds for the hook."""
    local_part, _at, domain = address.rpartition("@")
    return f"{local_part}={domain}@autoreply.invalid"


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, task: Coroutine[Any, Any, Any]) -> Any:
        return self.start(task).result(120)

    def start(self, task: Coroutine[Any, Any, Any]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(task, self.loop)

    def stop(self) -> None:
        self.run(self._cancel_the_rest())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _cancel_the_rest(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports close in the next round


def in_a_loop(new_loop: Callable[[], asyncio.AbstractEventLoop], task: Coroutine[Any, Any, Result]) -> Result:
    """What it gives, in a loop of its own and a thread of its own: the main one may have Playwright's loop."""

    def run() -> Result:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(task)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


class Hook:
    """The hook as `lmtpd` puts it together, on a free port."""

    def __init__(self, relay_url: str, *, database: dict[str, Any] | None = None, limits: Limits | None = None) -> None:
        self._loop = Loop()
        self.port = 0
        self._loop.run(self._start(relay_url, database or database_parameters(), limits or Limits()))

    async def _start(self, relay_url: str, database: dict[str, Any], limits: Limits) -> None:
        configured = configuration()
        metrics = Metrics()
        self.ledger = Ledger(database, configured.policy, metrics)
        self.relay = RelayClient(relay_url, hostname="panel.example")
        self.pipeline = Pipeline(self.ledger, self.relay, Journal(b"key", metrics), configured)
        self.server = Server(self.pipeline.expect, self.pipeline.receive, "panel.example", limits, metrics)
        await self.server.listen("127.0.0.1:0")
        self.port = self.server.ports[0]

    def run(self, task: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run(task)

    def client(self) -> "Client":
        return Client(self.port)

    def deliver(self, content: bytes, *recipients: str, sender: str = SENDER) -> list[str]:
        """Hand over one message in one transaction; the replies, one per recipient."""
        with self.client() as client:
            return client.deliver(sender, recipients or [copy("anna@firma.example")], content)

    def stop(self) -> None:
        self.run(self._stop())
        self._loop.stop()

    async def _stop(self) -> None:
        await self.server.drain()
        await self.relay.close()
        await self.ledger.close()


class Client:
    """Postfix's side of LMTP."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._file = self._socket.makefile("rb")
        self.greeting = self.reply()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_raised: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Without a word."""
        self._file.close()
        self._socket.close()

    def send(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def reply(self) -> str:
        """The next reply, of several lines the last; empty when the server hung up."""
        line = self._file.readline()
        while line[3:4] == b"-":
            line = self._file.readline()
        return line.decode().rstrip("\r\n")

    def command(self, line: str) -> str:
        self.send(f"{line}\r\n".encode())
        return self.reply()

    def begin(self, sender: str, recipients: Sequence[str]) -> None:
        """Up to the point where the content is wanted."""
        commands = [
            "LHLO client.example",
            f"MAIL FROM:<{sender}> SMTPUTF8",
            *(f"RCPT TO:<{path}>" for path in recipients),
            "DATA",
        ]
        self.send("".join(f"{line}\r\n" for line in commands).encode("utf-8", "surrogateescape"))
        replies = [self.reply() for _line in commands]
        assert replies[-1].startswith("354"), replies

    def deliver(self, sender: str, recipients: Sequence[str], content: bytes) -> list[str]:
        self.begin(sender, recipients)
        self.send(
            content.replace(b"\r\n.", b"\r\n..")
            + (b"" if content.endswith(b"\r\n") or not content else b"\r\n")
            + b".\r\n"
        )
        return [self.reply() for _path in recipients]


class LookUps:
    """How many queries were asked and answered, of all that look somebody up."""

    def __init__(self) -> None:
        self.answered: list[Query] = []
        self.trouble: Exception | None = None


class Relay:
    """aiosmtpd as the relay: keeps what it accepts, says no where told to."""

    def __init__(self) -> None:
        self.forget()
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=True)
        self._controller.start()
        self.url = f"smtp://127.0.0.1:{self.port}"

    def forget(self) -> None:
        self.answer_to_recipient = self.answer_to_content = ""
        self.envelopes: list[tuple[str, list[str]]] = []
        self.contents: list[bytes] = []

    @property
    def replies(self) -> list[EmailMessage]:
        """What came, read by the standard library's strict parser."""
        return [message_from_bytes(content, policy=policy.default) for content in self.contents]

    def stop(self) -> None:
        self._controller.stop()

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        if self.answer_to_recipient:
            return self.answer_to_recipient
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient ok"

    async def handle_DATA(self, server, session, envelope) -> str:
        if self.answer_to_content:
            return self.answer_to_content
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        self.contents.append(envelope.content)
        return "250 2.0.0 Kept"


class Wire:
    """Carries octets between the hook and a server (by Unix socket), and can be cut, or frozen."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._loop = Loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._listener: asyncio.Server | None = None
        self._carriers: set[asyncio.StreamWriter] = set()
        self.port = free_port()
        self.mend()

    def mend(self) -> None:
        self._loop.run(self._mend())

    def cut(self) -> None:
        """Nobody comes through, and who was through is thrown out."""
        self._loop.run(self._cut())

    async def cut_from_elsewhere(self) -> None:
        """`cut`, from a coroutine of another loop."""
        await asyncio.wrap_future(self._loop.start(self._cut()))

    def freeze(self) -> None:
        """Connections stand and new ones are taken, but nothing comes any more."""
        self._loop.loop.call_soon_threadsafe(self._flows.clear)

    def thaw(self) -> None:
        """What waited comes now."""
        self._loop.loop.call_soon_threadsafe(self._flows.set)

    def stop(self) -> None:
        self.thaw()
        self.cut()
        self._loop.stop()

    async def _mend(self) -> None:
        self._listener = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        assert self._listener is not None
        self._listener.close()
        for writer in list(self._carriers):
            writer.transport.abort()
        await asyncio.sleep(0.05)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_unix_connection(self._target)
        self._carriers |= {writer, there_writer}
        await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        self._carriers -= {writer, there_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while octets := await reader.read(65536):
                await self._flows.wait()
                writer.write(octets)
        writer.close()


class ScriptedRelay:
    """A relay that answers from a list, a list per connection, and then hangs up; an empty answer says nothing.

    The content of a message counts as one command; a chunk (RFC 3030) as part of its own.
    """

    def __init__(self, *connections: Sequence[str]) -> None:
        self._scripts = iter(connections)
        self._loop = Loop()
        self.heard: list[str] = []
        self.port = free_port()
        self.url = f"smtp://127.0.0.1:{self.port}"
        self._server = self._loop.run(asyncio.start_server(self._play, "127.0.0.1", self.port))

    def stop(self) -> None:
        self._loop.run(self._stop())
        self._loop.stop()

    async def _stop(self) -> None:
        self._server.close()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = b"\r\n"
        try:
            for number, answer in enumerate(next(self._scripts, ["421 4.3.2 no more"])):
                if number:
                    self.heard.append((await reader.readuntil(end)).decode().removesuffix("\r\n"))
                    end = b"\r\n.\r\n" if self.heard[-1] == "DATA" else b"\r\n"
                    if self.heard[-1].startswith("BDAT "):
                        self.heard.append((await reader.readexactly(int(self.heard[-1].split()[1]))).decode())
                writer.write(answer.replace("\n", "\r\n").encode() + b"\r\n" if answer else b"")
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def wait_for(condition: Callable[[], bool], seconds: float = 180) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
