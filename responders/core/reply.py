"""The reply as an RFC 5322 message, put together from prepared pieces.

Written by hand because the standard library takes a hundred times as long and folds a long token into encoded
words longer than RFC 2047 allows; tests read every reply back with the standard library's strict parser.
"""

import base64
import binascii
import functools
import hashlib
import re
from datetime import datetime
from email.utils import format_datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mailboxes.addresses import normalise_domain, split
from responders.core.facts import MailboxFacts
from responders.core.message import Message
from responders.core.rendering import Rendered
from responders.core.rules import LOOP_MARK

MAX_LINE = 76
KEPT_REFERENCES = 20
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_TEXT_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_SPECIALS = re.compile(r'(["\\])')


class Reply(NamedTuple):
    """A message ready for the relay; `content` has CRLF line ends.

    The reverse-path is the null one (RFC 3834 §3.3), or an address that takes reports and answers none.
    """

    forward_path: str
    content: bytes
    message_id: str
    needs_smtputf8: bool
    reverse_path: str = ""


def compose(
    rendered: Rendered, mailbox: MailboxFacts, message: Message, *, now: datetime, hostname: str, from_address: str
) -> Reply:
    """The reply to `message`, to its reverse-path and never to its From field (RFC 3834 §4).

    `now` becomes the Date, shown in the mailbox's zone, and part of the Message-ID.
    """
    forward_path = _ascii_domain(message.reverse_path)
    message_id = _message_id(message, from_address, now, hostname)
    fields = [
        f"Date: {_date(now.replace(microsecond=0), mailbox.time_zone)}",
        f"From: {_mailbox(mailbox.name, from_address)}",
        f"To: <{forward_path}>",
        _fold("Subject", rendered.subject),
        f"Message-ID: {message_id}",
        *_threading(message),
        "Auto-Submitted: auto-replied",
        "X-Auto-Response-Suppress: All",
        "Precedence: bulk",
        f"X-Loop: {LOOP_MARK}",
        f"Content-Language: {rendered.language}",
        "MIME-Version: 1.0",
    ]
    head = "\r\n".join(fields).encode("utf-8")
    return Reply(
        forward_path=forward_path,
        content=head + b"\r\n" + _body(rendered, message_id),
        message_id=message_id,
        needs_smtputf8=not (forward_path.isascii() and from_address.isascii()),
    )


def encode_words(text: str, first_room: int = MAX_LINE) -> str:
    """Encoded words of at most 75 characters, never splitting a character (RFC 2047 §2 and §5)."""
    words: list[str] = []
    part = b""
    room = max(first_room - 12, 4) * 3 // 4
    for character in text:
        octets = character.encode("utf-8")
        if len(part) + len(octets) > min(room, 45):
            words.append(part.decode("utf-8"))
            part, room = b"", 45
        part += octets
    words.append(part.decode("utf-8"))
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word.encode()).decode('ascii')}?=" for word in words if word)


def _fold(name: str, text: str) -> str:
    """An unstructured field: plain where it fits in short lines, else in encoded words."""
    text = " ".join(_CONTROLS.sub(" ", text).split())
    longest = max((len(word) for word in text.split(" ")), default=0)
    if not text.isascii() or "=?" in text or longest > MAX_LINE - len(name) - 2:
        return f"{name}: {encode_words(text, MAX_LINE - len(name) - 2)}"
    lines, line = [], f"{name}:"
    for word in text.split(" "):
        if len(line) + 1 + len(word) > MAX_LINE:
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line])


@functools.lru_cache(maxsize=64)  # of all replies of a second, and a zone, it is the same
def _date(now: datetime, time_zone: str) -> str:
    return format_datetime(now.astimezone(ZoneInfo(time_zone)))


def _mailbox(name: str, address: str) -> str:
    name = " ".join(_CONTROLS.sub(" ", name).split())
    if not name:
        return f"<{address}>"
    if name.isascii() and "=?" not in name and len(name) < MAX_LINE - 10:
        escaped = _SPECIALS.sub(r"\\\1", name)
        return f'"{escaped}"\r\n <{address}>'
    return f"{encode_words(name, MAX_LINE - 6)}\r\n <{address}>"


def _threading(message: Message) -> list[str]:
    """In-Reply-To and References (RFC 5322 §3.6.4); of a long chain the first and the last."""
    parent = [message.message_id] if message.message_id and message.message_id.isascii() else []
    chain = [reference for reference in message.references if reference.isascii() and reference not in parent]
    chain += parent
    if len(chain) > KEPT_REFERENCES:
        chain = [chain[0], *chain[-KEPT_REFERENCES + 1 :]]
    named = {"In-Reply-To": parent, "References": chain}
    return [f"{name}: " + "\r\n ".join(ids) for name, ids in named.items() if ids]


def _message_id(message: Message, from_address: str, now: datetime, hostname: str) -> str:
    facts = "\0".join(
        [from_address, message.reverse_path, message.message_id or "", message.queue_id or "", message.subject]
    )
    digest = hashlib.sha256(f"{facts}\0{now.isoformat()}".encode("utf-8", "replace")).hexdigest()
    return f"<{digest[:32]}.auto@{hostname}>"


def _ascii_domain(address: str) -> str:
    """The domain as A-labels, the local part untouched: it belongs to the sender (RFC 5321 §2.4)."""
    local_part, domain = split(address)
    return f"{local_part}@{domain.rstrip('.') if domain.isascii() else normalise_domain(domain)}"


def _body(rendered: Rendered, message_id: str) -> bytes:
    plain = _part("plain", rendered.text_body)
    if not rendered.html_body:
        return plain
    boundary = f"=_{message_id[1:33]}".encode("ascii")
    return b"".join([
        b'Content-Type: multipart/alternative; boundary="', boundary, b'"\r\n\r\n',
        b"--", boundary, b"\r\n", plain, b"\r\n--", boundary, b"\r\n", _part("html", rendered.html_body),
        b"\r\n--", boundary, b"--\r\n",
    ])  # fmt: skip


def _part(subtype: str, text: str) -> bytes:
    text = _TEXT_CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).rstrip("\n") + "\n"
    octets = text.encode("utf-8")
    is_plain = octets.isascii() and max(map(len, octets.split(b"\n"))) <= MAX_LINE + 2
    encoded = octets if is_plain else binascii.b2a_qp(octets, istext=True)
    charset = b"us-ascii" if is_plain else b"utf-8"
    encoding = b"7bit" if is_plain else b"quoted-printable"
    return b"".join([
        b"Content-Type: text/", subtype.encode("ascii"), b"; charset=", charset, b"\r\n",
        b"Content-Transfer-Encoding: ", encoding, b"\r\n\r\n", encoded.replace(b"\n", b"\r\n"),
    ])  # fmt: skip
