"""What senders would read, before anything is saved: the same rendering that the hook does."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import override

from mailboxes.models import Mailbox
from responders.core import cases, matching, rendering, schedule
from responders.core.facts import Text
from responders.core.message import read_message
from responders.explanation import mailbox_facts
from responders.models import Responder
from responders.sentences import language_name
from responders.validation import all_texts, as_input

SENDER = "jan.kowalski@example.com"


@dataclass(frozen=True)
class Preview:
    """A reply as one kind of sender reads it."""

    title: str
    author: str
    recipient: str
    subject: str
    text_body: str
    html_body: str


def previews(mailbox: Mailbox, row: Responder, now: datetime) -> list[Preview]:
    """One for each text that the responder (stored or not) holds, with the dates filled in."""
    return list(_previews(mailbox, row, now))


def _previews(mailbox: Mailbox, row: Responder, now: datetime) -> Iterator[Preview]:
    responder = row.facts
    facts = replace(mailbox_facts(mailbox), responders=(responder,))
    number = ""
    if responder.gives_case_numbers:
        number = cases.number(cases.number_head(responder, schedule.to_local(now, facts.time_zone).date()), 1)
    written_to = next(iter(row.addresses), mailbox.address)
    texts = all_texts(as_input(row))
    for text in texts:
        sender = f"jan.kowalski@{mailbox.domain_id}" if text.for_colleagues else SENDER
        with override(text.language or mailbox.language):
            message = read_message(_sample(sender, written_to, text), sender)
        rendered = rendering.render(responder, facts, message, number)
        author = matching.answering_address(message, facts, responder, "+", written_to)
        yield Preview(
            _title(text, alone=len(texts) == 1), f"{mailbox.name} <{author}>".strip(), sender, rendered.subject,
            rendered.text_body, rendered.html_body,
        )  # fmt: skip


def _sample(sender: str, recipient: str, text: Text) -> bytes:
    fields = {
        "From": f"Jan Kowalski <{sender}>", "To": recipient, "Subject": _("A question about the offer"),
        "Accept-Language": text.language,
    }  # fmt: skip
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()


def _title(text: Text, *, alone: bool) -> str:
    name = language_name(text.language) if text.language else ""
    if text.for_colleagues:
        return _("%(language)s, for colleagues") % {"language": name}
    return "" if alone else name
