"""Learning who refuses our replies, from reports about them, and from no other report.

A reply has the null reverse-path, so its failure is told to Postfix's own postmaster alone (`2bounce`):
deploy/postfix/main.cf sends that here. Anybody may make Postfix report a failure of a message of his own. So each reply
is called by a name (ENVID, RFC 3461 §4.4) that only we can make and that holds for its recipient alone; the report
repeats it.

Where a domain has it so, for relays that refuse the null reverse-path, a reply comes from bounces=NAME@domain instead,
of the same name. What is sent there comes here too (bounces.cf), whoever sends it; nothing of it is ever answered. It
has no + in it: Postfix would take it for a subaddress of a mailbox called bounces, and copy it to that one's responder.
"""

import hmac
import re
from collections.abc import Collection

from responders.core.report import Failure, failures

REPORTS = "2bounce"  # local part, in the copies' domain: no copy is called so, for those have an equals sign
_BOUNCE = re.compile(r"bounces=([0-9a-f]{40})@")


def is_for_reports(recipient: str, autoreply_domain: str) -> bool:
    """Whether the recipient is the one to which Postfix reports."""
    return recipient.lower() == f"{REPORTS}@{autoreply_domain}"


def bounce_address(key: bytes, address: str, domain: str) -> str:
    """The reverse-path, in the domain, of a reply to the address (in normal form)."""
    return f"bounces={envelope_id(key, address)}@{domain}"


def name_in_bounce_address(address: str) -> str:
    """The name of the reply that a report to the address is about; empty if it is no bounce address."""
    found = _BOUNCE.match(address)
    return found[1] if found else ""


def envelope_id(key: bytes, address: str) -> str:
    """What a reply to the address (in normal form) is called."""
    return hmac.digest(key, b"envelope-id:" + address.encode("utf-8", "replace"), "sha256").hex()[:40]


def proven_failures(content: bytes, keys: Collection[bytes], name: str = "") -> list[Failure]:
    """The permanent failures of our own replies that a report tells of; any of the keys may have named them.

    `name` is the one that the report was addressed to, if it was; else it is in the report.
    """
    return [found for found in failures(content) if any(_is_named_by(key, found, name) for key in keys)]


def _is_named_by(key: bytes, found: Failure, name: str) -> bool:
    return hmac.compare_digest((name or found.envelope_id).encode(), envelope_id(key, found.address).encode())
