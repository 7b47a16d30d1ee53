"""LMTP as its server speaks it (RFC 2033), sans I/O: bytes go in, replies and messages come out.

`Session.feed` takes what the client sent and returns a `Step`: bytes to send back, perhaps a `Delivery` to be
decided, perhaps the end. While a delivery is being decided nothing more is read: `Session.answer` goes on with
what the client had already pipelined (RFC 2920).

Of a message only what a decision needs is kept: the header block and the first part of the body. The rest is
counted and dropped, so a session's memory is bounded whatever arrives.
"""

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

MAX_HEADER_OCTETS = 1024 * 1024  # of a longer header block the rest is dropped
MAX_BODY_OCTETS = 256 * 1024
MAX_LINE_OCTETS = 2048  # RFC 5321 §4.5.3.1.4 asks for 512 in a command; parameters and UTF-8 paths lengthen it
MAX_RECIPIENTS = 100  # RFC 5321 §4.5.3.1.8
MAX_ERRORS = 20

_END_OF_DATA = b"\r\n.\r\n"
_END_OF_HEADER = re.compile(rb"\n\r?\n")
# A path in angle brackets. In a quoted string anything may stand (RFC 5321 §4.1.2); a source route is dropped
# (§4.1.1.3).
_PATH = re.compile(r'\s*<(?:@[^:<>"]*:)?(?P<path>(?:"(?:\\.|[^"\\])*"|[^<>"])*)>(?P<parameters>(?:\s.*)?)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply code (RFC 5321 §4.2), an enhanced status code (RFC 3463) and words for people."""

    code: int
    status: str
    text: str

    def __bytes__(self) -> bytes:
        return f"{self.code} {self.status} {self.text}\r\n".encode("ascii", "replace")


class Envelope(NamedTuple):
    """What MAIL and RCPT said. The null reverse-path is an empty string."""

    reverse_path: str
    forward_paths: tuple[str, ...] = ()
    is_smtputf8: bool = False


class Delivery(NamedTuple):
    """A message that has arrived: what was kept of it, and how many octets it had."""

    envelope: Envelope
    content: bytes
    size: int


class Step(NamedTuple):
    """What to do next: send the output; decide the delivery and `answer` it; or, when it is over, close.

    `expected` is the envelope of a message whose content comes next.
    """

    output: bytes
    delivery: Delivery | None = None
    is_over: bool = False
    expected: Envelope | None = None


class _State(enum.Enum):
    COMMANDS = enum.auto()
    DATA = enum.auto()
    DECIDING = enum.auto()  # a delivery is out, its replies are awaited
    OVER = enum.auto()


class _Refusal(Exception):
    """A command that is answered with an error; `reply` is what to say."""

    def __init__(self, code: int, status: str, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(code, status, text)


class _Content:
    """Collects a message's content: finds its end, undoes dot-stuffing (RFC 5321 §4.5.2), keeps the beginning.

    Only CRLF.CRLF is the end. A bare LF is content like any other octet: who takes LF.LF for an end lets a
    stranger smuggle a second message.
    """

    def __init__(self) -> None:
        # The 354 ended a line: the very first octets may already be the final dot. `content` leaves this CRLF out.
        self._withheld = b"\r\n"
        self._kept = bytearray()
        self._limit = MAX_HEADER_OCTETS
        self._is_header = True
        self._octets = 0

    @property
    def content(self) -> bytes:
        return bytes(self._kept[2:])

    @property
    def size(self) -> int:
        return max(0, self._octets - 2)

    def feed(self, octets: bytes) -> bytes | None:
        """Take more octets; None while the end has not come, else what follows it."""
        if self._withheld:
            octets = self._withheld + octets
        end = octets.find(_END_OF_DATA)
        if end >= 0:
            self._take(octets, end + 2)
            return octets[end + len(_END_OF_DATA) :]
        # What may be the beginning of the end waits; so no dot is ever cut from the CRLF before it.
        waits = next((n for n in range(len(_END_OF_DATA) - 1, 0, -1) if octets.endswith(_END_OF_DATA[:n])), 0)
        self._withheld = octets[len(octets) - waits :]
        self._take(octets, len(octets) - waits)
        return None

    def _take(self, octets: bytes, until: int) -> None:
        self._octets += until
        before = len(self._kept)
        if before >= self._limit:  # of a large message most is not even copied
            return
        self._kept += octets[:until].replace(b"\r\n.", b"\r\n")
        if self._is_header and (end := _END_OF_HEADER.search(self._kept, max(0, before - 2))):
            self._is_header = False
            self._limit = min(end.end(), MAX_HEADER_OCTETS) + MAX_BODY_OCTETS
        del self._kept[self._limit :]


class Session:
    """One client's connection. Feed it and do what the steps say."""

    def __init__(self, hostname: str, *, max_size: int) -> None:
        self._hostname = hostname
        self._max_size = max_size
        self._state = _State.COMMANDS
        self._buffer = bytearray()
        self._skips_line = False  # the rest of a line that was too long
        self._is_greeted = False
        self._errors = 0
        self._envelope: Envelope | None = None
        self._content = _Content()

    @property
    def greeting(self) -> bytes:
        return f"220 {self._hostname} LMTP Webmail Panel\r\n".encode("ascii", "replace")

    @property
    def is_receiving(self) -> bool:
        """Whether a message is on its way or being decided: a bad moment to hang up."""
        return self._state in {_State.DATA, _State.DECIDING}

    @property
    def is_deciding(self) -> bool:
        return self._state is _State.DECIDING

    def feed(self, octets: bytes) -> Step:
        """Take what the client sent."""
        if self._state is _State.DATA and not self._buffer:  # most of all that comes: not copied first
            return self._take_content(octets) or Step(b"")
        self._buffer += octets
        return Step(b"") if self._state is _State.DECIDING else self._go_on(bytearray())

    def answer(self, replies: Sequence[Reply]) -> Step:
        """Answer the delivery, one reply per accepted recipient in their order (RFC 2033 §4.2)."""
        self._state, self._envelope = _State.COMMANDS, None
        return self._go_on(bytearray(b"".join(map(bytes, replies))))

    def hang_up(self, status: str, text: str) -> Step:
        """Say 421 and end."""
        self._state = _State.OVER
        return Step(bytes(Reply(421, status, text)), is_over=True)

    def _go_on(self, output: bytearray) -> Step:
        while self._buffer and self._state is not _State.OVER:
            if self._state is _State.DATA:
                octets, self._buffer = bytes(self._buffer), bytearray()
                if step := self._take_content(octets, bytes(output)):
                    return step
            elif (line := self._next_line()) is None:
                break
            else:
                output += self._command(line)
        expected = self._envelope if self._state is _State.DATA else None
        return Step(bytes(output), is_over=self._state is _State.OVER, expected=expected)

    def _take_content(self, octets: bytes, output: bytes = b"") -> Step | None:
        """A step where the content ends in these octets; what follows waits in the buffer."""
        rest = self._content.feed(octets)
        if rest is None:
            return None
        self._buffer += rest
        return Step(output, self._delivery())

    def _delivery(self) -> Delivery:
        self._state = _State.DECIDING
        content, self._content = self._content, _Content()
        assert self._envelope is not None  # noqa: S101 (DATA is refused without one)
        return Delivery(self._envelope, content.content, content.size)

    def _next_line(self) -> bytes | None:
        """The next command line without its end; None while it is incomplete. b"" stands for one too long."""
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > MAX_LINE_OCTETS:
                self._buffer, self._skips_line = bytearray(), True
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if self._skips_line or len(line) > MAX_LINE_OCTETS:
            self._skips_line = False
            return b""
        return line.removesuffix(b"\r") or b" "

    def _command(self, line: bytes) -> bytes:
        verb, _space, argument = line.decode("utf-8", "replace").partition(" ")
        command = self._COMMANDS.get(verb.strip().upper(), Session._unknown) if line else Session._too_long
        try:
            return command(self, argument.strip())
        except _Refusal as refusal:
            return self._refuse(refusal.reply)

    def _refuse(self, reply: Reply) -> bytes:
        self._errors += 1
        if self._errors < MAX_ERRORS:
            return bytes(reply)
        return bytes(reply) + self.hang_up("4.7.0", "Too many errors").output

    def _lhlo(self, argument: str) -> bytes:
        if not argument:
            raise _Refusal(501, "5.5.4", "LHLO takes the client's name")
        self._is_greeted, self._envelope = True, None
        names = [self._hostname, "PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", f"SIZE {self._max_size}"]
        lines = [f"250-{name}\r\n" for name in names[:-1]] + [f"250 {names[-1]}\r\n"]
        return "".join(lines).encode("ascii", "replace")

    def _mail(self, argument: str) -> bytes:
        if not self._is_greeted:
            raise _Refusal(503, "5.5.1", "LHLO first")
        if self._envelope is not None:
            raise _Refusal(503, "5.5.1", "One sender at a time")
        path, parameters = _path(argument, "FROM:", "5.1.7")
        is_smtputf8 = False
        for name, value in parameters:
            is_smtputf8 = self._mail_parameter(name, value) or is_smtputf8
        self._envelope = Envelope(path, is_smtputf8=is_smtputf8)
        return b"250 2.1.0 Sender ok\r\n"

    def _mail_parameter(self, name: str, value: str) -> bool:
        """Check a parameter of MAIL; whether it is SMTPUTF8 (RFC 6531 §3.4)."""
        match name:
            case "SIZE" if value.isascii() and value.isdigit() and len(value) <= 20:
                if int(value) > self._max_size:
                    raise _Refusal(552, "5.3.4", "The message is too big")  # RFC 1870 §6.1
            case "BODY" if value.upper() in {"7BIT", "8BITMIME"}:
                pass
            case "SMTPUTF8" if not value:
                return True
            case "SIZE" | "BODY" | "SMTPUTF8":
                raise _Refusal(501, "5.5.4", f"Bad value of {name}")
            case _:
                raise _Refusal(555, "5.5.4", "Unknown parameter")
        return False

    def _rcpt(self, argument: str) -> bytes:
        if self._envelope is None:
            raise _Refusal(503, "5.5.1", "MAIL first")
        path, parameters = _path(argument, "TO:", "5.1.3")
        if not path:
            raise _Refusal(501, "5.1.3", "A recipient is an address")
        if parameters:
            raise _Refusal(555, "5.5.4", "Unknown parameter")
        before = self._envelope
        if len(before.forward_paths) >= MAX_RECIPIENTS:
            # Not counted as an error: the client comes again with the rest (RFC 5321 §4.5.3.1.10).
            return b"452 4.5.3 Too many recipients\r\n"
        self._envelope = Envelope(before.reverse_path, (*before.forward_paths, path), before.is_smtputf8)
        return b"250 2.1.5 Recipient ok\r\n"

    def _data(self, argument: str) -> bytes:
        if argument:
            raise _Refusal(501, "5.5.4", "DATA takes no argument")
        if self._envelope is None:
            raise _Refusal(503, "5.5.1", "MAIL first")
        if not self._envelope.forward_paths:
            raise _Refusal(503, "5.5.1", "No valid recipients")  # RFC 2033 §4.2
        self._state = _State.DATA
        return b"354 Go ahead; end with a dot on a line of its own\r\n"

    def _rset(self, argument: str) -> bytes:
        self._envelope = None
        return b"250 2.0.0 Forgotten\r\n"

    def _noop(self, argument: str) -> bytes:
        return b"250 2.0.0 Still here\r\n"

    def _vrfy(self, argument: str) -> bytes:
        return b"252 2.5.0 Send it and see\r\n"

    def _quit(self, argument: str) -> bytes:
        self._state = _State.OVER
        return b"221 2.0.0 Bye\r\n"

    def _hello_of_smtp(self, argument: str) -> bytes:
        raise _Refusal(500, "5.5.1", "This is LMTP: begin with LHLO")  # RFC 2033 §4.1

    def _unknown(self, argument: str) -> bytes:
        raise _Refusal(500, "5.5.1", "Unknown command")

    def _too_long(self, argument: str) -> bytes:
        raise _Refusal(500, "5.5.2", "The line is too long")

    _COMMANDS: ClassVar[dict[str, Callable[["Session", str], bytes]]] = {
        "LHLO": _lhlo, "MAIL": _mail, "RCPT": _rcpt, "DATA": _data, "RSET": _rset, "NOOP": _noop, "VRFY": _vrfy,
        "QUIT": _quit, "HELO": _hello_of_smtp, "EHLO": _hello_of_smtp,
    }  # fmt: skip


def _path(argument: str, keyword: str, status: str) -> tuple[str, list[tuple[str, str]]]:
    """The path and the parameters of MAIL or RCPT (RFC 5321 §4.1.2). Raises _Refusal."""
    match = _PATH.fullmatch(argument[len(keyword) :])
    if match is None or argument[: len(keyword)].upper() != keyword:
        raise _Refusal(501, status, f"Write {keyword}<address>")
    path, written = match.groups()
    if not written:
        return path, []
    parameters = (parameter.partition("=") for parameter in written.split())
    return path, [(name.upper(), value) for name, _equals, value in parameters]
