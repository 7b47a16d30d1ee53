"""Records as they are asked for and as they are published. Pure: whoever asks is handed in."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

MAX_STRING = 255  # octets of one string of a TXT record (RFC 1035 §3.3.14)


@dataclass(frozen=True)
class Answer:
    """What the DNS says to one question; TXT without quotes, names in lower case and without a final dot.

    No values: there is no such record. `trouble`: it could not be asked, and nothing is known.
    """

    values: tuple[str, ...] = ()
    trouble: str = ""


Ask = Callable[[str, str], Answer]
"""Name and type of record → what the DNS says."""


@dataclass(frozen=True)
class Page:
    """What a web server answers to GET; `trouble` is why it gave no answer, one of the words below."""

    status: int = 0
    content_type: str = ""
    text: str = ""
    trouble: str = ""


PRIVATE, CERTIFICATE, AWAY = "private", "certificate", "away"
Fetch = Callable[[str, tuple[str, ...]], Page]
"""Host name and its addresses → what its policy file is, over HTTPS."""


class NotAnsweredError(Exception):
    """The DNS gave no answer, so nothing can be said."""


def known(answer: Answer) -> tuple[str, ...]:
    """The values of an answer. Raises NotAnsweredError."""
    if answer.trouble:
        raise NotAnsweredError(answer.trouble)
    return answer.values


class State(StrEnum):
    """How a record is; UNKNOWN: it could not be asked."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Record:
    """A record to publish. The value is in zone-file form; that of a TXT record is the plain text."""

    name: str
    type: str
    value: str

    @property
    def zone_value(self) -> str:
        """As it stands in a zone file: a long text in several strings (RFC 7208 §3.3, RFC 6376 §3.6.2.2)."""
        if self.type != "TXT":
            return self.value
        pieces = [self.value[start : start + MAX_STRING] for start in range(0, len(self.value), MAX_STRING)]
        escaped = [piece.replace("\\", "\\\\").replace('"', '\\"') for piece in pieces or [""]]
        return " ".join(f'"{piece}"' for piece in escaped)

    @property
    def zone_line(self) -> str:
        """The whole line of a zone file."""
        return f"{self.name}. 3600 IN {self.type} {self.zone_value}"


@dataclass(frozen=True)
class Finding:
    """One thing that must be there: how it is and why that is said, what was found, what to publish."""

    item: str
    state: State
    reason: str
    found: tuple[str, ...] = ()
    publish: tuple[Record, ...] = ()

    @property
    def kind(self) -> str:
        """The item without what it is about: of `dkim:wp202611` it is `dkim`."""
        return self.item.partition(":")[0]


def tags(text: str) -> dict[str, str] | None:
    """A list of tag=value with semicolons between (RFC 6376 §3.2); None where it is none, or a tag stands twice."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not equals or not name or name in found:
            return None
        found[name] = value.strip()
    return found
