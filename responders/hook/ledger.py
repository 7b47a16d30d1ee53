"""The hook's only SQL: load, claim, record, release, quarantine.

Load, claim and record are a step each, and have a connection each if they need it; whatever waits for a step at a
moment shares one statement and one commit. Times are the database's own (`panel_now()`). Every text is cleaned of NUL
and lone surrogates here, at the edge. Raises `Outage` where the database cannot do its work: time mends that, Postfix
keeps the copy.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

from responders.core import cases
from responders.core.facts import (
    Audience,
    Brake,
    CaseForm,
    Conditions,
    MailboxFacts,
    Policy,
    Previous,
    PreviousResponses,
    Reason,
    ResponderFacts,
    Text,
    WayBack,
)
from responders.core.hours import HoursMode, OfficeHours
from responders.core.message import Message
from responders.core.schedule import Window
from responders.hook.connection import Connections, Outage, Row, Statement
from responders.hook.metrics import Metrics

LEASE_SECONDS = 600  # longer than all time-outs of a submission together
MAX_BATCH = 500
MAX_AGE = 10**9  # seconds; what a column can hold
# Under load, what comes within this time shares a commit; a message that comes alone waits for nobody. Seconds.
LINGER = 0.001
ENOUGH = 8  # wait for no more
# A claim is seen by everybody at once, and kept for good by the commit of its record, which follows it in the log of
# the database and is waited for before the copy is accepted. A database that crashes in between may forget both; then
# the copy comes again, as after any crash between the relay's 250 and the record.
_KEPT_LATER = "(SELECT set_config('synchronous_commit', 'off', true)) AS kept_later"  # of this transaction alone
STEPS = 3

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Query:
    """What to load: an address in normal form, the same without its subaddress, the sender's key and address (in
    normal form, empty where it has none), the copy's name.
    """

    address: str
    base: str
    reverse_path_key: str
    sender: str
    queue_id: str


class Behind(NamedTuple):
    """A mailbox behind an address, the moment of the database's clock (UTC), the sender's previous responses, and
    what is known of the way back to the sender.

    `case_number`: of the conversation, where one of the responders gives numbers and the conversation has one.
    """

    mailbox: MailboxFacts
    now: datetime
    previous: PreviousResponses
    way_back: WayBack = WayBack()
    case_number: str = ""


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
class NewCase:
    """A conversation that is to get a number; `opened_by` names its first message, the same when it comes again."""

    mailbox_id: int
    responder_id: int
    head: str
    reverse_path: str
    reverse_path_key: str
    subject: str
    opened_by: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """A decision as it is kept. Without a mailbox the database finds who is behind `address`, or `base`.

    `claim` is closed in the same commit: replied, or whatever else the reason says, refused.
    """

    address: str
    base: str
    reverse_path: str
    reason: str
    evidence: str
    misses: tuple[str, ...]
    message_id: str
    queue_id: str
    mailbox_id: int | None = None
    responder_id: int | None = None
    claim: Claim | None = None


# The mailboxes behind an address; behind the address without its subaddress where nobody has it as it is written.
# To make a plan ready for its run costs more than the run: what no item of a batch needs is left out of its statement.
# OFFSET 0 keeps it a question for each address: joined with the rest it could read all mailboxes while there are few.
_EXACTLY = "SELECT v.mailbox_id FROM mail_recipients v WHERE v.address = a.address"
_BEHIND = f"""
    {_EXACTLY}
    UNION ALL
    SELECT v.mailbox_id FROM mail_recipients v WHERE v.address = a.base AND a.base <> a.address
        AND NOT EXISTS (SELECT FROM mail_recipients e WHERE e.address = a.address)
