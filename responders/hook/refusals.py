"""Learning who refuses our replies, from what Postfix reports about them (`2bounce`), and from nobody else.

A reply has the null reverse-path, so its failure is told to Postfix's own postmaster alone: deploy/postfix/main.cf
sends that here. Anybody may make Postfix report a failure of a message of his own. So each reply is called by a name
(ENVID, RFC 3461 §4.4) that only we can make and that holds for its recipient alone; the report repeats it.
"""

import hmac
from collections.abc import Collection

from responders.core.report import Failure, failures

REPORTS = "2bounce"  # local part, in the copies' domain: no copy is called so, for those have an equals sign


def is_for_reports(recipient: str, autoreply_domain: str) -> bool:
    """Whether the recipient is the one to which Postfix reports."""
    return recipient.lower() == f"{REPORTS}@{autoreply_domain}"


def envelope_id(key: bytes, address: str) -> str:
    """What a reply to the address (in normal form) is called."""
    return hmac.digest(key, b"envelope-id:" + address.encode("utf-8", "replace"), "sha256").hex()[:40]


def proven_failures(content: bytes, keys: Collection[bytes]) -> list[Failure]:
    """The permanent failures of our own replies that a report tells of; any of the keys may have named them."""
    return [found for found in failures(content) if any(_is_named_by(key, found) for key in keys)]


def _is_named_by(key: bytes, found: Failure) -> bool:
    return hmac.compare_digest(found.envelope_id.encode(), envelope_id(key, found.address).encode())
