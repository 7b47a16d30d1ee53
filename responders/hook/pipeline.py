"""What becomes of one copy: facts → decide → claim → compose → submit → record → 250.

Whatever is wrong with the message itself is a reason and 250. Trouble that time mends is 451: Postfix keeps the copy
and comes again. A bug is 250, reason `error`, and the message kept for the operator. Never 5xx.
"""

import asyncio
import contextlib
import hashlib
import itertools
import logging
import socket
import traceback
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

from mailboxes import addresses
from responders.core import cases
from responders.core.decision import Decision, Policy, Reason, decide, decide_by_message
from responders.core.facts import ResponderFacts, WayBack
from responders.core.matching import answering_address
from responders.core.message import Message, header_block, read_message
from responders.core.rendering import render
from responders.core.reply import Reply, compose
from responders.core.schedule import to_local
from responders.hook.ahead import NOTHING, Ahead, LookingAhead
from responders.hook.connection import Outage
from responders.hook.journal import Journal
from responders.hook.known import Known
from responders.hook.ledger import Ledger
from responders.hook.ledger.claiming import Belief, Claim
from responders.hook.ledger.loading import Behind, Query
from responders.hook.ledger.numbering import NewCase
from responders.hook.ledger.recording import Record
from responders.hook.lmtp import Delivery, Envelope
from responders.hook.lmtp import Reply as LmtpReply
from responders.hook.refusals import (
    bounce_address,
    envelope_id,
    is_for_reports,
    name_in_bounce_address,
    proven_failures,
)
from responders.hook.relay import Refused, Relay, RelayUnavailable
from responders.resolver import Resolver

log = logging.getLogger("responders.hook")

# Seconds to wait before looking again while another connection answers the same copy (an alias and its mailbox in
# one message may come as two). Together less than Postfix's patience.
LOOK_AGAIN = (0.0, 0.1, 0.2, 0.4, 0.8, 1.5)
MAX_UNRECORDED = 10_000
DRAWN_SECONDS = 30.0
POLICY_SECONDS = 5.0  # until a change of the settings is kept to
TURNS_A_SIGN = 6
MAX_DRAWN = 10_000
# The moment of a decision about nobody's mailbox: no rule that comes so far asks for it.
NO_MOMENT = datetime.min.replace(tzinfo=UTC)

ACCEPTED = LmtpReply(250, "2.0.0", "Decided")
READ = LmtpReply(250, "2.0.0", "Read")
QUARANTINED = LmtpReply(250, "2.0.0", "Kept for the operator")
COME_AGAIN = LmtpReply(451, "4.3.0", "Not now, come again")


class BeingAnswered(RuntimeError):
    """Another connection is answering the same copy, or was when it crashed; a later look will tell."""


TEMPORARY = (Outage, RelayUnavailable, BeingAnswered)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the operator set. The first of `keys` makes what only we can make; all of them know it again."""

    policy: Policy
    autoreply_domain: str
    hostname: str
    received_by: frozenset[str]
    keys: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True)
class Copy:
    """A copy on its way. `address` is as written, in normal form, `base` the same without its subaddress.

    `queue_id` names the copy: the same when Postfix comes again. `locks` (by mailbox) are of its transaction, `ahead`
    is what was looked up before its content came.
    """

    message: Message
    address: str
    base: str
    queue_id: str
    locks: dict[int, asyncio.Lock] = field(default_factory=dict)
    ahead: Ahead = NOTHING

    @cached_property
    def query(self) -> Query:
        """What to ask of it."""
        return _query(self.address, self.base, self.message.reverse_path, self.queue_id)

    @property
    def reverse_path_key(self) -> str:
        return self.query.reverse_path_key

    @property
    def domain(self) -> str:
        """The sender's; empty where the reverse-path is no address."""
        return self.query.sender.rpartition("@")[2]


class Outgoing(NamedTuple):
    """A reply, and what the relay shall call it in its reports."""

    reply: Reply
    name: str