"""  # noqa: S608 (put together from constants)

# Replies begun within the last hour: seven buckets of ten minutes, so that no hour holds more than the brake allows.
_BUCKET = "date_bin('10 minutes', panel_now(), 'epoch')"
_COUNTED = """(SELECT coalesce(sum(t.replies), 0)::int FROM responders_replycount t
        WHERE t.key = {key} AND t.bucket > panel_now() - interval '70 minutes' AND t.bucket < {until})"""

# A claim of this very copy is no previous response: the copy came back after a crash, or is being answered now.
# A reply to this very copy counts as given now: however late it comes again, it is never answered twice.
# Texts that cannot be needed stay where they are: old absence messages add up.
_LOADED_BEHIND = """
SELECT a.place, panel_now(), m.id, m.address, m.name, m.language, m.time_zone,
    ARRAY(SELECT o.address::text FROM mail_recipients o WHERE o.mailbox_id = m.id AND o.is_own),
    CASE WHEN s.name = d.name OR s.customer_id = d.customer_id THEN ARRAY[s.name::text] ELSE '{}' END,
    c.of_mailbox, m.replies_per_hour, c.of_domain, d.replies_per_hour,
    f.refused_at, f.words, s.name IS NOT NULL, d.has_bounce_address,
    r.id, r.type, r.is_enabled, r.from_utc, r.to_utc, r.time_zone, r.from_date, r.to_date,
    CASE WHEN t.may_answer THEN r.subject ELSE '' END, CASE WHEN t.may_answer THEN r.text_body ELSE '' END,
    CASE WHEN t.may_answer THEN r.html_body ELSE '' END, r.text_revision, r.activation, r.interval_days,
    r.answers_once, r.language, CASE WHEN t.may_answer THEN r.texts ELSE '[]' END, r.audience, r.addresses::text[],
    r.words::text[], r.words_in_body, r.word_forms, r.senders::text[], r.deputy_name, r.deputy_address,
    r.gives_case_numbers, r.case_form, r.case_prefix,
    r.hours_mode, r.office_days::int[], r.office_opens, r.office_closes,
    r.country, r.holidays_are_off, p.replied_at
FROM unnest(%(address)s::text[], %(base)s::text[], %(key)s::text[], %(sender)s::text[], %(sender_domain)s::text[],
    %(queue_id)s::text[]) WITH ORDINALITY AS a (address, base, key, sender, sender_domain, queue_id, place)
