"""What is wrong with a domain's SPF record, whoever sends (RFC 7208). Pure: the DNS is asked by whoever calls.

Whether a given server may send, `spf_result` says: it evaluates as receivers do, macros and all, and stops where it
knows. Here everything is read, what receivers meet today and what they would meet tomorrow. Names with macros are not:
they depend on who sends.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network

from mailboxes.domain_dns.records import Ask, known

MAX_LOOK_UPS = 10  # §4.6.4
MAX_VOID = 2  # §4.6.4
MAX_OF_MX = 10  # §4.6.4
MAX_TERMS = 200  # ours: no honest record has more
VERSION = "v=spf1"
QUALIFIERS = "+-~?"
OF_THE_WRITER = re.compile(r"%\{[ls]", re.IGNORECASE)  # macros whose value is another one for each mailbox (§7.2)
MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE | re.ASCII)
TERM = re.compile(
    r"([+?~-]?)([a-z][a-z0-9_.-]*)(?::([^/\s]*))?((?:/[0-9]{1,3})?(?://[0-9]{1,3})?)", re.IGNORECASE | re.ASCII
)
MECHANISMS = {"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"}


class Reason(StrEnum):
    """Why a record is worth nothing: a receiver that meets it gives up (permerror)."""

    NONE = "none"
    SEVERAL = "several"
    UNREADABLE = "unreadable"
    LOOP = "loop"
    LOOK_UPS = "look-ups"
    VOID = "void"
    INCLUDE = "include"


class SpfError(Exception):
    """A record that receivers give up on; `reason` and what shows it."""

    def __init__(self, reason: Reason, evidence: str = "") -> None:
        super().__init__(f"{reason} {evidence}")
        self.reason, self.evidence = reason, evidence


@dataclass(frozen=True)
class Policy:
    """What a record, with everything that it leads to, says of nobody in particular."""

    allows_everybody: bool = False
    depends_on_writer: bool = False


@dataclass
class _Reading:
    """One reading of a record: who is asked, what was counted, and the records that lead here."""

    ask: Ask
    above: list[str]
    look_ups: int = 0
    void: int = 0

    def count(self, word: str) -> None:
        """A term that makes receivers look something up."""
        self.look_ups += 1
        if self.look_ups > MAX_LOOK_UPS:
            raise SpfError(Reason.LOOK_UPS, word)

    def note(self, values: tuple[str, ...], name: str) -> tuple[str, ...]:
        """Counts answers without records."""
        self.void += not values
        if self.void > MAX_VOID:
            raise SpfError(Reason.VOID, name)
        return values


@dataclass(frozen=True)
class _Word:
    """A term as it is written (§4.6.1); `sizes` are /24//64."""

    text: str
    name: str
    value: str = ""
    qualifier: str = ""
    sizes: str = ""
    is_modifier: bool = False


def records_among(texts: Iterable[str]) -> list[str]:
    """Those TXT values that are SPF records (§4.5)."""
    return [text for text in texts if text.lower() == VERSION or text.lower().startswith(f"{VERSION} ")]


def read(text: str, domain: str, ask: Ask) -> Policy:
    """The record of the domain with all that it leads to. Raises SpfError, NotAnsweredError.

    Every look-up counts, also those that a receiver spares when something before matches.
    """
    return _read(text, domain, _Reading(ask, [domain]))


def _read(text: str, domain: str, reading: _Reading) -> Policy:
    words = [_parse(word) for word in _words(text)]
    has_all = any(word.name == "all" for word in words)
    inner = [_follow(word, domain, reading, has_all=has_all) for word in words]
    return Policy(
        any(word.name == "all" and word.qualifier in {"", "+"} for word in words),
        bool(OF_THE_WRITER.search(text)) or any(policy.depends_on_writer for policy in inner if policy),
    )


def _follow(word: _Word, domain: str, reading: _Reading, *, has_all: bool) -> Policy | None:
    """Look up what a term leads to; a record that it leads to is read as well. Raises SpfError."""
    if word.is_modifier and (word.name != "redirect" or has_all):  # §6.1: ignored beside "all"; others mean nothing
        return None
    if "%" in word.value or word.name in {"ptr", "exists"}:
        reading.count(word.text)
    elif word.name in {"include", "redirect"}:
        return _lead_to(word, reading)
    elif word.name in {"ip4", "ip6"}:
        _check_network(word)
    elif word.name in {"a", "mx"}:
        _look_up(word, word.value or domain, reading)
    return None


