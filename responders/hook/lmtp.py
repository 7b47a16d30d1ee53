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

MAX_HEADER_OCTETS = 1024 * 1024  # of a longer header block the rest is dropped
MAX_BODY_OCTETS = 256 * 1024
MAX_LINE_OCTETS = 2048  # commands; RFC 5321 §4.5.3.1.4 asks for 512, extensions and UTF-8 paths lengthen it
MAX_RECIPIENTS = 100  # RFC 5321 §4.5.3.1.8
MAX_ERRORS = 20

_END_OF_DATA = b"\r\n.\r\n"
_BLANK_LINE = re.compile(rb"\n\r?\n|\A\r?\n")
_ARGUMENT = re.compile(r"(?P<keyword>FROM|TO):\s*(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
# A path in angle brackets; inside a quoted string anything may stand (RFC 5321 §4.1.2). A source route is dropped (§4.1.1.3).
_PATH = re.compile(r'<(?:@[^:<>"]*:)?(?P<mailbox>(?:"(?:\\.|[^"\\])*"|[^<>"])*)>(?P<parameters>(?: .*)?)', re.DOTALL)
_SIZE = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply code (RFC 5321 §4.2), an enhanced status code (RFC 3463) and words for people."""

    code: int
    status: str
    text: str

    def __bytes__(self) -> bytes:
        return f"{self.code} {self.status} {self.text}\r\n".encode("ascii", "replace")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What MAIL and RCPT said. The null reverse-path is an empty string."""

    reverse_path: str
    forward_paths: tuple[str, ...] = ()
    is_smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that has arrived: what was kept of it, and how many octets it had."""

    envelope: Envelope
    content: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: send the output; decide the delivery and `answer`; or, when it is over, close."""

    output: bytes
    delivery: Delivery | None = None
    is_over: bool = False


class _State(enum.Enum):
    COMMANDS = enum.auto()
    DATA = enum.auto()
    DECIDING = enum.auto()  # a delivery is out, its replies are awaited
    OVER = enum.auto()


class _Content:
    """Collects a message's content: finds its end, undoes dot-stuffing (RFC 5321 §4.5.2), keeps the beginning.

    Only CRLF.CRLF is the end. A bare LF is content like any other octet: taking LF.LF for an end is what
    lets a stranger smuggle a second message.
    """

    def __init__(self) -> None:
        self.kept = bytearray()
        self.size = 0
        self._limit = MAX_HEADER_OCTETS
        self._in_header = True
        # The line before the first one ended too: a message may begin with the final dot. Not part of the content.
        self._withheld = b"\r\n"
        self._not_ours = 2

    def feed(self, octets: bytes) -> bytes | None:
        """Take more octets; None while the end has not come, else what follows it."""
        octets = self._withheld + octets
        end = octets.find(_END_OF_DATA)
        if end >= 0:
            self._take(octets[: end + 2])
            return octets[end + len(_END_OF_DATA) :]
        may_be_end = next((n for n in range(4, 0, -1) if octets.endswith(_END_OF_DATA[:n])), 0)
        self._withheld = octets[len(octets) - may_be_end :]
        self._take(octets[: len(octets) - may_be_end])
        return None

    def _take(self, octets: bytes) -> None:
        if not octets:
            return
        if self._not_ours:
            # The withheld CRLF always comes out whole, in front: what begins with it is the first line.
            octets = octets[1:] if octets.startswith(b"\r\n.") else octets
            octets, self._not_ours = octets[2:] if octets[:2] == b"\r\n" else octets[1:], 0
        room = self._limit - len(self.kept)
        self.size += len(octets)
        if room <= 0:
            return
        before = len(self.kept)
        # Three octets to a dot that is undone: slack, so that a long piece is not unstuffed for nothing.
        self.kept += octets[: room * 2].replace(b"\r\n.", b"\r\n")
        if self._in_header:
            self._look_for_body(before)
        del self.kept[self._limit :]

    def _look_for_body(self, before: int) -> None:
        if blank := _BLANK_LINE.search(self.kept, max(0, before - 2)):
            self._in_header = False
            self._limit = min(blank.end(), MAX_HEADER_OCTETS) + MAX_BODY_OCTETS