CROSS JOIN LATERAL (%s) b
JOIN mailboxes_mailbox m ON m.id = b.mailbox_id
JOIN mailboxes_domain d ON d.name = m.domain_id
LEFT JOIN mailboxes_domain s ON s.name = a.sender_domain
CROSS JOIN LATERAL (
    SELECT coalesce(sum(t.replies) FILTER (WHERE t.key = 'm' || m.id), 0)::int AS of_mailbox,
        coalesce(sum(t.replies) FILTER (WHERE t.key = 'd' || d.name), 0)::int AS of_domain
    FROM responders_replycount t
    WHERE t.key IN ('m' || m.id, 'd' || d.name) AND t.bucket > panel_now() - interval '70 minutes'
) c
LEFT JOIN responders_refusal f ON f.address = a.sender
LEFT JOIN responders_responder r ON r.mailbox_id = m.id
CROSS JOIN LATERAL (SELECT r.is_enabled AND (r.to_utc IS NULL OR panel_now() < r.to_utc) AS may_answer) t
LEFT JOIN LATERAL (
    SELECT CASE WHEN p.queue_id = a.queue_id THEN panel_now() ELSE coalesce(p.replied_at, p.claimed_at) END
        AS replied_at
    FROM responders_previousresponse p
    WHERE p.responder_id = r.id AND p.reverse_path_key = a.key AND p.activation = r.activation
        AND p.text_revision = r.text_revision AND NOT (p.state = 'claimed' AND p.queue_id = a.queue_id)
    LIMIT 1  -- there is one at most; this makes the whole key one look into the index, whatever the statistics say
) p ON true
ORDER BY a.place, m.id, r.position, r.id
"""
_LOAD = Statement(_LOADED_BEHIND.replace("(%s)", f"({_BEHIND} OFFSET 0)"))
_LOAD_EXACTLY = Statement(_LOADED_BEHIND.replace("(%s)", f"({_EXACTLY} OFFSET 0)"))

# A stale cache or a switch thrown meanwhile never replies: the join looks once more. What is wanted is counted for its
# mailbox and its domain, which other processes wait for, and passes as far as the brakes allow. Of the rows that exist,
# a claim passes its own copy again once the lease has run out, and another copy once the interval is over.
_CLAIM = Statement(f"""
WITH wanted AS (
    SELECT c.*, k.of_mailbox, k.of_domain,
        coalesce(m.replies_per_hour, %(mailbox_limit)s) AS mailbox_limit,
        coalesce(d.replies_per_hour, %(domain_limit)s) AS domain_limit,
        row_number() OVER (PARTITION BY m.id ORDER BY c.responder_id, c.key) AS mailbox_place,
        row_number() OVER (PARTITION BY m.domain_id ORDER BY c.responder_id, c.key) AS domain_place
    FROM unnest(%(responder_id)s::bigint[], %(key)s::text[], %(activation)s::int[], %(text_revision)s::int[],
        %(queue_id)s::text[]) AS c (responder_id, key, activation, text_revision, queue_id)
    CROSS JOIN {_KEPT_LATER}
    JOIN responders_responder r ON r.id = c.responder_id AND r.is_enabled
        AND r.activation = c.activation AND r.text_revision = c.text_revision
        AND (r.from_utc IS NULL OR r.from_utc <= panel_now()) AND (r.to_utc IS NULL OR panel_now() < r.to_utc)
    JOIN mailboxes_mailbox m ON m.id = r.mailbox_id
    JOIN mailboxes_domain d ON d.name = m.domain_id
    CROSS JOIN LATERAL (SELECT 'm' || m.id AS of_mailbox, 'd' || m.domain_id AS of_domain) k
), keys AS (
    SELECT v.key, count(*) AS wanted, {_COUNTED.format(key="v.key", until=_BUCKET)} AS older
    FROM wanted w, LATERAL (VALUES (w.of_mailbox), (w.of_domain)) v (key) GROUP BY v.key
), counted AS (
    INSERT INTO responders_replycount AS t (key, bucket, replies)
    SELECT key, {_BUCKET}, wanted FROM keys ORDER BY key
    ON CONFLICT (key, bucket) DO UPDATE SET replies = t.replies + excluded.replies
    RETURNING key, replies
)
INSERT INTO responders_previousresponse AS p
    (responder_id, reverse_path_key, activation, text_revision, queue_id, state, claimed_at, lease_until)
SELECT w.responder_id, w.key, w.activation, w.text_revision, w.queue_id, 'claimed', panel_now(),
    panel_now() + make_interval(secs => %(lease)s)
FROM wanted w
JOIN keys mk ON mk.key = w.of_mailbox JOIN counted mc ON mc.key = mk.key
JOIN keys dk ON dk.key = w.of_domain JOIN counted dc ON dc.key = dk.key
WHERE (w.mailbox_limit = 0 OR mk.older + mc.replies - mk.wanted + w.mailbox_place <= w.mailbox_limit)
    AND (w.domain_limit = 0 OR dk.older + dc.replies - dk.wanted + w.domain_place <= w.domain_limit)
ORDER BY 1, 2, 3, 4
ON CONFLICT (responder_id, reverse_path_key, activation, text_revision) DO UPDATE SET
    queue_id = excluded.queue_id, state = 'claimed', claimed_at = excluded.claimed_at,
    lease_until = excluded.lease_until, replied_at = NULL
WHERE (p.state = 'claimed' AND p.queue_id = excluded.queue_id AND p.lease_until <= excluded.claimed_at)
    OR (p.queue_id <> excluded.queue_id AND coalesce(p.replied_at, p.claimed_at) <= excluded.claimed_at
        - (SELECT make_interval(days => interval_days) FROM responders_responder
            WHERE id = p.responder_id AND NOT answers_once))
