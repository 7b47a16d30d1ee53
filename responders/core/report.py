"""Delivery reports about our own replies (RFC 3464): which addresses refused them for good."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message as Part
from itertools import islice

from mailboxes.addresses import normal_form_or_none

MAX_PARTS = 20
MAX_RECIPIENTS = 100
MAX_WORDS = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """A recipient that refused a message for good.

    `address` is in normal form; `words` are the status (RFC 3463) and what the refusing server said;
    `envelope_id` is what the sender of the message called it (RFC 3461 §4.4), empty where it said nothing.
    """

    address: str
    words: str
    envelope_id: str


# A status with UTF-8 in it (RFC 6533 §4): the standard library takes it for a message and does not read its blocks.
_GLOBAL = re.compile(rb"^(content-type:[ \t]*message/)global-(delivery-status)", re.IGNORECASE | re.MULTILINE)


def failures(content: bytes) -> list[Failure]:
    """The permanent failures that a delivery report tells of; none where it is no report. Never raises."""
    try:
        report = message_from_bytes(_GLOBAL.sub(rb"\1\2", content))
        return list(islice(_failures(report), MAX_RECIPIENTS))
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError, AssertionError):
        return []


def _failures(report: Part) -> Iterator[Failure]:
    for part in islice(report.walk(), MAX_PARTS):
        if part.get_content_type() == "message/delivery-status":
            blocks = part.get_payload()
            if isinstance(blocks, list) and blocks:
                about, *recipients = blocks
                envelope_id = _field(about, "Original-Envelope-Id")
                yield from (found for block in recipients if (found := _failure(block, envelope_id)))


def _failure(block: object, envelope_id: str) -> Failure | None:
    """RFC 3464 §2.3: what happened to one recipient. One that expired in the queue has a 4 in its status."""
    status = _field(block, "Status").partition(" ")[0]
    if _field(block, "Action").lower() != "failed" or not status.startswith("5."):
        return None
    _address_type, _semicolon, written = _field(block, "Final-Recipient").partition(";")
    address = normal_form_or_none(written.strip())
    if address is None:
        return None
    _code_type, _semicolon, said = _field(block, "Diagnostic-Code").partition(";")
    words = " ".join(said.split()) or status
    return Failure(address, words[:MAX_WORDS], envelope_id)


def _field(block: object, name: str) -> str:
    """The field as it stands, in UTF-8 where it is not ASCII (RFC 6533 §3)."""
    fields = block.raw_items() if isinstance(block, Part) else ()
    value = next((str(value) for found, value in fields if found.lower() == name.lower()), "")
    return " ".join(value.encode("ascii", "surrogateescape").decode("utf-8", "replace").split())
