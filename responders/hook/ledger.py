"""The hook's only SQL: load, claim, record, release, quarantine.

Reading goes over a few connections, writing over one: whatever waits at that moment shares one statement and one
commit. Times are the database's own (`panel_now()`). Every text is cleaned of NUL and lone surrogates here, at the
edge. Raises `Outage` where the database cannot be reached: time mends that, Postfix keeps the copy.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import psycopg
from psycopg.rows import tuple_row

from responders.core.facts import MailboxFacts, Previous, PreviousResponses, ResponderFacts
from responders.core.schedule import Window

LEASE_SECONDS = 600  # longer than all time-outs of a submission together
STATEMENT_SECONDS = 10
READERS = 3
MAX_BATCH = 500
QUARANTINED_OCTETS = 1280 * 1024

Item = TypeVar("Item")
Result = TypeVar("Result")


class Outage(RuntimeError):
    """The database is away, or too slow to wait for."""


class Behind(NamedTuple):
    """A mailbox behind an address, the moment of the database's clock (UTC), and the sender's previous responses."""

    mailbox: MailboxFacts
    now: datetime
    previous: PreviousResponses
    is_claimed_by_this_copy: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer a sender once with a text; `queue_id` names the copy that holds it."""

    responder_id: int
    reverse_path_key: str
    activation: int
    text_revision: int
    queue_id: str

    @property
    def key(self) -> tuple[int, str, int, int]:
        return self.responder_id, self.reverse_path_key, self.activation, self.text_revision


@dataclass(frozen=True, slots=True)
class Record:
    """A decision as it is kept. Without a mailbox the database finds who is behind `forward_path` (or `base_path`).

    `claim_state` closes `claim` in the same commit: replied or refused.
    """

    forward_path: str
    base_path: str
    reverse_path: str
    reason: str
    evidence: str
    misses: tuple[str, ...]
    message_id: str
    queue_id: str
    mailbox_id: int | None = None
    responder_id: int | None = None
    claim: Claim | None = None
    claim_state: str | None = None


_LOAD = """
SELECT panel_now(), m.id, m.address, m.name, m.language, m.time_zone,
    (SELECT array_agg(own.address::text) FROM mail_recipients own WHERE own.mailbox_id = m.id AND own.is_own),
    r.id, r.type, r.is_enabled, r.from_utc, r.to_utc, r.time_zone, r.from_date, r.to_date,
    r.subject, r.text_body, r.html_body, r.text_revision, r.activation, r.interval_days,
    coalesce(p.replied_at, p.claimed_at), p.state = 'claimed' AND p.queue_id = %(queue_id)s
FROM mail_recipients b
JOIN mailboxes_mailbox m ON m.id = b.mailbox_id
LEFT JOIN responders_responder r ON r.mailbox_id = m.id
LEFT JOIN responders_previousresponse p ON p.responder_id = r.id AND p.reverse_path_key = %(key)s
    AND p.activation = r.activation AND p.text_revision = r.text_revision
WHERE b.address = %(address)s
ORDER BY m.id, r.position, r.id
"""

# A stale cache or a switch thrown meanwhile never replies: the join looks once more. Of the rows that exist, a
# claim passes its own copy again once the lease has run out, and another copy once the interval is over.
_CLAIM = """
INSERT INTO responders_previousresponse AS p
    (responder_id, reverse_path_key, activation, text_revision, queue_id, state, claimed_at, lease_until)
SELECT c.responder_id, c.key, c.activation, c.text_revision, c.queue_id, 'claimed', panel_now(),
    panel_now() + make_interval(secs => %(lease)s)
FROM unnest(%(responder_id)s::bigint[], %(key)s::text[], %(activation)s::int[], %(text_revision)s::int[],
    %(queue_id)s::text[]) AS c (responder_id, key, activation, text_revision, queue_id)
JOIN responders_responder r ON r.id = c.responder_id AND r.is_enabled
    AND r.activation = c.activation AND r.text_revision = c.text_revision
    AND (r.from_utc IS NULL OR r.from_utc <= panel_now()) AND (r.to_utc IS NULL OR panel_now() < r.to_utc)
ORDER BY 1, 2, 3, 4
ON CONFLICT (responder_id, reverse_path_key, activation, text_revision) DO UPDATE SET
    queue_id = excluded.queue_id, state = 'claimed', claimed_at = excluded.claimed_at,
    lease_until = excluded.lease_until, replied_at = NULL
WHERE (p.state = 'claimed' AND p.queue_id = excluded.queue_id AND p.lease_until <= excluded.claimed_at)
    OR (p.queue_id <> excluded.queue_id AND coalesce(p.replied_at, p.claimed_at) <= excluded.claimed_at
        - make_interval(days => (SELECT interval_days FROM responders_responder WHERE id = p.responder_id)))
RETURNING responder_id, reverse_path_key, activation, text_revision
"""