RETURNING responder_id, reverse_path_key, activation, text_revision
""")  # noqa: S608 (put together from constants)

_DECIDED = """
WITH decided AS (
    SELECT * FROM unnest(%(address)s::text[], %(base)s::text[], %(reverse_path)s::text[], %(reason)s::text[],
        %(evidence)s::text[], %(misses)s::text[], %(message_id)s::text[], %(queue_id)s::text[],
        %(mailbox_id)s::bigint[], %(responder_id)s::bigint[])
    AS a (address, base, reverse_path, reason, evidence, misses, message_id, queue_id, mailbox_id, responder_id)
)"""
_CLOSED = """, closed AS (
    UPDATE responders_previousresponse p SET state = c.state,
        replied_at = CASE WHEN c.state = 'replied' THEN panel_now() END
    FROM unnest(%(c_responder_id)s::bigint[], %(c_key)s::text[], %(c_activation)s::int[], %(c_text_revision)s::int[],
        %(c_queue_id)s::text[], %(c_state)s::text[])
        AS c (responder_id, key, activation, text_revision, queue_id, state)
    WHERE p.responder_id = c.responder_id AND p.reverse_path_key = c.key AND p.activation = c.activation
        AND p.text_revision = c.text_revision AND p.queue_id = c.queue_id
)"""


def _record(*, closes: bool, finds: bool) -> Statement:
    """Decisions kept. `closes`: with claims among them; `finds`: some do not know their mailbox."""
    return Statement(f"""
{_DECIDED}{_CLOSED if closes else ""}
INSERT INTO responders_decision
    (mailbox_id, responder_id, decided_at, reverse_path, forward_path, reason, evidence, misses, message_id, queue_id)
SELECT {"coalesce(m.id, b.mailbox_id)" if finds else "m.id"}, r.id, panel_now(), a.reverse_path, a.address, a.reason,
    a.evidence, to_jsonb(string_to_array(a.misses, ',')), a.message_id, a.queue_id
FROM decided a
LEFT JOIN mailboxes_mailbox m ON m.id = a.mailbox_id
LEFT JOIN responders_responder r ON r.id = a.responder_id
{f"LEFT JOIN LATERAL ({_BEHIND}) b ON a.mailbox_id IS NULL" if finds else ""}
""")  # noqa: S608 (put together from constants)


_RECORD = {(closes, finds): _record(closes=closes, finds=finds) for closes in (False, True) for finds in (False, True)}

# A new drawing after an hour without one: then somebody is to be told again.
_DRAW = """
INSERT INTO responders_drawnbrake AS b (key, mailbox_id, is_of_domain, replies_per_hour, drawn_at, last_at)
SELECT CASE WHEN %(is_of_domain)s THEN 'd' || domain_id ELSE 'm' || id END, id, %(is_of_domain)s, %(per_hour)s,
    panel_now(), panel_now()
FROM mailboxes_mailbox WHERE id = %(mailbox)s
ON CONFLICT (key) DO UPDATE SET
    last_at = excluded.last_at, mailbox_id = excluded.mailbox_id, replies_per_hour = excluded.replies_per_hour,
    drawn_at = CASE WHEN b.last_at < panel_now() - interval '1 hour' THEN excluded.drawn_at ELSE b.drawn_at END,
    told_at = CASE WHEN b.last_at < panel_now() - interval '1 hour' THEN NULL ELSE b.told_at END