def _words(text: str) -> list[str]:
    words = text.split()[1:]
    if len(words) > MAX_TERMS:
        raise SpfError(Reason.UNREADABLE, f"{len(words)} terms")
    return words


def _parse(text: str) -> _Word:
    """Raises SpfError."""
    modifier = MODIFIER.fullmatch(text)
    if modifier:  # unknown ones are ignored (§6)
        return _Word(text, modifier[1].lower(), modifier[2], is_modifier=True)
    qualifier = text[0] if text[0] in QUALIFIERS else ""
    name, colon, value = text[len(qualifier) :].partition(":")
    if name.lower() in {"ip4", "ip6"}:
        return _Word(text, name.lower(), value, qualifier)
    found = TERM.fullmatch(text)
    if not found or found[2].lower() not in MECHANISMS:
        raise SpfError(Reason.UNREADABLE, text)
    if (found[2].lower() in {"include", "exists"} or colon) and not found[3]:
        raise SpfError(Reason.UNREADABLE, text)
    return _Word(text, found[2].lower(), found[3] or "", qualifier, found[4])


def _look_up(word: _Word, host: str, reading: _Reading) -> None:
    """The hosts of `a` and `mx` (§5.3, §5.4). Raises SpfError."""
    first, _slashes, second = word.sizes.partition("//")
    if int(first.strip("/") or 0) > 32 or int(second or 0) > 128:
        raise SpfError(Reason.UNREADABLE, word.text)
    reading.count(word.text)
    for name in [host] if word.name == "a" else _mx(host, reading):
        reading.note(addresses_of(name, reading.ask), name)


def _lead_to(word: _Word, reading: _Reading) -> Policy:
    """The record that an include or redirect leads to; none there is a permerror (§5.2, §6.1)."""
    name = word.value.lower().rstrip(".")
    if name in reading.above:
        raise SpfError(Reason.LOOP, name)
    reading.count(word.text)
    found = records_among(reading.note(known(reading.ask(name, "TXT")), name))
    if len(found) != 1:
        raise SpfError(Reason.INCLUDE, name)
    reading.above.append(name)
    policy = _read(found[0], name, reading)
    reading.above.pop()
    return policy


def _mx(name: str, reading: _Reading) -> list[str]:
    hosts = [value.partition(" ")[2] for value in reading.note(known(reading.ask(name, "MX")), name)]
    if len(hosts) > MAX_OF_MX:
        raise SpfError(Reason.LOOK_UPS, f"mx:{name}")
    return [host for host in hosts if host]


def addresses_of(host: str, ask: Ask) -> tuple[str, ...]:
    """IPv4 and IPv6 addresses of a host. Raises NotAnsweredError."""
    return known(ask(host, "A")) + known(ask(host, "AAAA"))


def _check_network(word: _Word) -> None:
    """Raises SpfError."""
    try:
        network = ip_network(word.value, strict=False)
    except ValueError as error:
        raise SpfError(Reason.UNREADABLE, word.text) from error
    if network.version != int(word.name[2:]):
        raise SpfError(Reason.UNREADABLE, word.text)


def _is_readable(word: str) -> bool:
    try:
        _parse(word)
    except SpfError:
        return False
    return True


def with_terms(texts: list[str], ours: list[str]) -> str:
    """One record that says what the present ones say, and lets us send as well."""
    words = [word for text in texts for word in text.split()[1:] if _is_readable(word)]
    ends = [word for word in words if word.lstrip("+?~-").lower() == "all"]
    kept = [word for word in dict.fromkeys(words) if word not in ends and word not in ours]
    has_redirect = any(word.lower().startswith("redirect=") for word in kept)
    end = [word for word in ends if word[0] in "?~-"][:1] or ([] if has_redirect else ["~all"])
    return " ".join([VERSION, *ours, *kept, *end])
