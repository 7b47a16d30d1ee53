"""The hook's only SQL: load, claim, record, release, quarantine. What is asked and what the answer means stands in a
module for each subject; here is the one door to the database.

Load, claim and record are a step each, and have a connection each if they need it; whatever waits for a step at a
moment shares one statement and one commit. Times are the database's own (`panel_now()`). Every text is cleaned of NUL
and lone surrogates here, at the edge. Raises `Outage` where the database cannot do its work: time mends that, Postfix
keeps the copy.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from responders.core.facts import Policy
from responders.core.message import Message
from responders.hook.connection import Begun, Connections, Outage
from responders.hook.ledger import claiming, loading, numbering, recording
from responders.hook.ledger.batcher import Batcher
from responders.hook.ledger.claiming import Belief, Claim
from responders.hook.ledger.cleaning import clean
from responders.hook.ledger.loading import Behind, Query
from responders.hook.ledger.numbering import NewCase
from responders.hook.ledger.recording import Record
from responders.hook.metrics import Metrics

MAX_AGE = 10**9  # seconds; what a column can hold
STEPS = 3

_POLICY_NAMES = ("mailbox_replies_per_hour", "domain_replies_per_hour", "refusal_days", "system_senders")
_POLICY = """
SELECT mailbox_replies_per_hour, domain_replies_per_hour, refusal_days, system_senders::text[]
FROM responders_policyversion ORDER BY id DESC LIMIT 1
"""


_SIGN = """
INSERT INTO responders_hooksign AS h (host, at, oldest_copy) VALUES (%s, panel_now(), %s)
ON CONFLICT (host) DO UPDATE SET at = excluded.at, oldest_copy = excluded.oldest_copy
"""


@dataclass(slots=True)
class _Alone:
    """A claim that shares its commit with nobody, and the record that was done ahead."""

    claim: Claim
    begun: Begun
    record: Record | None = None


class Ledger:
    """Made once per process. `parameters` are libpq's, as psycopg takes them; of `policy` the brakes are kept to."""

    def __init__(self, parameters: Mapping[str, Any], policy: Policy, metrics: Metrics | None = None) -> None:
        self._policy = policy
        self._database = Connections(parameters, STEPS)
        self._metrics = metrics = metrics or Metrics()
        self._loads = Batcher(self._load_batch, "load", metrics)
        self._claims = Batcher(self._claim_batch, "claim", metrics)
        self._records = Batcher(self._record_batch, "record", metrics)
        self._alone: _Alone | None = None  # the latest claim that was
        self._is_beginning = False

    async def close(self) -> None:
        """Close every connection; what waits for a batch has been answered before."""
        for batcher in (self._loads, self._claims, self._records):
            batcher.stop()
        await self._database.close()

    async def is_ready(self) -> bool:
        """Whether the database answers."""
        try:
            await self._database.run("SELECT panel_now()")
        except Outage:
            return False
        return True

    def use(self, policy: Policy) -> None:
        """Keep to its brakes from now on."""
        self._policy = policy

    async def policy_changes(self) -> Mapping[str, Any]:
        """What the administration says otherwise than the environment, by `Policy`'s names; None says nothing."""
        rows = await self._database.run(_POLICY)
        return dict(zip(_POLICY_NAMES, rows[0], strict=True)) if rows else {}

    async def sign(self, host: str, oldest_copy: float) -> None:
        """Say that this host's hook is alive; the age in seconds of the oldest copy that came lately."""
        await self._database.run(_SIGN, (clean(host)[:253], min(int(oldest_copy), MAX_AGE)))

    def load(self, query: Query) -> "asyncio.Future[list[Behind]]":
        """The mailboxes behind the address, each with all that a decision needs; all queries that wait in one."""
        return self._loads.submit(query)

    async def conversation(self, one: Behind, message: Message, reverse_path_key: str, queue_id: str) -> Behind:
        """The same with what is known of the conversation, for responders that give case numbers."""
        values = numbering.of_conversation(one, message, reverse_path_key, queue_id)
        return numbering.with_number(one, await self._database.run(numbering.CONVERSATION, values))

    async def open_case(self, new: NewCase) -> str | None:
        """The number of the conversation, given now unless it was before; None: the sender had too many lately."""
        [(number,)] = await self._database.run(numbering.OPEN_CASE, numbering.of_new(new))
        return None if number is None else str(number)

    async def add_to_case(self, mailbox_id: int, number: str, message_id: str) -> None:
        """Later messages that refer to this one belong to the case."""
        values = {"mailbox_id": mailbox_id, "number": number, "message_id": message_id}
        await self._database.run(numbering.ADD_TO_CASE, values)

    async def claim(self, claim: Claim, belief: Belief | None = None) -> Awaitable[bool]:
        """Ask whether this copy may answer now, and whether what is believed is so; the answer is to be awaited. All
        claims that wait at this moment share a commit.
        """
        if not self._is_alone:
            claimed = self._claims.submit((claim, belief))
            await asyncio.sleep(0)  # the database has it when this returns
            return claimed
        self._is_beginning = True
        try:
            question = claiming.question([claim], [belief], claiming.first_of_each([claim]), self._policy)
            begun = await self._database.begin(*question)
        finally:
            self._is_beginning = False
        self._alone = alone = _Alone(claim, begun)
        return self._won(alone)

    def record_ahead(self, record: Record) -> None:
        """Say what there will be to record if its claim is won and the relay takes the reply: for a claim that is alone
        it is done meanwhile, and committed by `record` and nobody else.
        """
        if (alone := self._begun_for(record.claim)) is None:
            return
        with contextlib.suppress(Exception):  # a bug is met again by `record`; the claim has been asked for
            alone.begun.follow(*recording.question([record]))
            alone.record = record

    async def record(self, record: Record) -> None:
        """Keep a decision, and close its claim, in a commit shared with all that wait."""
        if (alone := self._begun_for(record.claim)) is not None:
            if alone.record == record and await self._keep(alone.begun):
                return
            await alone.begun.undo()
        await self._records.settle(record)

    async def draw_brake(self, mailbox_id: int, *, is_of_domain: bool, per_hour: int) -> None:
        """Keep that a brake is drawn, for those who tell owner and staff."""
        values = {"mailbox": mailbox_id, "is_of_domain": is_of_domain, "per_hour": per_hour}
        await self._database.run(claiming.DRAW, values)

    async def remember_refusal(self, address: str, words: str) -> None:
        """Keep that an address (in normal form) refused a reply for good."""
        await self._database.run(recording.REFUSAL, (clean(address)[:320], clean(words)[:500]))

    async def release(self, claim: Claim) -> None:
        """Let the same copy claim again at once: the relay could not take the reply for now."""
        await self._undo_ahead(claim)
        await self._database.run(claiming.RELEASE, claiming.of_claim(claim))

    async def forget(self, claim: Claim) -> None:
        """Give a claim back as if it had not been made: no reply was tried."""
        await self._undo_ahead(claim)
        await self._database.run(claiming.FORGET, claiming.of_claim(claim))

    async def quarantine(self, record: Record, traceback: str, content: bytes) -> None:
        """Keep the decision, and what the hook failed on for the operator."""
        values = recording.of_quarantined(record, traceback, content)
        await self._database.run(recording.QUARANTINE, values)
        await self.record(record)

    @property
    def _is_alone(self) -> bool:
        """Whether a claim that comes now has nobody to share with; of several recipients of a message one is enough."""
        is_held = self._is_beginning or (self._alone is not None and not self._alone.begun.is_over)
        return not is_held and self._claims.is_alone and self._records.is_alone

    async def _won(self, alone: _Alone) -> bool:
        with self._metrics.shared("claim", 1):
            has_won = bool(await alone.begun.rows())
        if not has_won:
            await alone.begun.undo()
        return has_won

    async def _keep(self, begun: Begun) -> bool:
        with self._metrics.shared("record", 1):
            return await begun.keep()

    def _begun_for(self, claim: Claim | None) -> _Alone | None:
        """What was begun for this claim, and is not over."""
        alone = self._alone
        return None if claim is None or alone is None or alone.begun.is_over or alone.claim != claim else alone

    async def _undo_ahead(self, claim: Claim) -> None:
        if (alone := self._begun_for(claim)) is not None:
            await alone.begun.undo()

    async def _load_batch(self, queries: Sequence[Query]) -> list[list[Behind]]:
        rows = await self._database.run(*loading.question(queries))
        return loading.answers(rows, len(queries))

    async def _claim_batch(self, tries: Sequence[tuple[Claim, Belief | None]]) -> list[bool]:
        claims, beliefs = [claim for claim, _belief in tries], [belief for _claim, belief in tries]
        first = claiming.first_of_each(claims)
        rows = await self._database.run(*claiming.question(claims, beliefs, first, self._policy))
        won = {first[tuple(row)] for row in rows}
        return [place in won for place in range(len(claims))]

    async def _record_batch(self, records: Sequence[Record]) -> list[None]:
        await self._database.run(*recording.question(records))
        return [None] * len(records)
