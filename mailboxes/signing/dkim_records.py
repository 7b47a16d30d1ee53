"""Records of DKIM keys: as they are written into a zone, and whether the DNS has them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

from django.conf import settings

from mailboxes.domain_dns.asker import asker
from mailboxes.domain_dns.records import Record
from mailboxes.models import DkimKey
from mailboxes.signing import dkim

TOGETHER = 5.0  # seconds
THREADS = 16  # a domain has a handful of keys


class State(StrEnum):
    """What the DNS says of a record."""

    SEEN = "seen"
    MISSING = "missing"
    DIFFERENT = "different"  # another key, several records, or nothing that can be read
    UNKNOWN = "unknown"  # it could not be asked


def zone_line(name: str, value: str) -> str:
    """The record as a line of a zone file; a long text in several strings (RFC 6376 §3.6.2.2)."""
    return Record(name, "TXT", value).zone_line


def look(key: DkimKey) -> State:
    """Ask the DNS for the record of the key."""
    return look_for_all([key])[0]


def look_for_all(keys: Sequence[DkimKey]) -> list[State]:
    """Ask the DNS for the records of keys, all at once: somebody waits for the page, but TOGETHER seconds at most."""
    ask = asker(settings.DNS_SERVER, patience=TOGETHER)

    def look_for(record: tuple[str, str]) -> State:
        name, value = record
        answer = ask(name, "TXT")
        return State.UNKNOWN if answer.trouble else state_of(answer.values, value)

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(look_for, [dkim.record_of(key) for key in keys]))


def state_of(texts: Sequence[str], wanted: str) -> State:
    """What records of that name are, compared with the one to publish. Of several none counts (RFC 6376 §3.6.2.2)."""
    if not texts:
        return State.MISSING
    is_same = len(texts) == 1 and _key_of(texts[0]) == _key_of(wanted)
    return State.SEEN if is_same else State.DIFFERENT


def _key_of(record: str) -> tuple[str, str, str]:
    """Version, kind and key, without the white space that tags may have (RFC 6376 §3.2, §3.6.1)."""
    tags = {
        name.strip(): "".join(value.split()) for name, _is, value in (tag.partition("=") for tag in record.split(";"))
    }
    return tags.get("v", "DKIM1"), tags.get("k", "rsa"), tags.get("p", "")
