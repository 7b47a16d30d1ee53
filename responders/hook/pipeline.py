"""What becomes of one copy: facts → decide → claim → compose → submit → record → 250.

Whatever is wrong with the message itself is a reason and 250. Trouble that time mends is 451: Postfix keeps the copy
and comes again. A bug is 250, reason `error`, and the message kept for the operator. Never 5xx.
"""

import asyncio
import hashlib
import hmac
import logging
import traceback
from dataclasses import dataclass

from mailboxes import addresses
from responders.core.decision import Decision, Policy, Reason, decide, decide_by_message
from responders.core.message import Message, header_block, read_message
from responders.core.rendering import render
from responders.core.reply import compose
from responders.hook.ledger import Behind, Claim, Ledger, Outage, Record
from responders.hook.lmtp import Delivery
from responders.hook.lmtp import Reply as LmtpReply
from responders.hook.relay import Refused, Relay, RelayUnavailable

log = logging.getLogger("responders.hook")

# How often, and after how many seconds, to look again while another connection answers the same copy
# (an alias and its mailbox in one message come as two).
LOOKS_AGAIN = 12
LOOK_AGAIN_SECONDS = 0.25

ACCEPTED = LmtpReply(250, "2.0.0", "Decided")
QUARANTINED = LmtpReply(250, "2.0.0", "Kept for the operator")


class BeingAnswered(RuntimeError):
    """Another connection is answering the same copy; a later look will tell."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the operator set. `log_key` makes the hashes that stand for addresses in the log; None shows them plain."""

    policy: Policy
    autoreply_domain: str
    hostname: str
    received_by: frozenset[str]
    log_key: bytes | None


