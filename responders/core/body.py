"""The words of a message's body, for the conditions that ask for them: read late, and never more than a little."""

import html
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message as Part

import nh3

MAX_OCTETS = 64_000  # of the message, header block aside
MAX_CHARACTERS = 32_000
MAX_PARTS = 50


def body_text(content: bytes) -> str:
    """What a reader would see of a message's text parts, attachments left out. Never raises.

    `content` is the message, maybe cut off; a structure deeper than any mail program makes is read as it stands.
    """
    kept = content[: _end_of_header(content) + MAX_OCTETS]
    try:
        return "\n".join(_texts(message_from_bytes(kept)))[:MAX_CHARACTERS]
    except (RecursionError, ValueError, LookupError, AssertionError, IndexError):
        return kept[_end_of_header(content) :].decode("utf-8", "replace")[:MAX_CHARACTERS]


def _end_of_header(content: bytes) -> int:
    ends = [content.find(mark) for mark in (b"\r\n\r\n", b"\n\n")]
    return min((end for end in ends if end >= 0), default=len(content))


def _texts(message: Part) -> Iterator[str]:
    """Of each text the plain form, or the HTML one where there is no plain one before it."""
    had_plain = False
    for count, part in enumerate(message.walk()):
        if count >= MAX_PARTS:
            return
        kind = part.get_content_type()
        if kind not in {"text/plain", "text/html"} or part.get_content_disposition() == "attachment":
            continue
        text = _decoded(part)
        if kind == "text/plain":
            had_plain = True
            yield text
        elif not had_plain:
            yield html.unescape(nh3.clean(text, tags=set()))


def _decoded(part: Part) -> str:
    octets = part.get_payload(decode=True)
    if not isinstance(octets, bytes):
        return ""
    try:
        return octets.decode(part.get_content_charset() or "utf-8", "replace")
    except (LookupError, ValueError):
        return octets.decode("utf-8", "replace")
