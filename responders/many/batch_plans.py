"""What a change of many would do to one mailbox: decided here, shown in the preview, done in `batches`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailboxes import access, addresses
from mailboxes.models import Mailbox
from responders import services
from responders.core import schedule
from responders.core.schedule import State
from responders.models import Batch, BatchItem, Responder
from responders.validation import ResponderInput, ResponderInvalid, as_input, from_json, is_same_customer, tidy

Outcome = BatchItem.State


@dataclass(frozen=True)
class Plan:
    """What would happen to one mailbox, in the words of the preview."""

    state: BatchItem.State
    note: str = ""
    values: ResponderInput | None = None
    ends: tuple[Responder, ...] = ()
    successor: Mailbox | None = None


def managed_by(batch: Batch) -> QuerySet[Mailbox]:
    """The mailboxes that the batch's author may change."""
    return access.mailboxes_managed_by(batch.created_by) if batch.created_by else Mailbox.objects.none()


def with_everything(rows: QuerySet[Mailbox]) -> QuerySet[Mailbox]:
    return rows.select_related("domain", "owner").prefetch_related("responders")


def check(values: dict[str, Any], now: datetime) -> None:
    """Whether a responder could be made of the values at all. Raises ResponderInvalid."""
    mailbox = Mailbox(language=settings.DEFAULT_MAILBOX_LANGUAGE, time_zone=settings.DEFAULT_MAILBOX_TIME_ZONE)
    services.check(mailbox, _wanted(mailbox, values), now)


def plan_for(batch: Batch, mailbox: Mailbox | None, of_row: dict[str, Any], now: datetime) -> Plan:
    """What the batch would do to the mailbox now; changes nothing."""
    if mailbox is None:
        return Plan(Outcome.FAILED, _("There is no such mailbox, or it is not yours to change."))
    if problem := of_row.get("problem"):
        return Plan(Outcome.FAILED, str(problem))
    try:
        return _PLANS[Batch.Kind(batch.kind)](batch, mailbox, batch.values | of_row, now)
    except ResponderInvalid as invalid:
        return Plan(Outcome.FAILED, " ".join(str(text) for texts in invalid.errors.values() for text in texts))


def _plan_set(_batch: Batch, mailbox: Mailbox, values: dict[str, Any], now: datetime) -> Plan:
    wanted = _wanted(mailbox, values)
    services.check(mailbox, wanted, now)
    theirs = [row for row in mailbox.responders.all() if row.state_at(now) in {State.ACTIVE, State.SCHEDULED}]
    if any(_is_same(row, wanted) for row in theirs):
        return Plan(Outcome.SKIPPED, _("It has this autoresponder already."))
    if theirs and values.get("order") == "skip":
        words = _("It has an autoresponder of its own: “%(subject)s”.")
        return Plan(Outcome.SKIPPED, words % {"subject": theirs[0].title})
    return Plan(Outcome.WAITING, _place_of(len(theirs), values.get("order", "")), wanted)


def _place_of(number: int, order: str) -> str:
    if not number:
        return _("It gets this autoresponder.")
    before = ngettext(
        "It gets this one before %(number)d of its own.", "It gets this one before %(number)d of its own.", number
    )
    after = ngettext(
        "It gets this one after %(number)d of its own.", "It gets this one after %(number)d of its own.", number
    )
    return (before if order == "first" else after) % {"number": number}


def _plan_end(_batch: Batch, mailbox: Mailbox, values: dict[str, Any], now: datetime) -> Plan:
    states = {State.ACTIVE, State.SCHEDULED} if values["coming"] else {State.ACTIVE}
    ends = tuple(
        row
        for row in mailbox.responders.all()
        if row.type in values["types"]
        and row.state_at(now) in states
        and values["words"].lower() in row.subject.lower()
    )
    if not ends:
        return Plan(Outcome.SKIPPED, _("Nothing to end."))
    subjects = ", ".join(_("“%(subject)s”") % {"subject": row.title} for row in ends)
    return Plan(Outcome.WAITING, _("Ends: %(subjects)s") % {"subjects": subjects}, ends=ends)


def _plan_leave(batch: Batch, mailbox: Mailbox, values: dict[str, Any], now: datetime) -> Plan:
    """The mail of a person who leaves goes to a colleague of the same company: elsewhere it might bounce."""
    address = addresses.normal_form_or_none(values.get("successor", ""))
    there = access.mailboxes_there().select_related("domain")
    successor = there.filter(address=address).first() if address else None
    if successor is None or not is_same_customer(successor, mailbox):
        return Plan(Outcome.FAILED, _("The successor must be a mailbox of the same company."))
    if successor.pk == mailbox.pk:
        return Plan(Outcome.FAILED, _("The successor must be another mailbox."))
    if mailbox.successor_id is not None:
        return Plan(Outcome.SKIPPED, _("Its mail goes to a successor already."))
    deputy = {"deputy_name": successor.name, "deputy_address": successor.address}
    wanted = _wanted(mailbox, values | deputy)
    services.check(mailbox, wanted, now)
    words = [_("Answers with the address of %(successor)s.") % {"successor": successor}]
    if values["blocks_sign_in"]:
        words += [
            _("The sign-in is blocked.")
            if may_block(batch, mailbox)
            else _("The sign-in stays: it opens other mailboxes, too.")
        ]
    if values["days"] is not None:
        day = schedule.to_local(now + timedelta(days=values["days"]), mailbox.time_zone)
        words += [_("Mail goes there from %(day)s.") % {"day": date_format(day, "j E Y")}]
    return Plan(Outcome.WAITING, " ".join(words), wanted, successor=successor)


def may_block(batch: Batch, mailbox: Mailbox) -> bool:
    owner, author = mailbox.owner, batch.created_by
    if owner is None or author is None or not access.may_give_password(author, owner):
        return False
    return not access.own_mailboxes(owner).exclude(pk=mailbox.pk).exists()


_PLANS: dict[Batch.Kind, Callable[[Batch, Mailbox, dict[str, Any], datetime], Plan]] = {
    Batch.Kind.SET: _plan_set,
    Batch.Kind.END: _plan_end,
    Batch.Kind.LEAVE: _plan_leave,
}


def _wanted(mailbox: Mailbox, values: dict[str, Any]) -> ResponderInput:
    names = ResponderInput.__dataclass_fields__.keys() & values.keys()
    return tidy(replace(
        ResponderInput(**{name: from_json(name, values[name]) for name in names}),
        time_zone=mailbox.time_zone, addresses=(), language=values.get("language") or mailbox.language,
    ))  # fmt: skip


def _is_same(row: Responder, wanted: ResponderInput) -> bool:
    return as_input(row) == wanted
