"""Records of DKIM keys: as they are written into a zone, and whether the DNS has them."""

from enum import StrEnum

import dns.exception
import dns.inet
import dns.nameserver
import dns.resolver
from django.conf import settings

from mailboxes import dkim
from mailboxes.models import DkimKey

PATIENCE = 3.0  # seconds for one question, all attempts together
MAX_STRING = 255  # octets of one string of a TXT record (RFC 1035 §3.3.14)
TTL = 3600


class State(StrEnum):
    """What the DNS says of a record."""

    SEEN = "seen"
    MISSING = "missing"
    DIFFERENT = "different"  # another key, several records, or nothing that can be read
    UNKNOWN = "unknown"  # it could not be asked


def zone_line(name: str, value: str) -> str:
    """The record as a line of a zone file; a long text in several strings (RFC 6376 §3.6.2.2)."""
    pieces = [value[start : start + MAX_STRING] for start in range(0, len(value), MAX_STRING)]
    return f"{name}. {TTL} IN TXT " + " ".join(f'"{piece}"' for piece in pieces)


def look(key: DkimKey) -> State:
    """Ask the DNS for the record of the key."""
    name, value = dkim.record_of(key)
    try:
        answer = _resolver().resolve(f"{name}.", "TXT", search=False, raise_on_no_answer=False, lifetime=PATIENCE)
    except dns.resolver.NXDOMAIN:
        return State.MISSING
    except (dns.exception.DNSException, OSError, ValueError):
        return State.UNKNOWN
    return state_of([b"".join(record.strings) for record in answer.rrset or ()], value)


def state_of(texts: list[bytes], wanted: str) -> State:
    """What records of that name are, compared with the one to publish. Of several none counts (RFC 6376 §3.6.2.2)."""
    if not texts:
        return State.MISSING
    is_same = len(texts) == 1 and _key_of(texts[0].decode("ascii", "replace")) == _key_of(wanted)
    return State.SEEN if is_same else State.DIFFERENT


def _key_of(record: str) -> tuple[str, str, str]:
    """Version, kind and key, without the white space that tags may have (RFC 6376 §3.2, §3.6.1)."""
    tags = {
        name.strip(): "".join(value.split()) for name, _is, value in (tag.partition("=") for tag in record.split(";"))
    }
    return tags.get("v", "DKIM1"), tags.get("k", "rsa"), tags.get("p", "")


def _resolver() -> dns.resolver.Resolver:
    server = settings.DNS_SERVER
    if not server:
        try:
            return dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            server = "127.0.0.1:53"  # resolv.conf(5)
    address, _colon, port = server.rpartition(":")
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [dns.nameserver.Do53Nameserver(address.removeprefix("[").removesuffix("]"), int(port))]
    return resolver