_RECORD = """
WITH decided AS (
    SELECT * FROM unnest(%(forward_path)s::text[], %(base_path)s::text[], %(reverse_path)s::text[], %(reason)s::text[],
        %(evidence)s::text[], %(misses)s::text[], %(message_id)s::text[], %(queue_id)s::text[],
        %(mailbox_id)s::bigint[], %(responder_id)s::bigint[])
    AS d (forward_path, base_path, reverse_path, reason, evidence, misses, message_id, queue_id,
        mailbox_id, responder_id)
), closed AS (
    UPDATE responders_previousresponse p SET state = c.state,
        replied_at = CASE WHEN c.state = 'replied' THEN panel_now() END
    FROM unnest(%(c_responder_id)s::bigint[], %(c_key)s::text[], %(c_activation)s::int[], %(c_text_revision)s::int[],
        %(c_queue_id)s::text[], %(c_state)s::text[])
        AS c (responder_id, key, activation, text_revision, queue_id, state)
    WHERE p.responder_id = c.responder_id AND p.reverse_path_key = c.key AND p.activation = c.activation
        AND p.text_revision = c.text_revision AND p.queue_id = c.queue_id
)
INSERT INTO responders_decision
    (mailbox_id, responder_id, decided_at, reverse_path, forward_path, reason, evidence, misses, message_id, queue_id)
SELECT coalesce(m.id, b.mailbox_id), r.id, panel_now(), d.reverse_path, d.forward_path, d.reason, d.evidence,
    d.misses::jsonb, d.message_id, d.queue_id
FROM decided d
LEFT JOIN mailboxes_mailbox m ON m.id = d.mailbox_id
LEFT JOIN responders_responder r ON r.id = d.responder_id
LEFT JOIN LATERAL (
    SELECT DISTINCT v.mailbox_id FROM mail_recipients v
    WHERE d.mailbox_id IS NULL AND v.address = CASE
        WHEN EXISTS (SELECT FROM mail_recipients e WHERE e.address = d.forward_path) THEN d.forward_path
        ELSE d.base_path END
) b ON true
"""

_RELEASE = """
UPDATE responders_previousresponse SET lease_until = panel_now()
WHERE responder_id = %s AND reverse_path_key = %s AND activation = %s AND text_revision = %s AND queue_id = %s
    AND state = 'claimed'
"""

_QUARANTINE = """
INSERT INTO responders_quarantinedmessage (received_at, reverse_path, forward_path, traceback, content)
VALUES (panel_now(), %s, %s, %s, %s)
"""


