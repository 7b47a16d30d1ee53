"""Values to decide on, as tests of the core need them."""

from datetime import UTC, datetime
from typing import Any

from responders.core.facts import MailboxFacts, ResponderFacts
from responders.core.message import Message, read_message
from responders.core.schedule import Window

NOW = datetime(2026, 12, 28, 12, 0, tzinfo=UTC)
SENDER = "jan@example.com"
LETTER = (
    b"From: Jan Kowalski <jan@example.com>\r\nTo: anna@firma.example\r\nSubject: Oferta\r\n"
    b"Message-ID: <1@example.com>\r\n"
)


def responder(**changes: Any) -> ResponderFacts:
    """A responder that is on, without dates."""
    values: dict[str, Any] = {
        "id": 1,
        "mailbox_id": 1,
        "type": "absence",
        "is_enabled": True,
        "window": Window(),
        "time_zone": "Europe/Warsaw",
        "from_date": None,
        "to_date": None,
        "subject": "Auto: {{ subject }}",
        "text_body": "Nie ma mnie.",
        "html_body": "",
        "text_revision": 1,
        "activation": 1,
        "interval_days": 7,
    }
    return ResponderFacts(**(values | changes))


def mailbox(*responders: ResponderFacts, **changes: Any) -> MailboxFacts:
    """anna@firma.example, also reached as biuro@firma.example."""
    values: dict[str, Any] = {
        "id": 1,
        "address": "anna@firma.example",
        "name": "Anna Nowak",
        "language": "pl",
        "time_zone": "Europe/Warsaw",
        "own_addresses": frozenset(["anna@firma.example", "biuro@firma.example"]),
        "responders": responders or (responder(),),
    }
    return MailboxFacts(**(values | changes))


def message(*fields: str | bytes, sender: str = SENDER, letter: bytes = LETTER) -> Message:
    """A person's message with these fields on top."""
    lines = [field if isinstance(field, bytes) else field.encode() for field in fields]
    return read_message(b"".join(line + b"\r\n" for line in lines) + letter + b"\r\nDzie\xc5\x84 dobry\r\n", sender)
