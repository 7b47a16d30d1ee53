"""What senders would read, before anything is saved: the same rendering that the hook does."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailboxes.models import Mailbox
from responders.core import cases, matching, rendering, reply, schedule
from responders.core.facts import MailboxFacts, Text
from responders.core.message import Message, read_message
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


@dataclass(frozen=True)
class _Sample:
    """What one text of a responder becomes for a sender whom it is meant for."""

    text: Text
    mailbox: MailboxFacts
    message: Message
    rendered: rendering.Rendered
    author: str


def previews(mailbox: Mailbox, row: Responder, now: datetime, own: Iterable[str] | None = None) -> list[Preview]:
    """One for each text that the responder (stored or not) holds, with the dates filled in.

    `own`: the mailbox's own addresses where they are known already.
    """
    samples = list(_samples(mailbox, row, now, own))
    return [
        Preview(
            _title(each.text, alone=len(samples) == 1), f"{mailbox.name} <{each.author}>".strip(),
            each.message.reverse_path, each.rendered.subject, each.rendered.text_body, each.rendered.html_body,
        )
        for each in samples
    ]  # fmt: skip


def letters(mailbox: Mailbox, row: Responder, recipient: str, now: datetime) -> list[bytes]:
    """The same as whole messages to `recipient`, as the hook would send them."""
    return [
        reply.compose(
            each.rendered, each.mailbox, replace(each.message, reverse_path=recipient),
            now=now, hostname=settings.MAIL_HOSTNAME, from_address=each.author,
        ).content
        for each in _samples(mailbox, row, now)
    ]  # fmt: skip


def _samples(mailbox: Mailbox, row: Responder, now: datetime, own: Iterable[str] | None = None) -> Iterator[_Sample]:
    responder, facts = row.facts, mailbox_facts(mailbox, own=own, rows=[row])
    number = ""
    if responder.gives_case_numbers:
        number = cases.number(cases.number_head(responder, schedule.to_local(now, facts.time_zone).date()), 1)
    written_to = next(iter(row.addresses), mailbox.address)
    for text in all_texts(as_input(row)):
        sender = f"jan.kowalski@{mailbox.domain_id}" if text.for_colleagues else SENDER
        with override(text.language or mailbox.language):
            message = read_message(_sample(sender, written_to, text), sender)
        rendered = rendering.render(responder, facts, message, number)
        author = matching.answering_address(message, facts, responder, "+", written_to)
        yield _Sample(text, facts, message, rendered, author)


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
