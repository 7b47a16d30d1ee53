"""What would be decided about a message, with every rule: for the operator's command and for support.

The same `decide` that the hook calls, on facts read through Django's models. Nothing is changed.
"""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Sum

from mailboxes import addresses
from mailboxes.models import Domain, Mailbox
from responders import validation
from responders.conversations import conversation
from responders.core import decision, matching, rendering, reply, schedule
from responders.core.facts import Brake
from responders.core.message import Message, read_message
from responders.models import PreviousResponse, Refusal, ReplyCount, Responder
from responders.policy import policy_in_force
from responders.reasons import SENTENCES
from responders.resolver import Resolver


@dataclass(frozen=True)
class Explanation:
    """The decision for one mailbox behind the address. `rules`: name, "hit" or "miss", evidence, in order."""

    mailbox: str | None
    at: datetime
    reason: str
    sentence: str
    evidence: str
    rules: list[tuple[str, str, str]]
    reply: str | None

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints; times in ISO 8601 with offset."""
        rules = [{"rule": name, "outcome": outcome, "evidence": evidence} for name, outcome, evidence in self.rules]
        return {
            "mailbox": self.mailbox,
            "at": self.at.isoformat(),
            "reason": self.reason,
            "sentence": self.sentence,
            "evidence": self.evidence,
            "rules": rules,
            "reply": self.reply,
        }


def explain_message(content: bytes, reverse_path: str, recipient: str, *, at: datetime) -> list[Explanation]:
    """One explanation for each mailbox behind the recipient, or one that says there is none.

    `at` without an offset is in the zone of the mailbox; the time in the message's own Received field is left
    out of account, for the message may be an old one.
    """
    message = read_message(content, reverse_path, received_by=["explain.invalid"])
    mailboxes = mailboxes_behind(recipient)
    if not mailboxes:
        return [_explain(message, None, at, recipient)]
    return [_explain(message, mailbox, at, recipient) for mailbox in mailboxes]


def explain_for(mailbox: Mailbox, content: bytes, reverse_path: str, recipient: str, *, at: datetime) -> Explanation:
    """The explanation for one mailbox; `recipient` is the address of it that was written to."""
    return _explain(read_message(content, reverse_path, received_by=["explain.invalid"]), mailbox, at, recipient)


def mailbox_facts(
    mailbox: Mailbox, *, own: Iterable[str] | None = None, rows: Iterable[Responder] | None = None
) -> decision.MailboxFacts:
    """What the decision needs to know of a mailbox; its own addresses and its responders are looked up unless given."""
    rows = mailbox.responders.order_by("position") if rows is None else rows
    own = validation.own_addresses(mailbox) if own is None else own
    return decision.MailboxFacts(
        id=mailbox.pk,
        address=mailbox.address,
        name=mailbox.name,
        language=mailbox.language,
        time_zone=mailbox.time_zone,
        own_addresses=frozenset(own),
        responders=tuple(row.facts for row in rows),
        colleague_domains=frozenset(_colleague_domains(mailbox)),
    )


def _with_brakes(facts: decision.MailboxFacts, mailbox: Mailbox, at: datetime) -> decision.MailboxFacts:
    """With what was sent within the hour before, as the hook counts it: in steps of ten minutes."""
    of_mailbox = Brake(_replies(f"m{mailbox.pk}", at), mailbox.replies_per_hour)
    of_domain = Brake(_replies(f"d{mailbox.domain_id}", at), mailbox.domain.replies_per_hour)
    return replace(facts, mailbox_brake=of_mailbox, domain_brake=of_domain)


def _replies(key: str, at: datetime) -> int:
    counted = ReplyCount.objects.filter(key=key, bucket__gt=at - timedelta(minutes=70), bucket__lte=at)
    return counted.aggregate(sum=Sum("replies"))["sum"] or 0


def _colleague_domains(mailbox: Mailbox) -> set[str]:
    customer = mailbox.domain.customer
    return {mailbox.domain_id} | set(customer.domains.values_list("name", flat=True) if customer else ())


def mailboxes_behind(recipient: str) -> list[Mailbox]:
    base = addresses.without_subaddress(recipient, settings.RECIPIENT_DELIMITER)
    for address in dict.fromkeys([recipient, base]):
        with connection.cursor() as cursor:
            cursor.execute("SELECT mailbox_id FROM mail_recipients WHERE address = %s", [address])
            ids = [mailbox_id for (mailbox_id,) in cursor.fetchall()]
        if ids:
            return list(Mailbox.objects.filter(pk__in=ids).order_by("pk"))
    return []


def _explain(message: Message, mailbox: Mailbox | None, at: datetime, recipient: str) -> Explanation:
    zone = mailbox.time_zone if mailbox else settings.DEFAULT_MAILBOX_TIME_ZONE
    moment = at if at.tzinfo else schedule.to_utc(at, zone)
    facts = _with_brakes(mailbox_facts(mailbox), mailbox, moment) if mailbox else None
    policy = policy_in_force()
    previous = _previous_responses(facts, message)
    key = addresses.memory_key(message.reverse_path)
    about = conversation(facts, message, key, moment) if facts else None
    previous |= about.previous if about else {}
    way = _way_back(message)
    decided = decision.decide(message, facts, policy, moment, previous, way_back=way)
    if decided.reason is decision.Reason.REPLIED and settings.CHECK_SENDER_DOMAINS and not way.is_ours:
        way = replace(way, domain_trouble=_domain_trouble(message))
        decided = decision.decide(message, facts, policy, moment, previous, way_back=way)
    rules = decision.explain(message, facts, policy, moment, previous, way_back=way)
    return Explanation(
        mailbox=facts.address if facts else None,
        at=moment,
        reason=decided.reason.value,
        sentence=str(SENTENCES[decided.reason]),
        evidence=decided.evidence,
        rules=[(row.rule, row.outcome, row.evidence) for row in rules],
        reply=_reply(decided, facts, message, moment, recipient=recipient, case_number=about.shown if about else ""),
    )


def _way_back(message: Message) -> decision.WayBack:
    sender = addresses.normal_form_or_none(message.reverse_path) or ""
    is_ours = Domain.objects.filter(name=sender.rpartition("@")[2], deleted_at=None).exists()
    refusal = Refusal.objects.filter(address=sender).first()
    if refusal is None:
        return decision.WayBack(is_ours=is_ours)
    return decision.WayBack(refusal.refused_at, refusal.words, is_ours=is_ours)


def _domain_trouble(message: Message) -> str:
    domain = addresses.normalise(message.reverse_path).rpartition("@")[2]
    with ThreadPoolExecutor(1) as own_thread:  # this one may have an event loop already
        return own_thread.submit(lambda: asyncio.run(Resolver(settings.DNS_SERVER).trouble_with(domain))).result()


def _previous_responses(facts: decision.MailboxFacts | None, message: Message) -> dict[int, decision.Previous]:
    """Responder id → the response that its present text and activation gave this sender."""
    if facts is None:
        return {}
    current = {row.id: (row.activation, row.text_revision) for row in facts.responders}
    rows = PreviousResponse.objects.filter(
        responder__in=current, reverse_path_key=addresses.memory_key(message.reverse_path)
    )
    return {
        row.responder_id: decision.Previous(replied_at=row.replied_at or row.claimed_at)
        for row in rows
        if current[row.responder_id] == (row.activation, row.text_revision)
    }


def _reply(
    decided: decision.Decision,
    facts: decision.MailboxFacts | None,
    message: Message,
    now: datetime,
    *,
    recipient: str,
    case_number: str,
) -> str | None:
    if decided.responder is None or facts is None or decided.reason is not decision.Reason.REPLIED:
        return None
    number = case_number if decided.responder.gives_case_numbers else ""
    rendered = rendering.render(decided.responder, facts, message, number)
    delimiter = settings.RECIPIENT_DELIMITER
    from_address = matching.answering_address(message, facts, decided.responder, delimiter, recipient)
    composed = reply.compose(
        rendered, facts, message, now=now, hostname=settings.MAIL_HOSTNAME, from_address=from_address
    )
    return composed.content.decode("utf-8", "replace").replace("\r\n", "\n")
