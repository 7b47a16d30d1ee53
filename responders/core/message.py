"""Bytes become frozen facts, once. The only reader of header fields: nobody else touches them.

Assume every field missing, doubled, misencoded or hostile: `read_message` never raises, whatever the bytes.
"""

import binascii
import functools
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property

from mailboxes.addresses import normal_form_or_none
from responders.core.charset import decode, decode_undeclared

_FIELD = re.compile(rb"^([!-9;-~]{1,256})[ \t]*:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.MULTILINE)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
# The same where a line ends with LF and nothing else.
_FIELD_OF_TEXT = re.compile(r"^([!-9;-~]{1,256})[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_SPACES = re.compile(r"\s+")
_SLASH = re.compile(r"\s*/\s*")
# One that is never closed is matched too, to be left alone: looking for its end from every quote would take for ever.
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*+(?:"|(?P<unclosed>\\?\Z))', re.DOTALL)
_COMMENT = re.compile(r"\((?:\\.|[^()\\])*+\)", re.DOTALL)
_ANGLE = re.compile(r"<([^<>]*)>")
_MESSAGE_ID = re.compile(r"<[^\s<>()@\x00-\x1f\x7f]{1,250}@[^\s<>()@\x00-\x1f\x7f]{1,250}>")
# The last "by" is the server's own word; one before it may be what the client called itself.
_RECEIVED_BY = re.compile(r"(?:.*\s)?by\s+([^\s;()]+)(.*)", re.DOTALL)
_RECEIVED_ID = re.compile(r"\bid\s+<?([A-Za-z0-9._-]{1,100})")
_CHARSET = re.compile(rb"\bcharset[ \t]*=[ \t]*\"?([\w.:+-]{1,40})", re.IGNORECASE)
_PART_TYPE = re.compile(
    rb"^content-type[ \t]*:([^\r\n]{0,1000}(?:\r?\n[ \t][^\r\n]{0,1000}){0,5})", re.MULTILINE | re.IGNORECASE
)
# A Bcc that arrives names those who may see it (RFC 5322 §3.6.3).
RECIPIENT_FIELDS = ("To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc")
_RECIPIENT_NAMES = tuple(map(str.lower, RECIPIENT_FIELDS))
MAX_ADDRESSES = 10_000
MAX_INTERNATIONAL = 100  # addresses beyond ASCII: IDNA takes a tenth of a millisecond for each
MAX_SUBJECT = 2_000
MAX_REFERENCES = 1_000
MAX_ENCODED_CHARACTERS = 10_000
# As people's programs write them (RFC 2047 §2): with spaces inside, or with a language (RFC 2231 §5).
_ENCODED_WORD = re.compile(r"=\?([^?*]*)(?:\*[^?]*)?\?([bq])\?(.{0,2000}?)\?=", re.IGNORECASE)
_ENCODED_RUN = re.compile(rf"(?:{_ENCODED_WORD.pattern}\s*)*{_ENCODED_WORD.pattern}", re.IGNORECASE)


@dataclass(frozen=True)
class Message:
    """What a message says of itself. `reverse_path` is the envelope's, as received; "" is the null one.

    `fields`: lower-case name → unfolded values in the order they stand, without NUL and lone surrogates.
    `received_at` (UTC) and `queue_id` are of our own topmost Received field, None where there is none.
    `content`: what was read, header block and as much of the body as was kept.

    What most machine mail is not asked for is read when somebody asks; that never raises either.
    """

    reverse_path: str
    fields: Mapping[str, tuple[str, ...]]
    queue_id: str | None
    received_at: datetime | None
    content: bytes = field(default=b"", repr=False)

    def first(self, name: str) -> str | None:
        """The first field of that (lower-case) name."""
        values = self.fields.get(name)
        return values[0] if values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Every field of that (lower-case) name, in order."""
        return self.fields.get(name, ())

    @cached_property
    def addressed_to(self) -> tuple[str, ...]:
        """The addresses in To, Cc, Bcc and their Resent-…, in normal form, each once."""
        values = [value for name in _RECIPIENT_NAMES for value in self.all(name)]
        return tuple(dict.fromkeys(_addresses(*values)))

    @property
    def from_name(self) -> str:
        """The author's display name, empty where there is none."""
        return self._author[0]

    @property
    def from_address(self) -> str | None:
        """The author's address in normal form, None where there is none."""
        return self._author[1]

    @cached_property
    def _author(self) -> tuple[str, str | None]:
        return _author(self.first("from") or "")

    @cached_property
    def subject(self) -> str:
        """The Subject as people read it, empty where there is none."""
        return decode_text(self.first("subject") or "")[:MAX_SUBJECT]

    @cached_property
    def message_id(self) -> str | None:
        """The Message-ID with its angle brackets, None where there is none that is one."""
        return next(iter(_message_ids(self.first("message-id") or "")), None)

    @cached_property
    def references(self) -> tuple[str, ...]:
        """RFC 5322 §3.6.4: References, or In-Reply-To where that holds a single id."""
        found = _message_ids(" ".join(self.all("references")))
        if not found:
            found = _message_ids(self.first("in-reply-to") or "")
            found = found if len(found) == 1 else []
        return tuple(found[-MAX_REFERENCES:])

    @cached_property
    def content_type(self) -> str:
        """The Content-Type in lower case, without comments and the spaces around the slash (RFC 2045 §5.1)."""
        return _SLASH.sub("/", without_comments((self.first("content-type") or "")[:1_000])).strip().lower()


def read_message(content: bytes, reverse_path: str, *, received_by: Collection[str] = ()) -> Message:
    """The facts of a message; `content` is its header block, maybe with (part of) the body, maybe cut off.

    The topmost Received field counts as ours if its host after "by" is in `received_by`, or if that is empty.
    """
    fields = _fields(content)
    path = _clean(reverse_path).strip().removeprefix("<").removesuffix(">")
    return Message(path, fields, *_arrival(fields.get("received", ("",))[0], received_by), content)


def header_block(content: bytes) -> bytes:
    """The header fields without the empty line that ends them."""
    if content[:1] == b"\n" or content[:2] == b"\r\n":
        return b""
    end = content.find(b"\n\r\n")
    bare = content.find(b"\n\n", 0, end + 1 if end >= 0 else len(content))
    end = bare if bare >= 0 else end
    if end < 0:
        return content
    return content[: end - 1] if content[end - 1 : end] == b"\r" else content[:end]


def decode_text(value: str) -> str:
    """Unstructured text of a field: encoded words (RFC 2047) decoded, controls and line ends out, spaces single."""
    if "=?" in value:
        value = _decode_words(value[:MAX_ENCODED_CHARACTERS])
    return _SPACES.sub(" ", _CONTROLS.sub(" ", value)).strip()


def without_comments(value: str) -> str:
    """A structured field without its comments (RFC 5322 §3.2.2), those inside of others too, up to a depth."""
    for _depth in range(20):
        shorter = _COMMENT.sub(" ", value) if "(" in value else value
        if shorter == value:
            break
        value = shorter
    return value


def _fields(content: bytes) -> dict[str, tuple[str, ...]]:
    block = header_block(content)
    text = _plain_text(block)
    fields: dict[str, list[str]] = {}
    for name, value in _fields_with_care(block, content) if text is None else _fields_of_text(text):
        fields.setdefault(name.lower(), []).append(value)
    return {name: tuple(values) for name, values in fields.items()}


def _plain_text(block: bytes) -> str | None:
    """Nearly every header block: one with nothing to decode, its lines ended by LF. None for another."""
    if not block.isascii() or b"\0" in block or b"\x1b" in block:  # ESC begins what ISO-2022 writes in ASCII's octets
        return None
    text = block.decode("ascii").replace("\r\n", "\n")
    return None if "\r" in text else text


def _fields_of_text(text: str) -> list[tuple[str, str]]:
    return [(name, value.replace("\n", "").strip()) for name, value in _FIELD_OF_TEXT.findall(text)]


def _fields_with_care(block: bytes, content: bytes) -> list[tuple[str, str]]:
    found = _FIELD.findall(block)
    declared = "" if block.isascii() else _declared_charset(found, content[len(block) :])
    return [(name.decode("ascii"), _decode(value, declared)) for name, value in found]


def _declared_charset(found: list[tuple[bytes, bytes]], body: bytes) -> str:
    """The charset of the message's body, or of its first part that names one."""
    own = [value for name, value in found if name.lower() == b"content-type"][:1]
    for value in [*own, *_PART_TYPE.findall(body[:10_000])]:
        if charset := _CHARSET.search(value[:1_000]):
            return charset[1].decode("ascii")
    return ""


def _decode(value: bytes, declared: str) -> str:
    if b"\n" in value:
        value = _FOLD.sub(b"", value)
    return decode_undeclared(value.replace(b"\0", b""), declared).strip()


def _clean(text: str) -> str:
    return _CONTROLS.sub("", text)


def _decode_words(value: str) -> str:
    """RFC 2047 §6.2; what does not decode is shown as it stands.

    By hand: the standard library's `decode_header` raises for one broken word and garbles what stands between words.
    """
    return _ENCODED_RUN.sub(lambda run: _decode_run(run[0]), value)


def _decode_run(run: str) -> str:
    """Words with nothing but space between them: a character may begin in one and end in the next."""
    words = [(match[1].lower(), _word_octets(match)) for match in _ENCODED_WORD.finditer(run)]
    by_charset = itertools.groupby(words, key=lambda word: word[0])
    return "".join(decode(b"".join(octets for _, octets in group), charset) for charset, group in by_charset)


def _word_octets(word: re.Match[str]) -> bytes:
    text = word[3].encode("utf-8", "replace")
    if word[2] in "qQ":
        return binascii.a2b_qp(text, header=True)
    try:
        return binascii.a2b_base64(text + b"==")
    except binascii.Error:
        return word[0].encode("utf-8", "replace")


def _author(value: str) -> tuple[str, str | None]:
    """The display name and address of the first mailbox in a From field (RFC 5322 §3.6.2)."""
    found = _ANGLE.search(_without_quoted(value, lambda match: " " * len(match[0])))
    if found is None:
        return "", next(_addresses(value), None)
    name = decode_text(value[: found.start()].strip())[:MAX_SUBJECT]
    if name.startswith('"') and name.endswith('"') and len(name) > 1:
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return name.strip(" ,"), normal_form_or_none(found[1])


def _addresses(*values: str) -> Iterator[str]:
    """Normal forms of the addresses in lists (RFC 5322 §3.4), of those beyond ASCII the first ones."""
    international = 0
    for text in dict.fromkeys(itertools.islice(itertools.chain.from_iterable(map(_addr_specs, values)), MAX_ADDRESSES)):
        international += not text.isascii()
        if (text.isascii() or international <= MAX_INTERNATIONAL) and (address := normal_form_or_none(text)):
            yield address


def _addr_specs(value: str) -> Iterator[str]:
    """What stands for an address in a list, through groups, comments and quoted names."""
    if '"' in value:
        value = _without_quoted(
            value, lambda match: match[0].strip('"') if match.string[match.end() : match.end() + 1] == "@" else " "
        )
    if "(" in value:
        value = without_comments(value)
    for part in re.split(r"[,;]", value):
        angle = _ANGLE.findall(part)
        text = (angle[-1] if angle else part).rpartition(":")[2].strip()
        if "@" in text:
            yield text


def _without_quoted(value: str, instead: Callable[[re.Match[str]], str]) -> str:
    return _QUOTED.sub(lambda match: match[0] if match["unclosed"] is not None else instead(match), value)


def _message_ids(value: str) -> list[str]:
    return _MESSAGE_ID.findall(value)


def _arrival(received: str, received_by: Collection[str]) -> tuple[str | None, datetime | None]:
    trace, _semicolon, date = received.rpartition(";")
    by = _RECEIVED_BY.match(without_comments(trace or received))
    if by is None or (received_by and by[1].lower() not in received_by):
        return None, None
    queue_id = _RECEIVED_ID.search(by[2])
    return queue_id[1] if queue_id else None, _date(date)


@functools.lru_cache(maxsize=256)  # of all messages that came in one second it is the same
def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
