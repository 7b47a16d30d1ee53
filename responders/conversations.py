"""What is known of a conversation that has a case number, read through Django's models: changes nothing.

The hook asks the same of the database in `hook/ledger/numbering.py`, and alone gives numbers.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from responders.core import cases, schedule
from responders.core.facts import MailboxFacts, Previous, ResponderFacts
from responders.core.message import Message
from responders.models import CaseSeries, NumberedCase, PreviousResponse


@dataclass(frozen=True)
class Conversation:
    """The number (one that would be given now is `coming`), and what each numbering responder remembers."""

    number: str
    coming: str
    previous: dict[int, Previous]

    @property
    def shown(self) -> str:
        """The number a reply would name."""
        return self.number or self.coming


def conversation(facts: MailboxFacts, message: Message, sender_key: str, now: datetime) -> Conversation | None:
    """The conversation of a message; None where no responder of the mailbox gives numbers."""
    numbering = [row for row in facts.responders if row.gives_case_numbers]
    if not numbering:
        return None
    case = _case(facts.id, message, sender_key)
    since = now - timedelta(hours=cases.CASE_HOURS)
    lately = NumberedCase.objects.filter(mailbox=facts.id, reverse_path_key=sender_key, opened_at__gt=since).count()
    answered = _answered(numbering, cases.memory_key(sender_key, case.number)) if case else {}
    previous = {row.id: Previous(answered.get(row.id), lately) for row in numbering}
    return Conversation(case.number if case else "", _coming(facts, numbering[0], now), previous)


def _case(mailbox_id: int, message: Message, sender_key: str) -> NumberedCase | None:
    by_number = Q(number__in=cases.numbers_named(message)) & (
        Q(number__regex="[^0-9]") | Q(reverse_path_key=sender_key)
    )
    by_message = Q(messages__message_id__in=cases.messages_named(message))
    return NumberedCase.objects.filter(by_number | by_message, mailbox=mailbox_id).order_by("pk").first()


def _answered(rows: list[ResponderFacts], key: str) -> dict[int, datetime]:
    current = {row.id: (row.activation, row.text_revision) for row in rows}
    found = PreviousResponse.objects.filter(responder__in=current, reverse_path_key=key)
    return {
        row.responder_id: row.replied_at or row.claimed_at
        for row in found
        if current[row.responder_id] == (row.activation, row.text_revision)
    }


def _coming(facts: MailboxFacts, responder: ResponderFacts, now: datetime) -> str:
    head = cases.number_head(responder, schedule.to_local(now, facts.time_zone).date())
    last = CaseSeries.objects.filter(mailbox=facts.id, head=head).values_list("last", flat=True).first()
    return cases.number(head, (last or 0) + 1)
