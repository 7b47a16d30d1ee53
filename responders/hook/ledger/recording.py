"""Decisions as they are kept, and what else stays: addresses that refused a reply, messages that the hook failed on."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from responders.core.facts import Reason
from responders.hook.dialogue import Row, Statement
from responders.hook.ledger.claiming import Claim, clean_key
from responders.hook.ledger.cleaning import clean
from responders.hook.ledger.loading import BEHIND, EXACTLY

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


def _record(*, closes: bool, finds: str) -> Statement:
    """Decisions kept. `closes`: with claims among them; `finds`: how those who do not know their mailbox find it."""
    return Statement(f"""
{_DECIDED}{_CLOSED if closes else ""}
INSERT INTO responders_decision
    (mailbox_id, responder_id, decided_at, reverse_path, forward_path, reason, evidence, misses, message_id, queue_id)
SELECT {"coalesce(m.id, b.mailbox_id)" if finds else "m.id"}, r.id, panel_now(), a.reverse_path, a.address, a.reason,
    a.evidence, to_jsonb(string_to_array(a.misses, ',')), a.message_id, a.queue_id
FROM decided a
LEFT JOIN mailboxes_mailbox m ON m.id = a.mailbox_id
LEFT JOIN responders_responder r ON r.id = a.responder_id
{f"LEFT JOIN LATERAL ({finds} OFFSET 0) b ON a.mailbox_id IS NULL" if finds else ""}
""")  # noqa: S608 (put together from constants)


_RECORD = {
    (closes, finds): _record(closes=closes, finds=finds) for closes in (False, True) for finds in ("", EXACTLY, BEHIND)
}

# Of an address of ours the relay or Dovecot says so again, should it still be so.
REFUSAL = """
INSERT INTO responders_refusal (address, refused_at, words)
SELECT a.address, panel_now(), a.words FROM (VALUES (%s, %s)) AS a (address, words)
WHERE NOT EXISTS (SELECT FROM mailboxes_domain d WHERE d.name = split_part(a.address, '@', -1))
ON CONFLICT (address) DO UPDATE SET refused_at = excluded.refused_at, words = excluded.words
"""

QUARANTINE = """
INSERT INTO responders_quarantinedmessage (received_at, reverse_path, forward_path, traceback, content)
VALUES (panel_now(), %s, %s, %s, %s)
"""


class Record(NamedTuple):
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


def question(records: Sequence[Record]) -> tuple[Statement, Mapping[str, Any]]:
    """One statement for all decisions and the claims that they close, and its values."""
    # In the order in which claims take their rows, so that the two never wait for each other in a circle.
    claims = sorted(
        (*clean_key(record.claim), clean(record.claim.queue_id), _closed_state(record.reason))
        for record in records
        if record.claim
    )
    decision_columns = ["address", "base", "reverse_path", "reason", "evidence", "misses", "message_id"]
    decision_columns += ["queue_id", "mailbox_id", "responder_id"]
    claim_columns = ["c_responder_id", "c_key", "c_activation", "c_text_revision", "c_queue_id", "c_state"]
    rows = [_decision_row(record) for record in records]
    statement = _RECORD[bool(claims), _finding(records)]
    return statement, _columns(decision_columns, rows) | _columns(claim_columns, claims)


def of_quarantined(record: Record, traceback: str, content: bytes) -> tuple[str, str, str, bytes]:
    """Values for QUARANTINE."""
    return clean(record.reverse_path)[:320], clean(record.address)[:320], clean(traceback), content


def _finding(records: Sequence[Record]) -> str:
    """Who is behind an address is asked where it must be; for one without a subaddress by a shorter question."""
    unknown = [record for record in records if record.mailbox_id is None]
    if not unknown:
        return ""
    return EXACTLY if all(record.address == record.base for record in unknown) else BEHIND


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