class Pipeline:
    """Everything between the protocol and the rest of the world. One per process.

    Without a resolver nothing is asked of the DNS.
    """

    def __init__(
        self, ledger: Ledger, relay: Relay, journal: Journal, configuration: Configuration,
        resolver: Resolver | None = None,
    ) -> None:  # fmt: skip
        self._loop = asyncio.get_running_loop()
        self._ledger = ledger
        self._relay = relay
        self._journal = journal
        self._configuration = configuration
        self._configured = configuration.policy  # the environment's, before what was changed while running
        self._resolver = resolver
        # Replies that the relay has and the database does not know of yet: never sent twice, recorded when their
        # copy comes again.
        self._unrecorded: dict[Claim, Record] = {}
        self._drawn: dict[tuple[int, bool], float] = {}
        self._looking_ahead = LookingAhead(ledger.load)
        self._known = Known(self._loop.time)
        self._renewing: set[asyncio.Task[None]] = set()

    async def follow_policy(self) -> None:
        """Look for settings that were changed, now and then, and give a sign of life; never returns."""
        for turn in itertools.count():
            await self.keep_up(with_sign=turn % TURNS_A_SIGN == 0)
            await asyncio.sleep(POLICY_SECONDS)

    async def keep_up(self, *, with_sign: bool) -> None:
        """Keep to the settings that hold now; without a database the last ones go on to hold."""
        with contextlib.suppress(Outage):
            policy = self._configured.with_changes(await self._ledger.policy_changes())
            self._configuration = replace(self._configuration, policy=policy)
            self._ledger.use(policy)
            if with_sign:
                await self._ledger.sign(socket.gethostname(), self._journal.metrics.take_oldest())

    def expect(self, envelope: Envelope) -> Ahead:
        """A message's content is on its way: look up meanwhile who is behind its recipients, if that may be needed."""
        if not self._looking_ahead.is_quiet() or not envelope.reverse_path:
            return NOTHING
        try:
            wanted = [self._addresses(path) for path in envelope.forward_paths]
            queries = [_query(*one, envelope.reverse_path) for one in wanted if self._is_to_be_asked(*one)]
        except Exception:  # noqa: BLE001 (a bug is met again, and told, when the message is here)
            return NOTHING
        return self._looking_ahead.begin(queries) if queries else NOTHING

    def _is_to_be_asked(self, address: str, base: str) -> bool:
        return not self._known.knows(address, base) and not self._is_for_reports(address)

    async def receive(self, delivery: Delivery, ahead: Ahead = NOTHING) -> list[LmtpReply]:
        """Decide a delivery; one reply per recipient, in their order. Never raises but for cancellation."""
        try:
            copies = self._copies(delivery, ahead)
        except Exception:  # noqa: BLE001 (a bug of ours must not hurt anybody's mail; it is logged and kept)
            copies = self._unread_copies(delivery)
            trace = traceback.format_exc()
            return [await self._quarantine(delivery, copy, trace) for copy in copies]
        if len(copies) == 1:
            return [await self._receive_copy(delivery, copies[0])]
        return list(await asyncio.gather(*(self._receive_copy(delivery, copy) for copy in copies)))

    def _copies(self, delivery: Delivery, ahead: Ahead = NOTHING) -> list[Copy]:
        received_by = self._configuration.received_by
        message = read_message(delivery.content, delivery.envelope.reverse_path, received_by=received_by)
        self._journal.metrics.came(message.received_at)
        queue_id, locks = message.queue_id or _digest(delivery.content), dict[int, asyncio.Lock]()
        paths = delivery.envelope.forward_paths
        return [Copy(message, *self._addresses(path), queue_id, locks, ahead) for path in paths]

    def _unread_copies(self, delivery: Delivery) -> list[Copy]:
        """What can be said of a message that could not be read."""
        message = read_message(b"", delivery.envelope.reverse_path)
        return [Copy(message, path, path, _digest(delivery.content)) for path in delivery.envelope.forward_paths]

    def _addresses(self, path: str) -> tuple[str, str]:
        """The address a recipient stands for, and the same without its subaddress; what is no address, as it is."""
        try:
            address = addresses.copied_address(path, self._configuration.autoreply_domain)
        except addresses.AddressError:
            return path, path
        return address, addresses.without_subaddress(address, self._configuration.policy.recipient_delimiter)

    async def _receive_copy(self, delivery: Delivery, copy: Copy) -> LmtpReply:
        try:
            if self._is_for_reports(copy.address):
                await self._learn_from_report(delivery, copy)
                return READ
            await self._settle(copy)
        except TEMPORARY as trouble:
            self._journal.deferred(copy.queue_id, copy.address, trouble)
            return COME_AGAIN
        except Exception:  # noqa: BLE001 (as above)
            return await self._quarantine(delivery, copy, traceback.format_exc())
        return ACCEPTED

    def _is_for_reports(self, address: str) -> bool:
        return bool(name_in_bounce_address(address)) or is_for_reports(address, self._configuration.autoreply_domain)

    async def _learn_from_report(self, delivery: Delivery, copy: Copy) -> None:
        """Somebody tells what became of a reply. What is told of other messages is no business of ours."""
        name = name_in_bounce_address(copy.address)
        for failure in proven_failures(delivery.content, self._configuration.keys, name):
            await self._ledger.remember_refusal(failure.address, failure.words)
            self._journal.refused(copy.queue_id, failure.address, failure.words)

    async def _settle(self, copy: Copy) -> None:
        policy = self._configuration.policy
        if decided := decide_by_message(copy.message, policy):
            return await self._record(copy, decided)
        if (known := self._known.take(copy.query)) and await self._answered_as_known(copy, known):
            return None
        behind = await copy.ahead.behind(copy.query)
        if behind is None:
            behind = await self._ledger.load(copy.query)
        self._known.learn(copy.query, behind)
        if not behind:
            return await self._record(copy, decide(copy.message, None, policy, NO_MOMENT, has_passed=True))
        troubles = [trouble for one in behind if (trouble := await self._trouble_with(copy, one))]
        if troubles:
            # What time mends goes before a bug: the copy comes again, and meets the bug again.
            raise next((trouble for trouble in troubles if isinstance(trouble, TEMPORARY)), troubles[0])
        return None

    async def _trouble_with(self, copy: Copy, one: Behind) -> Exception | None:
        """Settle one of the mailboxes behind the address; trouble with it does not rob the others of their reply."""
        # Two recipients of a message may lead to one mailbox: the second sees what the first did.
        async with copy.locks.setdefault(one.mailbox.id, asyncio.Lock()):
            try:
                await self._settle_mailbox(copy, one)
            except Exception as trouble:  # noqa: BLE001 (raised again when the others are settled)
                return trouble
        return None

    async def _settle_mailbox(self, copy: Copy, one: Behind) -> None:
        for pause in LOOK_AGAIN:
            one = await self._with_conversation(copy, one)
            decided = await self._decide(copy, one)
            if decided.reason is not Reason.REPLIED or decided.responder is None:
                if decided.reason is Reason.RATE_LIMITED:
                    await self._draw_brake(one)
                return await self._record(copy, decided, one)
            responder = decided.responder
            if responder.gives_case_numbers:
                one = await self._with_case_number(copy, one, responder)
                if not one.case_number:
                    return await self._record(copy, _too_many_cases(decided), one)
                decided = decided._replace(evidence=f"case {one.case_number}")
            if await self._answered(copy, decided, one, responder):
                return None
            # Lost to another copy, or the responder changed meanwhile: look at what is there now.
            await asyncio.sleep(pause)
            fresh = [other for other in await self._ledger.load(copy.query) if other.mailbox.id == one.mailbox.id]
            if not fresh:
                return await self._record(copy, Decision(Reason.NO_MAILBOX), one)
            one = fresh[0]
        raise BeingAnswered("another connection answers this copy")

    async def _answered_as_known(self, copy: Copy, one: Behind) -> bool:
        """Answer by what was known before; False where there is no reply to give, or not all of it is still so."""
        if self._resolver is not None and self._resolver.known_trouble(copy.domain) is None:
            return False  # it may be a domain of ours, of which the DNS is not asked
        async with copy.locks.setdefault(one.mailbox.id, asyncio.Lock()):
            decided = await self._decide(copy, one)
            if decided.reason is not Reason.REPLIED or decided.responder is None:
                return False
            belief = Belief(one.version, one.now, copy.query.sender)
            if not await self._answered(copy, decided, one, decided.responder, belief):
                return False
        if self._known.is_to_be_renewed(copy.query):
            renewing = self._loop.create_task(self._renew(copy.query))  # Postfix hears of the reply first
            self._renewing.add(renewing)
            renewing.add_done_callback(self._renewing.discard)
        return True

    async def _renew(self, query: Query) -> None:
        with contextlib.suppress(Exception):  # whoever comes next looks it up, and meets it again
            self._known.learn(query, await self._ledger.load(query))

    async def _answered(
        self, copy: Copy, decided: Decision, one: Behind, responder: ResponderFacts, belief: Belief | None = None
    ) -> bool:
        """Claim and answer; False if the claim is lost. A reply that is out is recorded and not given again."""
        key = copy.reverse_path_key
        if responder.gives_case_numbers:
            key = cases.memory_key(key, one.case_number)
        claim = Claim(responder.id, key, responder.activation, responder.text_revision, copy.queue_id)
        if claim in self._unrecorded:
            await (await self._ledger.claim(claim))  # a database that crashed may have forgotten it
            await self._close(self._unrecorded[claim], claim)
            return True
        claimed = await self._ledger.claim(claim, belief)
        # While the database looks at it:
        record = _record_of(copy, decided, one, claim)
        self._ledger.record_ahead(record)
        composed = self._composed(copy, decided, one)
        if not await claimed:
            return False
        await self._answer(record, claim, composed, one if responder.gives_case_numbers else None)
        return True

    async def _decide(self, copy: Copy, one: Behind) -> Decision:
        """The whole table; the DNS is asked only where nothing else is against a reply."""
        decided = self._decide_by_table(copy, one, one.way_back)
        if decided.reason is not Reason.REPLIED or self._resolver is None or one.way_back.is_ours:
            return decided
        with self._journal.metrics.timed("resolve"):
            trouble = await self._resolver.trouble_with(copy.domain)
        if not trouble:
            return decided
        return self._decide_by_table(copy, one, replace(one.way_back, domain_trouble=trouble))

    def _decide_by_table(self, copy: Copy, one: Behind, way_back: WayBack) -> Decision:
        policy = self._configuration.policy
        return decide(copy.message, one.mailbox, policy, one.now, one.previous, way_back=way_back, has_passed=True)

    async def _with_conversation(self, copy: Copy, one: Behind) -> Behind:
        """What is known of the conversation, where a responder gives case numbers; others need no query for it."""
        if not any(row.gives_case_numbers and row.is_active(one.now) for row in one.mailbox.responders):
            return one
        return await self._ledger.conversation(one, copy.message, copy.reverse_path_key, copy.queue_id)

    async def _with_case_number(self, copy: Copy, one: Behind, responder: ResponderFacts) -> Behind:
        """The conversation's number, given now if it has none; still none where the sender had too many lately."""
        if one.case_number:
            return one
        message = copy.message
        new = NewCase(
            mailbox_id=one.mailbox.id, responder_id=responder.id,
            head=cases.number_head(responder, to_local(one.now, one.mailbox.time_zone).date()),
            reverse_path=message.reverse_path, reverse_path_key=copy.reverse_path_key, subject=message.subject,
            opened_by=message.message_id or copy.queue_id, message_id=message.message_id or "",
        )  # fmt: skip
        return one._replace(case_number=await self._ledger.open_case(new) or "")

    async def _draw_brake(self, one: Behind) -> None:
        """Keep that it is drawn, not more often than needs be: a storm must not cost a commit more for each message."""
        policy, now = self._configuration.policy, self._loop.time()
        per_hour = one.mailbox.mailbox_brake.drawn_at(policy.mailbox_replies_per_hour)
        is_of_domain = not per_hour
        per_hour = per_hour or one.mailbox.domain_brake.drawn_at(policy.domain_replies_per_hour)
        last = self._drawn.get((one.mailbox.id, is_of_domain))
        if last is not None and now - last < DRAWN_SECONDS:
            return
        if len(self._drawn) > MAX_DRAWN:
            self._drawn.clear()
        await self._ledger.draw_brake(one.mailbox.id, is_of_domain=is_of_domain, per_hour=per_hour)
        self._drawn[one.mailbox.id, is_of_domain] = now

    def _composed(self, copy: Copy, decided: Decision, one: Behind) -> Outgoing | Exception:
        """The reply, or the bug that there was."""
        try:
            reply = self._compose(copy, decided, one)
            return Outgoing(reply, envelope_id(self._configuration.keys[0], _recipient(reply)))
        except Exception as bug:  # noqa: BLE001 (raised again when the claim has been given back)
            return bug

    async def _answer(self, record: Record, claim: Claim, composed: Outgoing | Exception, case: Behind | None) -> None:
        """Hand the reply over and record it; `case` is whose number it gives."""
        if isinstance(composed, Exception):
            await self._ledger.forget(claim)  # nothing was tried: the sender's next message may fare better
            raise composed
        reply, name = composed
        if case is not None:
            await self._ledger.add_to_case(case.mailbox.id, case.case_number, reply.message_id)
        refusal: Refused | None = None
        try:
            with self._journal.metrics.timed("submit"):
                await self._relay.submit(reply, name)
        except RelayUnavailable:
            await self._ledger.release(claim)
            raise
        except Refused as found:
            refusal = found
            record = record._replace(reason=Reason.REFUSED.value, evidence=str(refusal))
        await self._close(record, claim)
        if refusal and refusal.is_of_address:
            await self._ledger.remember_refusal(_recipient(reply), str(refusal))

    def _compose(self, copy: Copy, decided: Decision, one: Behind) -> Reply:
        if decided.responder is None:
            raise AssertionError("a reply has its responder")
        number = one.case_number if decided.responder.gives_case_numbers else ""
        rendered = render(decided.responder, one.mailbox, copy.message, number)
        delimiter = self._configuration.policy.recipient_delimiter
        from_address = answering_address(copy.message, one.mailbox, decided.responder, delimiter, copy.address)
        hostname = self._configuration.hostname
        reply = compose(rendered, one.mailbox, copy.message, now=one.now, hostname=hostname, from_address=from_address)
        if not one.mailbox.has_bounce_address:
            return reply
        key, domain = self._configuration.keys[0], from_address.rpartition("@")[2]
        return reply._replace(reverse_path=bounce_address(key, _recipient(reply), domain))

    async def _close(self, record: Record, claim: Claim) -> None:
        """Keep what became of a claim. The relay has answered: that must not be forgotten if the database is away."""
        try:
            await self._keep(record)
        except Outage:
            self._unrecorded[claim] = record
            if len(self._unrecorded) > MAX_UNRECORDED:
                del self._unrecorded[next(iter(self._unrecorded))]
            raise
        self._unrecorded.pop(claim, None)

    async def _record(self, copy: Copy, decided: Decision, one: Behind | None = None) -> None:
        """Keep a decision for silence."""
        await self._keep(_record_of(copy, decided, one))

    async def _keep(self, record: Record) -> None:
        await self._ledger.record(record)
        self._loop.call_soon(self._journal.decided, record)  # Postfix hears of it first

    async def _quarantine(self, delivery: Delivery, copy: Copy, trace: str) -> LmtpReply:
        """A bug of ours: keep the message for the operator, and let the mail go on."""
        record = _record_of(copy, Decision(Reason.ERROR, trace.strip().rpartition("\n")[2]))
        self._journal.failed(record, trace)
        try:
            await self._ledger.quarantine(record, trace, delivery.content)
        except Outage as outage:
            self._journal.deferred(copy.queue_id, copy.address, outage)
            return COME_AGAIN
        except Exception:
            log.exception("the message could not be kept")
        return QUARANTINED


