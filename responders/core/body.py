"""The words of a message's body, for the conditions that ask for them: read late, and never more than a little."""

import html
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message as Part
from email.policy import Compat32

import nh3

from responders.core.charset import decode
from responders.core.message import header_block

MAX_OCTETS = 64_000  # of the message, header block aside
MAX_CHARACTERS = 32_000
MAX_PARTS = 50
MAX_MIME_FIELDS = 20
MAX_FIELD = 500  # characters: the parser takes time in the square of a field's parameters
_MIME_FIELD = re.compile(rb"^content-[^\r\n]{0,1000}(?:\r?\n[ \t][^\r\n]{0,1000}){0,5}", re.MULTILINE | re.IGNORECASE)


class _ShortFields(Compat32):
    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:MAX_FIELD]


_POLICY = _ShortFields()


def body_text(content: bytes) -> str:
    """What a reader would see of a message's text parts, attachments left out. Never raises.

    `content` is the message, maybe cut off; a structure deeper than any mail program makes is read as it stands.
    """
    end = len(header_block(content))
    body = content[end : end + MAX_OCTETS]
    head = b"\r\n".join(_MIME_FIELD.findall(content[:end])[:MAX_MIME_FIELDS])
    try:
        message = message_from_bytes(head + (body if head else b"\r\n" + body), policy=_POLICY)
        return "\n".join(_texts(message))[:MAX_CHARACTERS]
    except (RecursionError, ValueError, LookupError, AssertionError, IndexError):
        return body.decode("utf-8", "replace")[:MAX_CHARACTERS]


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
    return decode(octets, part.get_content_charset() or "") if isinstance(octets, bytes) else ""
