"""The rules of silence: one function each.

A rule returns its evidence if it hits, None if it lets the message pass. It changes nothing and knows nothing
of the order, which stands in `decision.RULES`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from mailboxes.addresses import AddressError, normal_form_or_none, split, without_subaddress
from responders.core.cases import CASE_HOURS, MAX_CASES
from responders.core.facts import MailboxFacts, Policy, PreviousResponses, ResponderFacts, WayBack
from responders.core.matching import fits, is_meant_for_sender, own_addresses_written_to
from responders.core.message import RECIPIENT_FIELDS, Message, without_comments

LOOP_FIELD = "x-loop"
LOOP_MARK = "webmail-panel"  # stands in the X-Loop field of our own replies


_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
UNKNOWN_WAY = WayBack()


@dataclass(frozen=True)
class Case:
    """Everything a rule may look at. Rules that need only the message leave the rest alone."""

    message: Message
    policy: Policy
    now: datetime = _LONG_AGO
    mailbox: MailboxFacts | None = None
    previous: PreviousResponses | None = None
    way_back: WayBack = UNKNOWN_WAY

    @cached_property
    def active(self) -> list[ResponderFacts]:
        """The responders, in the owner's order, that were active when the message came and still are."""
        moments = {self.now, self.message.received_at or self.now}
        rows = self.mailbox.responders if self.mailbox else ()
        return [row for row in rows if all(row.is_active(at) for at in moments)]

    @cached_property
    def for_sender(self) -> list[ResponderFacts]:
        """Of the active ones those whose audience the sender belongs to."""
        return [row for row in self.active if self.mailbox and is_meant_for_sender(row, self.message, self.mailbox)]

    @cached_property
    def responder(self) -> ResponderFacts | None:
        """The first that is active and meant for this sender and this message."""
        return next((row for row in self.for_sender if self.is_for_message(row)), None)

    def is_for_message(self, row: ResponderFacts) -> bool:
        """Whether the message was written to an address that the responder answers for, and meets its conditions."""
        return self.is_written_to(row) and fits(row.conditions, self.message)

    def is_written_to(self, row: ResponderFacts) -> bool:
        delimiter = self.policy.recipient_delimiter
        return not row.addresses or bool(
            self.mailbox and own_addresses_written_to(self.message, self.mailbox, delimiter, row.addresses)
        )


def null_reverse_path(case: Case) -> str | None:
    """Nobody is behind an empty sender address: it marks reports and automatic replies. RFC 3834 §2, RFC 5230 §4.6."""
    return "MAIL FROM:<>" if not case.message.reverse_path else None


def bad_reverse_path(case: Case) -> str | None:
    """The sender's address is not one that mail can be sent to. RFC 5321 §4.1.2."""
    path = case.message.reverse_path
    is_bad = normal_form_or_none(path) is None or path.split() != [path]
    return f"MAIL FROM:<{path}>" if path and is_bad else None


_SYSTEM_LOCAL_PARTS = frozenset(
    ["mailer-daemon", "listserv", "majordomo", "listproc", "autoresponder", "bounce", "bounces"]
)  # fmt: skip
_NO_REPLY = re.compile(r"(?:do[-_.]?not|no|nie)[-_.]?(?:reply|replay|respond|odpowiadaj)(?:[-_.+=].*)?")
_SYSTEM_AFFIX = re.compile(r"owner-.+|.+-owner|.+-request|.+-bounces(?:\+.*)?|bounces?[-+=].+")


def system_sender(case: Case) -> str | None:
    """The sender is a mail system or says in its name that it reads no replies. RFC 3834 §2, RFC 5230 §4.6."""
    try:
        local_part = split(case.message.reverse_path.lower())[0]
    except AddressError:
        return None
    is_system = (
        local_part in _SYSTEM_LOCAL_PARTS
        or _NO_REPLY.fullmatch(local_part)
        or _SYSTEM_AFFIX.fullmatch(local_part)
        or any(_matches(pattern.lower(), local_part) for pattern in case.policy.system_senders)
    )
    return f"MAIL FROM:<{case.message.reverse_path}>" if is_system else None


def _matches(pattern: str, text: str) -> bool:
    """A leading or trailing * in the operator's pattern stands for anything."""
    core = pattern.strip("*")
    if pattern.startswith("*") and pattern.endswith("*"):
        return core in text
    if pattern.startswith("*"):
        return text.endswith(core)
    return text.startswith(core) if pattern.endswith("*") else text == core