def _query(address: str, base: str, reverse_path: str, queue_id: str = "") -> Query:
    sender = addresses.normal_form_or_none(reverse_path) or ""
    return Query(address, base, addresses.memory_key(reverse_path), sender, queue_id)


def _record_of(copy: Copy, decided: Decision, one: Behind | None = None, claim: Claim | None = None) -> Record:
    return Record(
        address=copy.address, base=copy.base, reverse_path=copy.message.reverse_path, reason=decided.reason.value,
        evidence=decided.evidence, misses=decided.misses, message_id=copy.message.message_id or "",
        queue_id=copy.queue_id, mailbox_id=one.mailbox.id if one else None,
        responder_id=decided.responder.id if decided.responder else None, claim=claim,
    )  # fmt: skip


def _recipient(reply: Reply) -> str:
    return addresses.normal_form_or_none(reply.forward_path) or reply.forward_path


def _too_many_cases(decided: Decision) -> Decision:
    """Another connection gave this sender the last number there was."""
    evidence = f"{cases.MAX_CASES} cases in {cases.CASE_HOURS} hours"
    return decided._replace(reason=Reason.ALREADY_REPLIED, evidence=evidence)


def _digest(content: bytes) -> str:
    """A name for a copy without a queue id: the same when it comes again."""
    return "digest:" + hashlib.sha256(header_block(content)).hexdigest()[:32]
