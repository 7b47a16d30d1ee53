"""A relay that was restarted: the hook's kept connections to it are dead, and nothing is lost by that."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from responders.core.reply import Reply
from responders.hook.relay import Relay
from tests.lmtp.parts import in_a_loop

CONTENT = b"Subject: Auto\r\n\r\nNie ma mnie.\r\n"


class Restarted:
    """An SMTP server that hangs up after every message."""

    def __init__(self) -> None:
        self.taken = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 relay.example\r\n")
        while line := await reader.readline():
            if line.startswith(b"DATA"):
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                self.taken += 1
                writer.write(b"250 kept\r\n")
                break
            writer.write(b"250 ok\r\n")
        await writer.drain()
        writer.close()


def reply_to(sender: str) -> Reply:
    return Reply(forward_path=sender, content=CONTENT, message_id="<a@panel.example>", needs_smtputf8=False)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("seconds", [0, 0.1])
def test_the_next_reply_goes_over_a_new_connection(
    new_loop: Callable[[], asyncio.AbstractEventLoop], seconds: float
) -> None:
    """Whether its end was seen meanwhile or not."""

    async def scene() -> int:
        relay_server = Restarted()
        listener = await asyncio.start_server(relay_server.serve, "127.0.0.1", 0)
        relay = Relay(f"smtp://127.0.0.1:{listener.sockets[0].getsockname()[1]}", hostname="panel.example")
        async with asyncio.timeout(120):
            for number in range(3):
                await relay.submit(reply_to(f"jan{number}@nadawca.example"))
                await asyncio.sleep(seconds)
        await relay.close()
        listener.close()
        return relay_server.taken

    assert in_a_loop(new_loop, scene()) == 3