class Pipeline:
    """Everything between the protocol and the rest of the world. One per process."""

    def __init__(self, ledger: Ledger, relay: Relay, configuration: Configuration) -> None:
        self._ledger = ledger
        self._relay = relay
        self._configuration = configuration

    async def receive(self, delivery: Delivery) -> list[LmtpReply]:
        """Decide a delivery; one reply per recipient, in their order. Never raises but for cancellation."""
        settled: set[int] = set()
        return [await self._receive_one(delivery, path, settled) for path in delivery.envelope.forward_paths]

    async def _receive_one(self, delivery: Delivery, path: str, settled: set[int]) -> LmtpReply:
        try:
            await self._settle(delivery, path, settled)
        except (Outage, RelayUnavailable, BeingAnswered) as trouble:
            log.warning("deferred: %s", trouble)
            return LmtpReply(451, "4.3.0", "Try again later")
        except Exception:  # noqa: BLE001 (a bug of ours must not hurt anybody's mail; it is logged and kept)
            return await self._quarantine(delivery, path, traceback.format_exc())
        return ACCEPTED

    async def _settle(self, delivery: Delivery, path: str, settled: set[int]) -> None:
        message = read_message(
            delivery.content, delivery.envelope.reverse_path, received_by=self._configuration.received_by
        )
        try:
            address = addresses.copied_address(path, self._configuration.autoreply_domain)
        except addresses.AddressError as error:
            await self._record(Decision(Reason.NO_MAILBOX, str(error)), _Copy(message, path, path, ""))
            return
        base = addresses.without_subaddress(address, self._configuration.policy.recipient_delimiter)
        copy = _Copy(message, address, base, message.queue_id or _digest(delivery.content))
        if decided := decide_by_message(message, self._configuration.policy):
            await self._record(decided, copy)
            return
        await self._settle_mailboxes(copy, settled)

    async def _settle_mailboxes(self, copy: "_Copy", settled: set[int]) -> None:
        behind = await self._load(copy)
        if not behind:
            await self._record(Decision(Reason.NO_MAILBOX), copy)
        for one in behind:
            if one.mailbox.id not in settled:
                settled.add(one.mailbox.id)
                await self._settle_mailbox(copy, one)

    async def _load(self, copy: "_Copy") -> list[Behind]:
        for address in dict.fromkeys([copy.address, copy.base]):
            if behind := await self._ledger.load(address, copy.key, copy.queue_id):
                return behind
        return []

    async def _settle_mailbox(self, copy: "_Copy", one: Behind) -> None:
        mailbox_id = one.mailbox.id
        for _look in range(LOOKS_AGAIN):
            decided = decide(copy.message, one.mailbox, self._configuration.policy, one.now, one.previous)
            if decided.reason is not Reason.REPLIED or decided.responder is None:
                return await self._record(decided, copy, one)
            claim = Claim(
                decided.responder.id, copy.key, decided.responder.activation, decided.responder.text_revision,
                copy.queue_id,
            )  # fmt: skip
            if await self._ledger.claim(claim):
                return await self._answer(decided, copy, one, claim)
            # Lost to another copy, or the responder changed meanwhile: look at what is there now.
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            fresh = [other for other in await self._load(copy) if other.mailbox.id == mailbox_id]
            if not fresh:
                return await self._record(Decision(Reason.NO_MAILBOX), copy, one)
            one = fresh[0]
        raise BeingAnswered("the same copy is being answered")

    async def _answer(self, decided: Decision, copy: "_Copy", one: Behind, claim: Claim) -> None:
        if decided.responder is None:
            raise AssertionError("a reply has its responder")
        reply = compose(
            render(decided.responder, one.mailbox, copy.message), one.mailbox, copy.message,
            now=one.now, hostname=self._configuration.hostname, from_address=one.mailbox.address,
        )  # fmt: skip
        try:
            await self._relay.submit(reply)
        except RelayUnavailable:
            await self._ledger.release(claim)
            raise
        except Refused as refusal:
            decided = Decision(Reason.REFUSED, str(refusal), decided.misses, decided.responder)
        await self._record(decided, copy, one, claim)

    async def _record(
        self, decided: Decision, copy: "_Copy", one: Behind | None = None, claim: Claim | None = None
    ) -> None:
        closes = Reason.REPLIED if decided.reason is Reason.REPLIED else Reason.REFUSED
        await self._ledger.record(
            Record(
                forward_path=copy.address, base_path=copy.base, reverse_path=copy.message.reverse_path,
                reason=decided.reason.value, evidence=decided.evidence, misses=decided.misses,
                message_id=copy.message.message_id or "", queue_id=copy.queue_id,
                mailbox_id=one.mailbox.id if one else None,
                responder_id=decided.responder.id if decided.responder else None,
                claim=claim, claim_state=closes.value if claim else None,
            )
        )  # fmt: skip
        self._log(decided, copy)

    async def _quarantine(self, delivery: Delivery, path: str, trace: str) -> LmtpReply:
        """A bug of ours: keep the message for the operator, and let the mail go on."""
        log.error("error on a message from %s\n%s", self._shown(delivery.envelope.reverse_path), trace)
        reverse_path = delivery.envelope.reverse_path
        try:
            await self._ledger.quarantine(reverse_path, path, trace, delivery.content)
            address = _address_or_path(path, self._configuration.autoreply_domain)
            last_line = trace.strip().rpartition("\n")[2]
            await self._ledger.record(
                Record(address, address, reverse_path, Reason.ERROR.value, last_line, (), "", _digest(delivery.content))
            )
        except Outage:
            return LmtpReply(451, "4.3.0", "Try again later")
        except Exception:
            log.exception("the message could not be kept")
        return QUARANTINED

    def _log(self, decided: Decision, copy: "_Copy") -> None:
        name, colon, _value = decided.evidence.partition(":")
        log.info(
            "decision=%s queue_id=%s sender=%s recipient=%s evidence=%s",
            decided.reason.value, copy.queue_id, self._shown(copy.message.reverse_path), self._shown(copy.address),
            name if colon else "-",
        )  # fmt: skip

    def _shown(self, address: str) -> str:
        """The address as the log may show it: a keyed hash, or plain where the operator says so."""
        key = self._configuration.log_key
        if not address:
            return "<>"
        if key is None:
            return addresses.memory_key(address) if "\n" in address else address
        return hmac.new(key, addresses.memory_key(address).encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy on its way: the message, the address as written and without its subaddress, and the copy's name."""

    message: Message
    address: str
    base: str
    queue_id: str

    @property
    def key(self) -> str:
        return addresses.memory_key(self.message.reverse_path)


def _digest(content: bytes) -> str:
    """A name for a copy without a queue id: the same when it comes again."""
    return "digest:" + hashlib.sha256(header_block(content)).hexdigest()[:32]


def _address_or_path(path: str, autoreply_domain: str) -> str:
    try:
        return addresses.copied_address(path, autoreply_domain)
    except addresses.AddressError:
        return path
