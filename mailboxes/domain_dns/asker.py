"""Asks the DNS, with patience that ends. The only place here that talks to the outside world."""

import threading
import time

import dns.exception
import dns.flags
import dns.inet
import dns.name
import dns.nameserver
import dns.rdata
import dns.rdtypes.txtbase
import dns.resolver

from mailboxes.domain_dns.records import Answer, Ask

PATIENCE = 4.0  # seconds for one question, all attempts together
DOMAIN_PATIENCE = 20.0  # seconds for everything about one domain
MAX_QUESTIONS = 120  # about one domain: an SPF record may lead to a hundred others
MAX_VALUES = 100  # of one answer that are read
MAX_OCTETS = 4_096  # of one value that are read
NO_TIME = "no time left"


def asker(server: str = "", *, patience: float | None = None) -> Ask:
    """Asks `server` (ADDRESS:PORT; empty: those of this machine) about one domain. Raises ValueError.

    Once the patience for the domain (seconds; else DOMAIN_PATIENCE) is used up, or one question too many was asked,
    nothing more is known.
    """
    resolver = _resolver(server)
    ends = time.monotonic() + (DOMAIN_PATIENCE if patience is None else patience)
    lock, left = threading.Lock(), [MAX_QUESTIONS]

    def ask(name: str, kind: str) -> Answer:
        with lock:
            left[0] -= 1
        seconds = min(PATIENCE, ends - time.monotonic())
        if seconds <= 0 or left[0] < 0:
            return Answer(trouble=NO_TIME)
        return _ask(resolver, name, kind, seconds)

    return ask


def _resolver(server: str) -> dns.resolver.Resolver:
    if server:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [_name_server(server)]
    else:
        try:
            resolver = dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            resolver = dns.resolver.Resolver(configure=False)
            resolver.nameservers = ["127.0.0.1"]  # resolv.conf(5)
    resolver.timeout = PATIENCE / 2
    resolver.cache = None
    return resolver


def _name_server(text: str) -> dns.nameserver.Do53Nameserver:
    address, _colon, port = text.rpartition(":")
    host = address.removeprefix("[").removesuffix("]")
    if not dns.inet.is_address(host) or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text} is not ADDRESS:PORT")
    return dns.nameserver.Do53Nameserver(host, int(port))


def _ask(resolver: dns.resolver.Resolver, name: str, kind: str, seconds: float) -> Answer:
    try:
        answer = resolver.resolve(
            dns.name.from_text(name), kind, search=False, raise_on_no_answer=False, lifetime=seconds
        )
    except dns.resolver.NXDOMAIN:
        return Answer()
    except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong, dns.name.BadEscape, UnicodeError):
        return Answer()  # no such name can be in the DNS
    except (dns.exception.DNSException, OSError, ValueError) as trouble:
        return Answer(trouble=type(trouble).__name__)
    return Answer(tuple(sorted(_text(value)[:MAX_OCTETS] for value in list(answer.rrset or ())[:MAX_VALUES])))


def _text(value: dns.rdata.Rdata) -> str:
    """A record's value as records.Answer wants it; octets that are no ASCII are written as \\xNN."""
    if isinstance(value, dns.rdtypes.txtbase.TXTBase):
        return b"".join(value.strings).decode("ascii", "backslashreplace").replace("\0", "\\x00")
    return value.to_text().removesuffix(".").lower()
