"""Who may send mail of a domain, as its SPF record says (RFC 7208). Pure: the DNS is asked by whoever calls.

Macros are not expanded: a term with one is taken to match nobody, which is said (`has_macros`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from mailboxes.domain_dns.records import Ask, known

MAX_LOOK_UPS = 10  # §4.6.4
MAX_VOID = 2  # §4.6.4
MAX_OF_MX = 10  # §4.6.4
MAX_TERMS = 200  # ours: no honest record has more
VERSION = "v=spf1"
QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE | re.ASCII)
TERM = re.compile(
    r"([+?~-]?)([a-z][a-z0-9_.-]*)(?::([^/\s]*))?((?:/[0-9]{1,3})?(?://[0-9]{1,3})?)", re.IGNORECASE | re.ASCII
)
MECHANISMS = {"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"}

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


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
class Term:
    """One mechanism: whom it matches. `included`: the record that it leads to."""

    result: str
    is_all: bool = False
    networks: tuple[Network, ...] = ()
    included: "Policy | None" = None


@dataclass(frozen=True)
class Policy:
    """A record with everything that it leads to."""

    terms: tuple[Term, ...]
    redirect: "Policy | None" = None
    has_macros: bool = False

    def result(self, address: Address) -> str:
        """pass, fail, softfail or neutral for mail that comes from there (§2.6, §4.7)."""
        for term in self.terms:
            if _matches(term, address):
                return term.result
        return self.redirect.result(address) if self.redirect else "neutral"


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
    terms, redirect, macros = [], None, False
    for word in words:
        if word.is_modifier:
            if word.name == "redirect" and not has_all:  # §6.1: ignored beside "all"
                redirect = _lead_to(word, reading)
        elif "%" in word.value or word.name in {"ptr", "exists"}:
            reading.count(word.text)
            macros = True
        else:
            terms.append(_term(word, domain, reading))
    inner = [term.included for term in terms if term.included] + ([redirect] if redirect else [])
    return Policy(tuple(terms), redirect, macros or any(policy.has_macros for policy in inner))


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


def _term(word: _Word, domain: str, reading: _Reading) -> Term:
    result = QUALIFIERS[word.qualifier or "+"]
    if word.name == "all":
        return Term(result, is_all=True)
    if word.name in {"ip4", "ip6"}:
        return Term(result, networks=(_network(word),))
    if word.name == "include":
        return Term(result, included=_lead_to(word, reading))
    reading.count(word.text)
    host = word.value or domain
    return Term(result, networks=_of_hosts([host] if word.name == "a" else _mx(host, reading), word, reading))


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


def _of_hosts(hosts: list[str], word: _Word, reading: _Reading) -> tuple[Network, ...]:
    first, _slashes, second = word.sizes.partition("//")
    lengths = {4: int(first.strip("/") or 32), 6: int(second or 128)}
    found: list[Network] = []
    for host in hosts:
        texts = reading.note(addresses_of(host, reading.ask), host)
        try:
            found += [ip_network(f"{text}/{lengths[ip_address(text).version]}", strict=False) for text in texts]
        except ValueError as error:
            raise SpfError(Reason.UNREADABLE, word.text) from error
    return tuple(found)


def addresses_of(host: str, ask: Ask) -> tuple[str, ...]:
    """IPv4 and IPv6 addresses of a host. Raises NotAnsweredError."""
    return known(ask(host, "A")) + known(ask(host, "AAAA"))


def _network(word: _Word) -> Network:
    try:
        network = ip_network(word.value, strict=False)
    except ValueError as error:
        raise SpfError(Reason.UNREADABLE, word.text) from error
    if network.version != int(word.name[2:]):
        raise SpfError(Reason.UNREADABLE, word.text)
    return network


def _matches(term: Term, address: Address) -> bool:
    if term.included is not None:
        return term.included.result(address) == "pass"  # §5.2
    return term.is_all or any(address.version == one.version and address in one for one in term.networks)


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