def auto_submitted(case: Case) -> str | None:
    """The message says itself that a machine wrote it. RFC 3834 §2 and §5."""
    for value in case.message.all("auto-submitted"):
        keyword = without_comments(value).partition(";")[0].strip().lower()
        if keyword and keyword != "no":
            return _evidence("Auto-Submitted", value)
    return None


_LIST_FIELDS = {
    "list-id": "List-Id", "list-help": "List-Help", "list-subscribe": "List-Subscribe",
    "list-unsubscribe": "List-Unsubscribe", "list-unsubscribe-post": "List-Unsubscribe-Post", "list-post": "List-Post",
    "list-owner": "List-Owner", "list-archive": "List-Archive", "mailing-list": "Mailing-List",
    "feedback-id": "Feedback-ID", "x-campaign-id": "X-Campaign-ID", "x-mailchimp-id": "X-MailChimp-ID",
    "x-mc-user": "X-MC-User", "x-csa-complaints": "X-CSA-Complaints",
}  # fmt: skip


def list_or_bulk(case: Case) -> str | None:
    """The message went to many: a mailing list, a newsletter. RFC 3834 §2, RFC 5230 §4.6, RFC 2369, RFC 2919."""
    for name, shown in _LIST_FIELDS.items():
        if (value := case.message.first(name)) is not None:
            return _evidence(shown, value)
    for value in case.message.all("precedence"):
        if without_comments(value).strip().lower() in {"bulk", "list", "junk"}:
            return _evidence("Precedence", value)
    return None


_REPORT_TYPES = re.compile(r"multipart/report\b|message/(?:delivery-status|disposition-notification|tracking-status)\b")


def report(case: Case) -> str | None:
    """The message is a delivery report or a read receipt. RFC 3834 §2, RFC 3464, RFC 8098."""
    if _REPORT_TYPES.match(case.message.content_type):
        return _evidence("Content-Type", case.message.content_type)
    return None


def auto_response_suppress(case: Case) -> str | None:
    """The sender's program asks for no automatic replies. MS-OXCMAIL §2.1.3.2.20."""
    for value in case.message.all("x-auto-response-suppress"):
        if {word.strip().lower() for word in value.split(",")} & {"all", "oof", "autoreply"}:
            return _evidence("X-Auto-Response-Suppress", value)
    return None


_MACHINE_FIELDS = {
    "x-autoreply": "X-Autoreply", "x-autorespond": "X-Autorespond", "x-autoresponder": "X-Autoresponder",
    "x-auto-reply": "X-Auto-Reply", "x-mail-autoreply": "X-Mail-Autoreply", "x-autogenerated": "X-Autogenerated",
    "x-vacation": "X-Vacation", "delivered-by-the-graces-of": "Delivered-By-The-Graces-Of",
    "x-amazon-auto-reply": "X-Amazon-Auto-Reply", "x-facebook-notify": "X-Facebook-Notify",
}  # fmt: skip


def machine_made(case: Case) -> str | None:
    """The message carries the mark of another autoresponder, or of our own."""
    for name, shown in _MACHINE_FIELDS.items():
        for value in case.message.all(name):
            if value.lower() not in {"no", "false", "0"}:
                return _evidence(shown, value)
    for value in case.message.all(LOOP_FIELD):
        if value.partition(";")[0].strip().lower() == LOOP_MARK:
            return _evidence("X-Loop", value)
    for value in case.message.all("precedence"):
        if without_comments(value).strip().lower() == "auto_reply":
            return _evidence("Precedence", value)
    return None


def spam(case: Case) -> str | None:
    """The spam filter marked the message."""
    for configured in case.policy.spam_fields:
        name, _colon, wanted = configured.partition(":")
        for value in case.message.all(name.strip().lower()):
            if value.strip().lower().startswith(wanted.strip().lower()):
                return _evidence(name.strip(), value)
    return None


_DMARC_FAIL = re.compile(r";\s*dmarc\s*=\s*fail\b", re.IGNORECASE)


def forged(case: Case) -> str | None:
    """Our own check says that the sender's address is forged. RFC 8601 §2.2, RFC 7489."""
    for value in case.message.all("authentication-results"):
        server, _semicolon, _results = value.partition(";")
        server_id = without_comments(server).split()
        is_ours = bool(server_id) and server_id[0].lower() == case.policy.authserv_id.lower()
        if is_ours and _DMARC_FAIL.search(without_comments(value)):
            return _evidence("Authentication-Results", value)
    return None