"""

# Of an address of ours the relay or Dovecot says so again, should it still be so.
_REFUSAL = """
INSERT INTO responders_refusal (address, refused_at, words)
SELECT a.address, panel_now(), a.words FROM (VALUES (%s, %s)) AS a (address, words)
WHERE NOT EXISTS (SELECT FROM mailboxes_domain d WHERE d.name = split_part(a.address, '@', -1))
ON CONFLICT (address) DO UPDATE SET refused_at = excluded.refused_at, words = excluded.words
"""

_OF_THIS_COPY = """p.responder_id = %(responder_id)s AND p.reverse_path_key = %(key)s AND p.activation = %(activation)s
    AND p.text_revision = %(text_revision)s AND p.queue_id = %(queue_id)s AND p.state = 'claimed'"""
# No reply went out, so it does not count for the brakes. First, as claims do: so that they never wait in a circle.
_UNCOUNTED = f"""
WITH less AS (
    UPDATE responders_replycount t SET replies = greatest(t.replies - 1, 0)
    FROM responders_previousresponse p
    JOIN responders_responder r ON r.id = p.responder_id
    JOIN mailboxes_mailbox m ON m.id = r.mailbox_id
    WHERE {_OF_THIS_COPY} AND t.key IN ('m' || m.id, 'd' || m.domain_id)
        AND t.bucket = date_bin('10 minutes', p.claimed_at, 'epoch')
    RETURNING t.key
)
"""  # noqa: S608 (put together from constants)
_AFTER = f"WHERE {_OF_THIS_COPY} AND (SELECT count(*) FROM less) >= 0"  # noqa: S608 (constants)
_RELEASE = f"{_UNCOUNTED} UPDATE responders_previousresponse p SET lease_until = panel_now() {_AFTER}"  # noqa: S608 (ditto)
_FORGET = f"{_UNCOUNTED} DELETE FROM responders_previousresponse p {_AFTER}"  # noqa: S608 (put together from constants)

# The number that a conversation has, by the messages it refers to or by what its subject names; in how many cases the
# sender began lately; and, as in _LOAD, when each responder that gives numbers last answered this sender in the case.
_CONVERSATION = """
WITH found AS (
    SELECT c.id, c.number FROM responders_casemessage m JOIN responders_numberedcase c ON c.id = m.case_id
    WHERE m.message_id = ANY(%(message_ids)s::text[]) AND c.mailbox_id = %(mailbox_id)s
    UNION
    SELECT c.id, c.number FROM responders_numberedcase c
    WHERE c.mailbox_id = %(mailbox_id)s AND c.number = ANY(%(numbers)s::text[])
        AND (c.number ~ '[^0-9]' OR c.reverse_path_key = %(key)s)  -- bare digits may be anything
    ORDER BY id LIMIT 1
)
SELECT r.id, (SELECT number FROM found), (
        SELECT count(*) FROM responders_numberedcase n WHERE n.mailbox_id = %(mailbox_id)s
        AND n.reverse_path_key = %(key)s AND n.opened_at > panel_now() - make_interval(hours => %(hours)s)
    ), (
        SELECT CASE WHEN p.queue_id = %(queue_id)s THEN panel_now() ELSE coalesce(p.replied_at, p.claimed_at) END
        FROM responders_previousresponse p
        WHERE p.responder_id = r.id AND p.reverse_path_key = %(case_key)s || (SELECT number FROM found)
            AND p.activation = r.activation AND p.text_revision = r.text_revision
            AND NOT (p.state = 'claimed' AND p.queue_id = %(queue_id)s)
    )
FROM responders_responder r WHERE r.mailbox_id = %(mailbox_id)s AND r.gives_case_numbers
"""

_OPEN_CASE = """
SELECT responders_open_case(%(mailbox_id)s, %(responder_id)s, %(head)s, %(digits)s, %(reverse_path)s, %(key)s,
    %(subject)s, %(opened_by)s, %(message_id)s, %(most)s, make_interval(hours => %(hours)s))
