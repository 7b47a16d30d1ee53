"""The sender's mail server: takes every reply as fast as it can, looks at it and counts it.

    python -m bench.sink PORT

XCOUNT answers how many came, how many of them were no automatic reply with the null reverse-path, and for how many
different recipients they were. On the same port, over UDP, it is a name server for which every domain takes mail.
"""

import asyncio
import signal
import socket
import sys
from typing import Any

import dns.message
import dns.rrset
import uvloop

_OK, _GO, _KEPT, _BYE = b"250 ok\r\n", b"354 go\r\n", b"250 kept\r\n", b"221 bye\r\n"
_HELLO = (
    b"250-sink\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-SIZE 100000000\r\n250-DSN\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
)


class Counts:
    """What came since the sink began."""

    def __init__(self) -> None:
        self.replies = self.wrong = 0
        self.recipients: set[bytes] = set()

    def line(self) -> bytes:
        return f"250 {self.replies} {self.wrong} {len(self.recipients)}\r\n".encode()


class _Client(asyncio.Protocol):
    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.buffer, self.is_content = b"", False
        self.chunks, self.chunk_size, self.is_last = b"", 0, False  # RFC 3030
        self.mail = self.rcpt = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        answers = []
        while True:
            if self.chunk_size:
                if len(self.buffer) < self.chunk_size:
                    break
                answers.append(self._chunk())
                continue
            line, end, rest = self.buffer.partition(b"\r\n.\r\n" if self.is_content else b"\r\n")
            if not end:
                break
            self.buffer = rest
            answers.append(self._keep(line) if self.is_content else self._command(line))
        if answers:
            self.transport.write(b"".join(answers))
        if answers[-1:] == [_BYE]:
            self.transport.close()

    def _chunk(self) -> bytes:
        self.chunks += self.buffer[: self.chunk_size]
        self.buffer, self.chunk_size = self.buffer[self.chunk_size :], 0
        return self._chunks_end() if self.is_last else _OK

    def _chunks_end(self) -> bytes:
        content, self.chunks = self.chunks, b""
        return self._keep(content)

    def _keep(self, content: bytes) -> bytes:
        self.is_content = False
        self.counts.replies += 1
        self.counts.recipients.add(self.rcpt)
        is_right = self.mail.startswith(b"MAIL FROM:<>") and b"\nAuto-Submitted: auto-replied" in content
        self.counts.wrong += not is_right
        return _KEPT

    def _command(self, line: bytes) -> bytes:
        if line.startswith(b"MAIL"):
            self.mail = line
        elif line.startswith(b"RCPT"):
            self.rcpt = line.partition(b">")[0]
        elif line.startswith(b"BDAT "):
            size, _space, last = line[5:].partition(b" ")
            self.chunk_size, self.is_last = int(size), last == b"LAST"
            if self.chunk_size:
                return b""
            return self._chunks_end() if self.is_last else _OK
        elif line == b"DATA":
            self.is_content = True
            return _GO
        elif line.startswith((b"EHLO", b"LHLO")):
            return _HELLO
        elif line == b"QUIT":
            return _BYE
        elif line == b"XCOUNT":
            return self.counts.line()
        return _OK


class _Names(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        asked = dns.message.from_wire(data)
        answer = dns.message.make_response(asked, recursion_available=True)
        answer.answer.append(dns.rrset.from_text(asked.question[0].name, 300, "IN", "MX", "10 mx.sender.example."))
        self.transport.sendto(answer.to_wire(), addr)


def counted(port: int) -> tuple[int, int, int]:
    """What the sink at the port says to XCOUNT."""
    with socket.create_connection(("127.0.0.1", port)) as sink, sink.makefile("rb") as answers:
        answers.readline()
        sink.sendall(b"XCOUNT\r\n")
        _code, replies, wrong, recipients = answers.readline().split()
        sink.sendall(b"QUIT\r\n")
    return int(replies), int(wrong), int(recipients)


async def _run(port: int) -> None:
    stop, counts = asyncio.Event(), Counts()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await asyncio.get_running_loop().create_datagram_endpoint(_Names, ("127.0.0.1", port))
    server = await asyncio.get_running_loop().create_server(lambda: _Client(counts), "127.0.0.1", port)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    uvloop.run(_run(int(sys.argv[1])))