def no_mailbox(case: Case) -> str | None:
    """No mailbox of ours stands behind the address any more."""
    return "" if case.mailbox is None else None


def own_address(case: Case) -> str | None:
    """The mailbox wrote to itself. RFC 5230 §4.6."""
    address = normal_form_or_none(case.message.reverse_path)
    return f"MAIL FROM:<{address}>" if address and _is_own(address, case) else None


def not_addressed(case: Case) -> str | None:
    """None of the mailbox's own addresses is in To or Cc: blind copy, redirection. RFC 3834 §2, RFC 5230 §4.5."""
    if case.mailbox and own_addresses_written_to(case.message, case.mailbox, case.policy.recipient_delimiter):
        return None
    shown = [name for name in RECIPIENT_FIELDS if case.message.first(name.lower()) is not None]
    return ", ".join(f"{name}: {case.message.first(name.lower())}" for name in shown)[:500]


def _is_own(address: str, case: Case) -> bool:
    own = case.mailbox.own_addresses if case.mailbox else frozenset()
    return address in own or without_subaddress(address, case.policy.recipient_delimiter) in own


def inactive(case: Case) -> str | None:
    """No autoresponder of the mailbox was on when the message came, or none is any more."""
    if case.active:
        return None
    at = case.message.received_at or case.now
    rows = case.mailbox.responders if case.mailbox else ()
    if any(row.is_enabled and row.window.contains(at) and not row.is_active(at) for row in rows):
        return f"received {at.isoformat()}, not within its hours"
    return f"received {at.isoformat()}" if case.message.received_at else ""


def audience(case: Case) -> str | None:
    """The autoresponder is for other senders: for colleagues alone, or for everyone but them. Exchange's audience."""
    if not case.active or case.for_sender:
        return None
    whom = ", ".join(sorted({row.audience.value for row in case.active}))
    return f"MAIL FROM:<{case.message.reverse_path}>, answers {whom}"[:500]


def condition(case: Case) -> str | None:
    """The autoresponder is for messages to other addresses, from other senders or with other words. RFC 5230 §4.3."""
    rows = case.for_sender
    if not rows or any(case.is_for_message(row) for row in rows):
        return None
    return "; ".join(_unmet(row, case) for row in rows)[:500]


def _unmet(row: ResponderFacts, case: Case) -> str:
    if not case.is_written_to(row):
        return "answers for " + ", ".join(sorted(row.addresses))
    wanted = [*row.conditions.senders, *(f"“{word}”" for word in row.conditions.words)]
    return "answers only " + ", ".join(wanted)


def already_replied(case: Case) -> str | None:
    """This sender had this answer already, not long ago. RFC 5230 §4.2."""
    responder = case.responder
    previous = (case.previous or {}).get(responder.id) if responder else None
    if responder is None or previous is None:
        return None
    if previous.replied_at is None:
        return f"{MAX_CASES} cases in {CASE_HOURS} hours" if previous.cases_lately >= MAX_CASES else None
    is_recent = responder.answers_once or case.now < previous.replied_at + timedelta(days=responder.interval_days)
    return f"answered {previous.replied_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if is_recent else None


def rate_limited(case: Case) -> str | None:
    """The mailbox, or its domain, sent as many replies within an hour as it may: that ends loops unknown."""
    if case.mailbox is None:
        return None
    if limit := case.mailbox.mailbox_brake.drawn_at(case.policy.mailbox_replies_per_hour):
        return f"mailbox: {limit} an hour"
    if limit := case.mailbox.domain_brake.drawn_at(case.policy.domain_replies_per_hour):
        return f"domain: {limit} an hour"
    return None


def undeliverable(case: Case) -> str | None:
    """No reply would arrive: the sender's domain takes no mail, or refused our last reply for good. RFC 7505."""
    way = case.way_back
    if way.refused_at and case.now < way.refused_at + timedelta(days=case.policy.refusal_days):
        return f"refused {way.refused_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}: {way.refusal}"[:500]
    if way.domain_trouble:
        return f"{case.message.reverse_path.rpartition('@')[2]}: {way.domain_trouble}"[:500]
    return None


def _evidence(name: str, value: str) -> str:
    return f"{name}: {value}"[:500]
