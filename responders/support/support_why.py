"""Why somebody got no reply, where there may be no decision to look at: from a pasted header, or sender and time.

What never reached the hook is found out as far as it can be: is the address ours, was anything on at that time, what
would the rules say of this header, what does Postfix's log say.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from mailboxes import addresses
from mailboxes.models import Alias, Domain, Mailbox
from responders import explanation, sentences, support_search
from responders.core import schedule
from responders.core.message import read_message
from responders.models import Decision, Responder, ResponderEvent

AROUND = timedelta(hours=24)
FOUND = 20
LOG_OCTETS = 20 * 1024 * 1024  # of the log's end
LOG_LINES = 20
MAX_HEADER = 100_000
WRITTEN_TO = ("to", "cc", "delivered-to", "x-original-to")
_ADDRESS = re.compile(r"[^\s<>,;:\"()]{1,320}@[^\s<>,;:\"()]+")


@dataclass(frozen=True)
class Asked:
    """What is known of the message; any of it may be missing. `at` in UTC."""

    sender: str = ""
    recipient: str = ""
    message_id: str = ""
    at: datetime | None = None
    header: bytes = b""


def read_header(text: str) -> Asked:
    """What a pasted header says of sender, recipient, Message-ID and time."""
    header = text.replace("\r\n", "\n").strip().encode("utf-8", "ignore")[:MAX_HEADER] + b"\n\n"
    message = read_message(header, "", received_by=["why.invalid"])
    sender = [one for name in ("return-path", "from", "sender") for one in _addresses(message.all(name))]
    written_to = [one for name in WRITTEN_TO for one in _addresses(message.all(name))]
    return Asked(
        sender=sender[0] if sender else "", recipient=_ours(written_to), message_id=message.message_id or "",
        at=_date(message.first("date")), header=header,
    )  # fmt: skip


def _ours(written_to: list[str]) -> str:
    """The first of our addresses, else the first."""
    names = {one.rpartition("@")[2] for one in written_to}
    ours = set(Domain.objects.filter(name__in=names).values_list("name", flat=True))
    return next((one for one in written_to if one.rpartition("@")[2] in ours), written_to[0] if written_to else "")


def _addresses(values: tuple[str, ...]) -> Iterator[str]:
    for value in values:
        for text in _ADDRESS.findall(value):
            if plain := addresses.normal_form_or_none(text):
                yield plain


def _date(value: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(value) if value else None
    except ValueError:
        return None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def decisions(asked: Asked) -> list[Decision]:
    """What was decided about it: by Message-ID, else by sender around the time."""
    rows = Decision.objects.select_related("mailbox").order_by("-id")
    if asked.message_id and (found := list(rows.filter(message_id=asked.message_id)[:FOUND])):
        return found
    if not asked.sender:
        return []
    of_sender = support_search.messages_from(asked.sender)
    if asked.at is not None:
        of_sender = of_sender.filter(decided_at__range=(asked.at - AROUND, asked.at + AROUND))
    if asked.recipient:
        of_sender = of_sender.filter(forward_path=asked.recipient)
    return list(of_sender[:FOUND])


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `is_cause` where it alone explains the silence."""

    words: str | Promise
    is_cause: bool = False
    mailbox: Mailbox | None = None


def findings(asked: Asked, now: datetime) -> list[Finding]:
    """Why there may be no decision at all, the surest first."""
    if not asked.recipient:
        return [Finding(_("To whom was it written? With the recipient's address more can be found out."))]
    found = [*_about_address(asked), *_about_responders(asked, now), *_about_rules(asked, now)]
    return sorted(found, key=lambda one: not one.is_cause)


def _about_address(asked: Asked) -> Iterator[Finding]:
    name = asked.recipient.rpartition("@")[2]
    domain = Domain.objects.filter(name=name).first()
    if domain is None:
        words = _("%(domain)s is not a domain of ours: its mail goes elsewhere.") % {"domain": name}
        yield Finding(words, is_cause=True)
        return
    if not domain.is_active:
        yield Finding(_("%(domain)s receives no mail here at present.") % {"domain": name}, is_cause=True)
    if behind(asked.recipient):
        return
    words = (
        _("%(address)s is an alias that leads to none of our mailboxes.")
        if Alias.objects.filter(address=asked.recipient).exists()
        else _("There is neither a mailbox nor an alias %(address)s.")
    )
    yield Finding(words % {"address": asked.recipient}, is_cause=True)


def behind(recipient: str) -> list[Mailbox]:
    """The mailboxes that mail to the address reaches."""
    return explanation.mailboxes_behind(recipient)


def _about_responders(asked: Asked, now: datetime) -> Iterator[Finding]:
    then = asked.at or now
    for mailbox in behind(asked.recipient):
        rows = list(Responder.objects.filter(mailbox=mailbox))
        words = {"mailbox": mailbox, "time": _in_words(then, mailbox.time_zone)}
        if any(row.state_at(then).value == "active" for row in rows):
            yield Finding(_("An autoresponder of %(mailbox)s is on for %(time)s.") % words, mailbox=mailbox)
        else:
            sentence = _("No autoresponder of %(mailbox)s was on at %(time)s, so no copy was made.") % words
            yield Finding(sentence, is_cause=True, mailbox=mailbox)
        if ResponderEvent.objects.filter(mailbox=mailbox, at__gt=then).exclude(kind__in=["started", "ended"]).exists():
            yield Finding(_("Its autoresponders were changed since: the history tells what was then."), mailbox=mailbox)


def _in_words(at: datetime, zone: str) -> str:
    return f"{sentences.long_time(schedule.to_local(at, zone))} ({sentences.zone_name(zone)})"


def _about_rules(asked: Asked, now: datetime) -> Iterator[Finding]:
    """What the rules say of the header that was pasted."""
    if not asked.header or not asked.sender:
        return
    for one in explanation.explain_message(asked.header, asked.sender, asked.recipient, at=asked.at or now):
        if one.reason not in {"replied", "inactive", "no-mailbox", "already-replied"}:
            evidence = f" ({one.evidence})" if one.evidence else ""
            yield Finding(f"{one.sentence}{evidence}", is_cause=True)


def log_lines(asked: Asked) -> list[str] | None:
    """What Postfix says of it, from the end of its log; None where the log cannot be read."""
    needles = [one for one in (asked.message_id, f"from=<{asked.sender}>" if asked.sender else "") if one]
    try:
        text = _end_of(Path(settings.MAIL_LOG)) if settings.MAIL_LOG else None
    except OSError:
        return None
    if text is None:
        return None
    lines = text.splitlines()
    ids = {match[1] for line in lines if any(n in line for n in needles) and (match := _QUEUE_ID.search(line))}
    found = [line for line in lines if (match := _QUEUE_ID.search(line)) and match[1] in ids]
    return found[-LOG_LINES:]


_QUEUE_ID = re.compile(r"postfix[^:]*: ([0-9A-Za-z]{6,20}):")


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LOG_OCTETS))
        return file.read(LOG_OCTETS).decode("utf-8", "replace")