"""

_ADD_TO_CASE = """
INSERT INTO responders_casemessage (case_id, message_id)
SELECT id, %(message_id)s FROM responders_numberedcase WHERE mailbox_id = %(mailbox_id)s AND number = %(number)s
ON CONFLICT DO NOTHING
"""

_QUARANTINE = """
INSERT INTO responders_quarantinedmessage (received_at, reverse_path, forward_path, traceback, content)
VALUES (panel_now(), %s, %s, %s, %s)
"""


_POLICY_NAMES = ("mailbox_replies_per_hour", "domain_replies_per_hour", "refusal_days", "system_senders")
_POLICY = """
SELECT mailbox_replies_per_hour, domain_replies_per_hour, refusal_days, system_senders::text[]
FROM responders_policyversion ORDER BY id DESC LIMIT 1
"""


_SIGN = """
INSERT INTO responders_hooksign AS h (host, at, oldest_copy) VALUES (%s, panel_now(), %s)
ON CONFLICT (host) DO UPDATE SET at = excluded.at, oldest_copy = excluded.oldest_copy
"""


class Ledger:
    """Made once per process. `parameters` are libpq's, as psycopg takes them; of `policy` the brakes are kept to."""

    def __init__(self, parameters: Mapping[str, Any], policy: Policy, metrics: Metrics | None = None) -> None:
        self._policy = policy
        self._database = Connections(parameters, STEPS)
        metrics = metrics or Metrics()
        self._loads = Batcher(self._load_batch, "load", metrics)
        self._claims = Batcher(self._claim_batch, "claim", metrics)
        self._records = Batcher(self._record_batch, "record", metrics)

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

    async def load(self, query: Query) -> list[Behind]:
        """The mailboxes behind the address, each with all that a decision needs; all queries that wait in one."""
        return await self._loads.submit(query)

    async def conversation(self, one: Behind, message: Message, reverse_path_key: str, queue_id: str) -> Behind:
        """The same with what is known of the conversation, for responders that give case numbers."""
        values = {
            "mailbox_id": one.mailbox.id, "key": clean(reverse_path_key)[:320], "queue_id": clean(queue_id),
            "message_ids": [clean(found)[:998] for found in cases.messages_named(message)],
            "numbers": cases.numbers_named(message), "hours": cases.CASE_HOURS,
            "case_key": cases.memory_key(clean(reverse_path_key), ""),
        }  # fmt: skip
        rows = await self._database.run(_CONVERSATION, values)
        previous = dict(one.previous) | {row[0]: Previous(row[3], row[2]) for row in rows}
        number = next((row[1] for row in rows if row[1]), "")
        return one._replace(previous=previous, case_number=number)

    async def open_case(self, new: NewCase) -> str | None:
        """The number of the conversation, given now unless it was before; None: the sender had too many lately."""
        values = {
            "mailbox_id": new.mailbox_id, "responder_id": new.responder_id, "head": new.head, "digits": cases.DIGITS,
            "reverse_path": clean(new.reverse_path)[:320], "key": clean(new.reverse_path_key)[:320],
            "subject": clean(new.subject)[:500], "opened_by": clean(new.opened_by)[:998],
            "message_id": clean(new.message_id)[:998], "most": cases.MAX_CASES, "hours": cases.CASE_HOURS,
        }  # fmt: skip
        [(number,)] = await self._database.run(_OPEN_CASE, values)  # a number is never given twice
        return None if number is None else str(number)

    async def add_to_case(self, mailbox_id: int, number: str, message_id: str) -> None:
        """Later messages that refer to this one belong to the case."""
        values = {"mailbox_id": mailbox_id, "number": number, "message_id": message_id}
        await self._database.run(_ADD_TO_CASE, values)

    def claim(self, claim: Claim) -> "asyncio.Future[bool]":
        """Whether this copy may answer now. All claims that wait at this moment share a commit."""
        return self._claims.submit(claim)

    async def record(self, record: Record) -> None:
        """Keep a decision, and close its claim, in a commit shared with all that wait."""
        await self._records.submit(record)

    async def draw_brake(self, mailbox_id: int, *, is_of_domain: bool, per_hour: int) -> None:
        """Keep that a brake is drawn, for those who tell owner and staff."""
        await self._database.run(_DRAW, {"mailbox": mailbox_id, "is_of_domain": is_of_domain, "per_hour": per_hour})

    async def remember_refusal(self, address: str, words: str) -> None:
        """Keep that an address (in normal form) refused a reply for good."""
        await self._database.run(_REFUSAL, (clean(address)[:320], clean(words)[:500]))

    async def release(self, claim: Claim) -> None:
        """Let the same copy claim again at once: the relay could not take the reply for now."""
        await self._database.run(_RELEASE, _of_claim(claim))

    async def forget(self, claim: Claim) -> None:
        """Give a claim back as if it had not been made: no reply was tried."""
        await self._database.run(_FORGET, _of_claim(claim))

    async def quarantine(self, record: Record, traceback: str, content: bytes) -> None:
        """Keep the decision, and what the hook failed on for the operator."""
        path, reverse_path = clean(record.address)[:320], clean(record.reverse_path)[:320]
        await self._database.run(_QUARANTINE, (reverse_path, path, clean(traceback), content))
        await self.record(record)

    async def _load_batch(self, queries: Sequence[Query]) -> list[list[Behind]]:
        rows = await self._database.run(
            _LOAD_EXACTLY if all(query.address == query.base for query in queries) else _LOAD,
            {
                "address": [clean(query.address) for query in queries],
                "base": [clean(query.base) for query in queries],
                "key": [clean(query.reverse_path_key) for query in queries],
                "sender": [query.sender for query in queries],
                "sender_domain": [query.sender.rpartition("@")[2] for query in queries],
                "queue_id": [clean(query.queue_id) for query in queries],
            },
        )
        loaded: list[list[Behind]] = [[] for _query in queries]
        for (place, _mailbox_id), rows_of_one in groupby(rows, key=lambda row: (row[0], row[2])):
            loaded[place - 1].append(_behind([row[1:] for row in rows_of_one]))
        return loaded

    async def _claim_batch(self, claims: Sequence[Claim]) -> list[bool]:
        # Of one key the first in line tries; ON CONFLICT cannot touch a row twice.
        first: dict[Row, int] = {}
        for place, claim in enumerate(claims):
            first.setdefault(_clean_key(claim), place)
        tried = sorted(first.items())
        keys = [key for key, _place in tried]
        rows = await self._database.run(
            _CLAIM,
            {
                "responder_id": [key[0] for key in keys],
                "key": [key[1] for key in keys],
                "activation": [key[2] for key in keys],
                "text_revision": [key[3] for key in keys],
                "queue_id": [clean(claims[place].queue_id) for _key, place in tried],
                "lease": LEASE_SECONDS,
                "mailbox_limit": self._policy.mailbox_replies_per_hour,
                "domain_limit": self._policy.domain_replies_per_hour,
            },
        )
        won = {first[tuple(row)] for row in rows}
        return [place in won for place in range(len(claims))]

    async def _record_batch(self, records: Sequence[Record]) -> list[None]:
        rows = [_decision_row(record) for record in records]
        # In the order in which claims take their rows, so that the two never wait for each other in a circle.
        claims = sorted(
            (*_clean_key(record.claim), clean(record.claim.queue_id), _closed_state(record.reason))
            for record in records
            if record.claim
        )
        decision_columns = ["address", "base", "reverse_path", "reason", "evidence", "misses", "message_id"]
        decision_columns += ["queue_id", "mailbox_id", "responder_id"]
        claim_columns = ["c_responder_id", "c_key", "c_activation", "c_text_revision", "c_queue_id", "c_state"]
        statement = _RECORD[bool(claims), any(record.mailbox_id is None for record in records)]
        await self._database.run(statement, _columns(decision_columns, rows) | _columns(claim_columns, claims))
        return [None] * len(records)


