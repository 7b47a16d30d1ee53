"""What a client sends before it has its answer: taken in order, never more at a time than is needed, nothing lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from responders.hook.ahead import NOTHING, Ahead
from responders.hook.lmtp import Delivery, Envelope, Reply
from responders.hook.server import Limits, Server
from tests.lmtp.parts import in_a_loop

ENVELOPE = b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@firma.example>\r\nDATA\r\n"
ENVELOPE_REPLIES = [
    "250 2.1.0 Sender ok",
    "250 2.1.5 Recipient ok",
    "354 Go ahead; end with a dot on a line of its own",
]
MOST_WAITING = 600 * 1024  # two reads of 256 KB
Scene = Callable[["Desk"], Coroutine[Any, Any, None]]


class Desk:
    """Decides when it is told to, and counts."""

    def __init__(self) -> None:
        self.may_decide = asyncio.Event()
        self.decided: list[str] = []
        self.most_waiting = 0
        self.server = Server(self.expect, self.receive, "panel.example", Limits(drain_seconds=2))

    def expect(self, envelope: Envelope) -> Ahead:
        return NOTHING

    async def receive(self, delivery: Delivery, ahead: Ahead) -> list[Reply]:
        await self.may_decide.wait()
        for client in self.server.clients:
            self.most_waiting = max(self.most_waiting, len(client._session._buffer))
        await asyncio.sleep(0)
        subject = delivery.content.split(b"\r\n")[0].decode()
        self.decided.append(subject)
        return [Reply(250, "2.0.0", subject)]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Greeted and introduced."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.ports[0])
        writer.write(b"LHLO x\r\n")
        while not (await reader.readline()).startswith(b"250 "):
            pass
        try:
            yield reader, writer
        finally:
            writer.close()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Callable[[Scene], None]:
    async def at_a_desk(scene: Scene) -> None:
        async with asyncio.timeout(120):
            desk = Desk()
            await desk.server.listen("127.0.0.1:0")
            try:
                await scene(desk)
                assert await came_true(lambda: not desk.server.clients)
            finally:
                desk.may_decide.set()
                await desk.server.drain()

    return lambda scene: in_a_loop(request.param, at_a_desk(scene))


async def came_true(condition: Callable[[], bool]) -> bool:
    for _time in range(10_000):
        if condition():
            return True
        await asyncio.sleep(0.005)
    return False


def content(number: int, size: int = 0) -> bytes:
    return f"Subject: {number}\r\n\r\n".encode() + b"x" * size + b"\r\n.\r\n"


async def replies(reader: asyncio.StreamReader, count: int) -> list[str]:
    return [(await reader.readline()).decode().rstrip("\r\n") for _number in range(count)]


def test_many_messages_at_once_are_taken_one_after_the_other(play: Callable[[Scene], None]) -> None:
    count, size = 600, 20_000

    async def scene(desk: Desk) -> None:
        async with desk.client() as (reader, writer):
            for number in range(count):
                writer.write(ENVELOPE + content(number, size))
            sending = asyncio.create_task(writer.drain())
            await asyncio.sleep(0.2)
            assert not sending.done()  # twelve megabytes: nobody takes them before the first is decided
            desk.may_decide.set()
            for number in range(count):
                assert await replies(reader, 4) == [*ENVELOPE_REPLIES, f"250 2.0.0 Subject: {number}"]
            await sending
            assert 0 < desk.most_waiting < MOST_WAITING

    play(scene)


def test_who_has_said_all_gets_the_replies_and_is_hung_up_on(play: Callable[[Scene], None]) -> None:
    async def scene(desk: Desk) -> None:
        for early, late in ((1, 0), (2, 0), (1, 2)):
            desk.may_decide.clear()
            async with desk.client() as (reader, writer):
                for number in range(early):
                    writer.write(ENVELOPE + content(number))
                await came_true(lambda: bool(desk.server.decisions))
                await asyncio.sleep(0.05)
                for number in range(early, early + late):
                    writer.write(ENVELOPE + content(number))
                writer.write_eof()
                await asyncio.sleep(0.05)
                desk.may_decide.set()
                for number in range(early + late):
                    assert await replies(reader, 4) == [*ENVELOPE_REPLIES, f"250 2.0.0 Subject: {number}"]
                assert await reader.read() == b""

    play(scene)


def test_who_goes_before_the_decision_does_not_undo_it(play: Callable[[Scene], None]) -> None:
    async def scene(desk: Desk) -> None:
        for number in range(2):
            async with desk.client() as (_reader, writer):
                writer.write(ENVELOPE + content(number))
                assert await came_true(lambda: bool(desk.server.decisions))
                if number:
                    writer.transport.abort()
        desk.may_decide.set()
        assert await came_true(lambda: not desk.server.decisions)
        assert sorted(desk.decided) == ["Subject: 0", "Subject: 1"]

    play(scene)


def test_who_goes_in_the_middle_of_a_message_leaves_nothing(play: Callable[[Scene], None]) -> None:
    async def scene(desk: Desk) -> None:
        desk.may_decide.set()
        for early in (b"", b"MAIL FROM:<a@x.example>\r\n", ENVELOPE, ENVELOPE + b"Subject: half"):
            async with desk.client() as (reader, writer):
                writer.write(early)
                writer.write_eof()
                assert b"Decided" not in await reader.read()
        assert desk.decided == []

    play(scene)
