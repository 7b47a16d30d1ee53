"""What the panel knows about one person, and how it forgets it (GDPR articles 15 and 17).

A person is an address: somebody who wrote to a mailbox here, and maybe somebody who signs in. The mailboxes of an
owner are the customer's business, not this module's: they are deleted or given to another owner.
"""

from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import CharField, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from mailboxes import addresses
from mailboxes.log import Actor, By, as_by
from mailboxes.models import LogLine, Mailbox, User
from responders.models import (
    Decision,
    Draft,
    NumberedCase,
    PreviousResponse,
    QuarantinedMessage,
    Refusal,
    Responder,
    ResponderEvent,
    StaffNote,
)

FORGOTTEN = ""
_NOBODYS = Concat(Value("forgotten "), Cast("pk", CharField()))  # in place of a Message-ID, and unique as it was


def export(address: str) -> dict[str, Any]:
    """Everything kept about the address, table by table, ready for JSON. Raises AddressError."""
    plain = addresses.normalise(address)
    found: dict[str, Any] = {"address": plain, "account": _account(plain)}
    return found | {name: list(rows.values(*columns)) for name, rows, columns in _as_sender(plain)}


def erase(address: str, *, actor: Actor) -> dict[str, int]:
    """Forget the person as a sender and as somebody who did things; how many rows of each kind.

    What counts how often a mailbox answered stays, without the person; the log tells that somebody was forgotten, and
    by whom, not who it was. Raises AddressError.
    """
    plain = addresses.normalise(address)
    with transaction.atomic():
        return {
            "decisions": _of_sender(Decision, plain).update(
                reverse_path=FORGOTTEN, message_id=FORGOTTEN, evidence=FORGOTTEN
            ),
            "cases": _of_sender(NumberedCase, plain).update(
                reverse_path=FORGOTTEN, reverse_path_key=FORGOTTEN, subject=FORGOTTEN, opened_by=_NOBODYS
            ),
            "previous_responses": _remembered(plain).delete()[0],
            "refusals": Refusal.objects.filter(address=plain).delete()[0],
            "quarantine": _of_sender(QuarantinedMessage, plain).delete()[0],
            "deputies": Responder.objects.filter(deputy_address=plain, is_enabled=False).update(
                deputy_address=FORGOTTEN, deputy_name=FORGOTTEN, deputy_gets_copy=False
            ),
            "drafts": Draft.objects.filter(user__email=plain).delete()[0],
            "history": _forget_in_history(plain, as_by(actor)),
        }


def _account(plain: str) -> dict[str, Any] | None:
    user = User.objects.filter(email=plain).first()
    if user is None:
        return None
    columns = ["email", "name", "language", "is_active", "date_joined", "last_login"]
    return {name: getattr(user, name) for name in columns} | {
        "mailboxes": list(Mailbox.objects.filter(owner=user).values("address", "name", "language", "time_zone")),
        "linked": list(user.links.values("mailbox__address", "made_at", "place", "ended_at")),
        "linked_by_others": list(user.links_to_theirs.values("mailbox__address", "user__email", "made_at", "ended_at")),
        "looks_after": list(user.delegations.values("mailbox__address", "created_at")),
        "responders": list(Responder.objects.filter(mailbox__owner=user).values("subject", "text_body", "created_at")),
        "drafts": list(user.drafts.values("began_at", "changed_at", "mailbox__address", "typed")),
        "notes": list(StaffNote.objects.filter(mailbox__owner=user).values("at", "text", "mailbox__address")),
        "did": list(_history(plain).values("at", "kind", "address", "place", "way", "reason", "changes")),
        "log": list(LogLine.objects.filter(actor=user).values("at", "model", "name", "words", "place", "way")),
    }


def _as_sender(plain: str) -> Iterator[tuple[str, QuerySet[Any], list[str]]]:
    yield (
        "decisions",
        _of_sender(Decision, plain),
        ["decided_at", "reverse_path", "forward_path", "reason", "message_id"],
    )
    yield "cases", _of_sender(NumberedCase, plain), ["opened_at", "number", "reverse_path", "subject"]
    yield "previous_responses", _remembered(plain), ["claimed_at", "reverse_path_key", "responder__mailbox__address"]
    yield "refusals", Refusal.objects.filter(address=plain), ["address", "refused_at", "words"]
    yield "quarantine", _of_sender(QuarantinedMessage, plain), ["received_at", "reverse_path", "forward_path"]
    yield "deputies", Responder.objects.filter(deputy_address=plain), ["mailbox__address", "deputy_name", "subject"]


def _of_sender(model: type[Any], plain: str) -> QuerySet[Any]:
    """Rows whose reverse-path is the address, as most write it; the index finds them."""
    local_part, domain = addresses.split(plain)
    spellings = {plain, f"{local_part}@{addresses.display_domain(domain)}"}
    found: QuerySet[Any] = model.objects.filter(reverse_path__in=spellings)
    return found


def _remembered(plain: str) -> QuerySet[PreviousResponse]:
    return PreviousResponse.objects.of_senders([addresses.memory_key(plain)])


def _history(plain: str) -> QuerySet[ResponderEvent]:
    return ResponderEvent.objects.filter(Q(actor__email=plain))


def _forget_in_history(plain: str, by: By) -> int:
    """Who and from where; what was done stays. The database does it, and writes down that it did."""
    person = User.objects.filter(email=plain).values_list("pk", flat=True).first()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT panel_forget_in_history(%s, %s, %s, %s, %s)",
            [person, plain, by.user.pk if by.user else None, by.place, by.way],
        )
        return int(cursor.fetchone()[0])