class Batcher(Generic[Item, Result]):
    """Hands everything that waits to one call of `commit`, which answers in the same order.

    A batch that fails for what is in it is tried again one by one, so that one poisoned item harms nobody else.
    """

    def __init__(
        self, commit: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], step: str, metrics: Metrics
    ) -> None:
        self._commit = commit
        self._step = step
        self._metrics = metrics
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._worker: asyncio.Task[None] | None = None
        self._latest = 0  # how many shared the latest commit
        self._enough: asyncio.Future[None] | None = None  # that so many wait, while the worker waits for them

    def submit(self, item: Item) -> "asyncio.Future[Result]":
        """The item's result to come, or what `commit` raised for it. Its statement is on its way one turn of the loop
        later.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        elif len(self._waiting) >= ENOUGH:
            _go_on(self._enough)
        return future

    def stop(self) -> None:
        """Give up what still waits."""
        if self._worker is not None:
            self._worker.cancel()

    async def _work(self) -> None:
        while self._waiting:
            if self._latest > 1 and len(self._waiting) < ENOUGH:
                await self._linger()
            self._latest = len(self._waiting)
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            await self._settle(batch)

    async def _linger(self) -> None:
        loop = asyncio.get_running_loop()
        self._enough = loop.create_future()
        timer = loop.call_later(LINGER, _go_on, self._enough)
        await self._enough
        timer.cancel()

    async def _settle(self, batch: list[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        try:
            self._metrics.batch(self._step, len(batch))
            with self._metrics.timed(self._step):
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


def clean(text: str) -> str:
    """Without what PostgreSQL cannot store: NUL and lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")


