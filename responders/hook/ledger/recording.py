"""Decisions as they are kept, and what else stays: addresses that refused a reply, messages that the hook failed on."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from responders.core.facts import Reason
from responders.hook.dialogue import Row, Statement
from responders.hook.ledger.claiming import Claim, clean_key
from responders.hook.ledger.cleaning import clean
from responders.hook.ledger.loading import BEHIND, EXACTLY
from responders.hook.ledger.values import columns_of, values_of

_COLUMNS = {
    "address": "text", "base": "text", "reverse_path": "text", "reason": "text", "evidence": "text", "misses": "text",
    "message_id": "text", "queue_id": "text", "mailbox_id": "bigint", "responder_id": "bigint",
}  # fmt: skip
_CLAIM_COLUMNS = {
    "c_responder_id": "bigint", "c_key": "text", "c_activation": "int", "c_text_revision": "int", "c_queue_id": "text",
    "c_state": "text",
}  # fmt: skip


def _closed(*, many: bool) -> str:
    return f"""WITH closed AS (
    UPDATE responders_previousresponse p SET state = c.c_state,
        replied_at = CASE WHEN c.c_state = 'replied' THEN panel_now() END
    FROM {values_of(_CLAIM_COLUMNS, "c", many=many)}
    WHERE p.responder_id = c.c_responder_id AND p.reverse_path_key = c.c_key AND p.activation = c.c_activation
        AND p.text_revision = c.c_text_revision AND p.queue_id = c.c_queue_id
)"""  # noqa: S608 (put together from constants)


def _record(*, many: bool, closes: int, finds: str) -> Statement:
    """Decisions kept. `closes`: so many claims, two for more; `finds`: how who does not know its mailbox finds it."""
    return Statement(f"""{_closed(many=closes > 1) if closes else ""}
INSERT INTO responders_decision
    (mailbox_id, responder_id, decided_at, reverse_path, forward_path, reason, evidence, misses, message_id, queue_id)
SELECT {"coalesce(m.id, b.mailbox_id)" if finds else "m.id"}, r.id, panel_now(), a.reverse_path, a.address, a.reason,
    a.evidence, to_jsonb(string_to_array(a.misses, ',')), a.message_id, a.queue_id
FROM {values_of(_COLUMNS, "a", many=many)}
LEFT JOIN mailboxes_mailbox m ON m.id = a.mailbox_id
LEFT JOIN responders_responder r ON r.id = a.responder_id
{f"LEFT JOIN LATERAL ({finds} OFFSET 0) b ON a.mailbox_id IS NULL" if finds else ""}
""")  # noqa: S608 (put together from constants)


_RECORD = {
    (many, closes, finds): _record(many=many, closes=closes, finds=finds)
    for many in (False, True) for closes in ((0, 1, 2) if many else (0, 1)) for finds in ("", EXACTLY, BEHIND)
}  # fmt: skip

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
    statement = _RECORD[len(records) > 1, min(len(claims), 2), _finding(records)]
    rows = [_decision_row(record) for record in records]
    return statement, columns_of(_COLUMNS, rows) | columns_of(_CLAIM_COLUMNS, claims)


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