class Ledger:
    """Made once per process. `parameters` are libpq's, as psycopg takes them."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._readers: asyncio.Queue[_Connection] = asyncio.Queue()
        self._connections = [_Connection(parameters) for _ in range(READERS + 1)]
        for reader in self._connections[1:]:
            self._readers.put_nowait(reader)
        self._writer = self._connections[0]
        self._claims = Batcher(self._claim_batch)
        self._records = Batcher(self._record_batch)

    async def close(self) -> None:
        """Close every connection; what waits for a batch has been answered before."""
        self._claims.stop()
        self._records.stop()
        for connection in self._connections:
            await connection.close()

    async def is_ready(self) -> bool:
        """Whether the database answers."""
        try:
            await self._read("SELECT 1", None)
        except Outage:
            return False
        return True

    async def load(self, address: str, reverse_path_key: str, queue_id: str) -> list[Behind]:
        """The mailboxes behind an address in normal form, each with all that a decision needs."""
        parameters = {"address": clean(address), "key": clean(reverse_path_key), "queue_id": clean(queue_id)}
        rows = await self._read(_LOAD, parameters)
        by_mailbox: dict[int, list[tuple[Any, ...]]] = {}
        for row in rows:
            by_mailbox.setdefault(row[1], []).append(row)
        return [_behind(rows_of_one) for rows_of_one in by_mailbox.values()]

    async def claim(self, claim: Claim) -> bool:
        """Whether this copy may answer now. All claims that wait at this moment share a commit."""
        return await self._claims.submit(claim)

    async def record(self, record: Record) -> None:
        """Keep a decision, and close its claim, in a commit shared with all that wait."""
        await self._records.submit(record)

    async def release(self, claim: Claim) -> None:
        """Let the same copy claim again at once: the relay could not take the reply for now."""
        row = (*claim.key, claim.queue_id)
        await self._writer.run(_RELEASE, tuple(clean(value) if isinstance(value, str) else value for value in row))

    async def quarantine(self, reverse_path: str, forward_path: str, traceback: str, content: bytes) -> None:
        """Keep what the hook failed on, for the operator."""
        row = (clean(reverse_path)[:320], clean(forward_path)[:320], clean(traceback), content[:QUARANTINED_OCTETS])
        await self._writer.run(_QUARANTINE, row)

    async def _read(self, statement: str, parameters: Mapping[str, Any] | None) -> list[tuple[Any, ...]]:
        reader = await self._readers.get()
        try:
            return await reader.run(statement, parameters)
        finally:
            self._readers.put_nowait(reader)

    async def _claim_batch(self, claims: Sequence[Claim]) -> list[bool]:
        # Of one key the first in line tries; ON CONFLICT cannot touch a row twice.
        first: dict[tuple[Any, ...], int] = {}
        for place, claim in enumerate(claims):
            first.setdefault(_clean_key(claim), place)
        tried = sorted(first.items())
        keys = [key for key, _place in tried]
        rows = await self._writer.run(
            _CLAIM,
            {
                "responder_id": [key[0] for key in keys],
                "key": [key[1] for key in keys],
                "activation": [key[2] for key in keys],
                "text_revision": [key[3] for key in keys],
                "queue_id": [clean(claims[place].queue_id) for _key, place in tried],
                "lease": LEASE_SECONDS,
            },
        )
        won = {first[tuple(row)] for row in rows}
        return [place in won for place in range(len(claims))]

    async def _record_batch(self, records: Sequence[Record]) -> list[None]:
        rows = [_decision_row(record) for record in records]
        closing = [record for record in records if record.claim and record.claim_state]
        claims = [(*_clean_key(record.claim), clean(record.claim.queue_id), record.claim_state)
                  for record in closing if record.claim]  # fmt: skip
        decision_columns = ["forward_path", "base_path", "reverse_path", "reason", "evidence", "misses", "message_id"]
        decision_columns += ["queue_id", "mailbox_id", "responder_id"]
        claim_columns = ["c_responder_id", "c_key", "c_activation", "c_text_revision", "c_queue_id", "c_state"]
        await self._writer.run(_RECORD, _columns(decision_columns, rows) | _columns(claim_columns, claims))
        return [None] * len(records)


class Batcher(Generic[Item, Result]):
    """Hands everything that waits to one call of `commit`, which answers in the same order.

    A batch that fails for what is in it is tried again one by one, so that one poisoned item harms nobody else.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]) -> None:
        self._commit = commit
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Wait for the item's result. Raises what `commit` raised for it."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    def stop(self) -> None:
        """Give up what still waits."""
        if self._worker is not None:
            self._worker.cancel()

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            await self._settle(batch)

    async def _settle(self, batch: list[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        try:
            results = await self._commit([item for item, _future in batch])
        except Exception as error:  # noqa: BLE001 (every one that waits must hear of it)
            if len(batch) == 1 or isinstance(error, Outage):
                for _item, future in batch:
                    _fail(future, error)
                return
            for single in batch:
                await self._settle([single])
            return
        for (_item, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


class _Connection:
    """One connection, made when needed and made anew after trouble; one statement at a time, each its own commit."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = dict(parameters) | {"autocommit": True, "connect_timeout": 5}
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._lock = asyncio.Lock()

    async def run(self, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
        """Run a prepared statement and return its rows. Raises Outage, and psycopg.Error for what is in the rows."""
        async with self._lock:
            try:
                async with asyncio.timeout(STATEMENT_SECONDS):
                    return await self._run(statement, parameters)
            except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError, OSError) as error:
                await self._drop()
                raise Outage(f"database: {error}") from error

    async def close(self) -> None:
        async with self._lock:
            await self._drop()

    async def _run(self, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
        if self._connection is not None and self._is_stale(self._connection):
            await self._drop()
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(**self._parameters, row_factory=tuple_row)
            await self._connection.execute("SET timezone = 'UTC'")
            await self._connection.execute(f"SET statement_timeout = {STATEMENT_SECONDS * 1000}")
        cursor = await self._connection.execute(statement, parameters, prepare=True)
        return await cursor.fetchall() if cursor.description else []

    @staticmethod
    def _is_stale(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> bool:
        """Whether the server hung up while nobody looked (it was restarted)."""
        if connection.closed:
            return True
        try:
            connection.pgconn.consume_input()
        except psycopg.OperationalError:
            return True
        return bool(connection.closed)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def clean(text: str) -> str:
    """Without what PostgreSQL cannot store: NUL and lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")


def _clean_key(claim: Claim) -> tuple[int, str, int, int]:
    return claim.responder_id, clean(claim.reverse_path_key)[:320], claim.activation, claim.text_revision


def _decision_row(record: Record) -> tuple[Any, ...]:
    return (
        clean(record.forward_path)[:320],
        clean(record.base_path)[:320],
        clean(record.reverse_path)[:320],
        record.reason,
        clean(record.evidence)[:500],
        json.dumps(record.misses),
        clean(record.message_id)[:998],
        clean(record.queue_id)[:100],
        record.mailbox_id,
        record.responder_id,
    )


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _behind(rows: list[tuple[Any, ...]]) -> Behind:
    """The rows of one mailbox, a responder each (or none, all NULL)."""
    now, mailbox_id, address, name, language, zone, own = rows[0][:7]
    with_responder = [row for row in rows if row[7] is not None]
    mailbox = MailboxFacts(
        mailbox_id, address, name, language, zone, frozenset(own or ()),
        tuple(_responder(mailbox_id, row) for row in with_responder),
    )  # fmt: skip
    # A claim of this very copy is no previous response: it came back after a crash, or is being answered now.
    previous = {row[7]: Previous(row[21]) for row in with_responder if row[21] is not None and not row[22]}
    return Behind(mailbox, now, previous, any(row[22] for row in with_responder))


def _responder(mailbox_id: int, row: tuple[Any, ...]) -> ResponderFacts:
    (number, kind, is_enabled, from_utc, to_utc, zone, from_date, to_date, subject, text_body, html_body, revision,
     activation, interval_days) = row[7:21]  # fmt: skip
    return ResponderFacts(
        id=number, mailbox_id=mailbox_id, type=kind, is_enabled=is_enabled, window=Window(from_utc, to_utc),
        time_zone=zone, from_date=from_date, to_date=to_date, subject=subject, text_body=text_body,
        html_body=html_body, text_revision=revision, activation=activation, interval_days=interval_days,
    )  # fmt: skip


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