def _clean_key(claim: Claim) -> tuple[int, str, int, int]:
    return claim.responder_id, clean(claim.reverse_path_key)[:320], claim.activation, claim.text_revision


def _of_claim(claim: Claim) -> dict[str, Any]:
    names = ("responder_id", "key", "activation", "text_revision")
    return dict(zip(names, _clean_key(claim), strict=True)) | {"queue_id": clean(claim.queue_id)}


def _closed_state(reason: str) -> str:
    return "replied" if reason == Reason.REPLIED else "refused"


def _decision_row(record: Record) -> Row:
    return (
        clean(record.address)[:320],
        clean(record.base)[:320],
        clean(record.reverse_path)[:320],
        record.reason,
        clean(record.evidence)[:500],
        ",".join(record.misses),  # JSON in an array would be quoted twice
        clean(record.message_id)[:998],
        clean(record.queue_id)[:100],
        record.mailbox_id,
        record.responder_id,
    )


def _columns(names: Sequence[str], rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _behind(rows: list[Row]) -> Behind:
    """The rows of one mailbox, a responder each (or none, all NULL)."""
    now, mailbox_id, address, name, language, zone, own, colleague_domains = rows[0][:8]
    brakes = Brake(*rows[0][8:10]), Brake(*rows[0][10:12])
    refused_at, refusal, is_ours, has_bounce_address = rows[0][12:16]
    with_responder = [row[16:] for row in rows if row[16] is not None]
    responders = tuple(_responder(mailbox_id, row) for row in with_responder)
    domains = frozenset(colleague_domains)
    mailbox = MailboxFacts(
        mailbox_id, address, name, language, zone, frozenset(own), responders, domains, *brakes, has_bounce_address
    )
    previous = {row[0]: Previous(row[-1]) for row in with_responder if row[-1] is not None}
    return Behind(mailbox, now, previous, WayBack(refused_at, refusal or "", is_ours=is_ours))


def _responder(mailbox_id: int, row: Row) -> ResponderFacts:
    (number, kind, is_enabled, from_utc, to_utc, zone, from_date, to_date, subject, text_body, html_body, revision,
     activation, interval_days, answers_once, language, texts, audience, addresses, words, in_body, word_forms,
     senders, deputy_name, deputy_address, gives_case_numbers, case_form, case_prefix, hours_mode,
     office_days, opens, closes, country, is_closed, _replied_at) = row  # fmt: skip
    return ResponderFacts(
        id=number, mailbox_id=mailbox_id, type=kind, is_enabled=is_enabled, window=Window(from_utc, to_utc),
        time_zone=zone, from_date=from_date, to_date=to_date, subject=subject, text_body=text_body,
        html_body=html_body, text_revision=revision, activation=activation, interval_days=interval_days,
        answers_once=answers_once, language=language, texts=tuple(Text(**text) for text in texts),
        audience=Audience(audience), addresses=frozenset(addresses),
        conditions=Conditions(tuple(words), in_body, word_forms, tuple(senders)),
        deputy_name=deputy_name, deputy_address=deputy_address, gives_case_numbers=gives_case_numbers,
        case_form=CaseForm(case_form), case_prefix=case_prefix,
        hours=None if hours_mode == HoursMode.ALWAYS else OfficeHours(
            HoursMode(hours_mode), frozenset(office_days), opens, closes, country if is_closed else ""
        ),
        country=country,
    )  # fmt: skip


def _go_on(future: "asyncio.Future[None] | None") -> None:
    if future is not None and not future.done():
        future.set_result(None)


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
