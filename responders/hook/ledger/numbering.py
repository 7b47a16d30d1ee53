"""Conversations that have a case number, or get one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from responders.core import cases
from responders.core.facts import Previous
from responders.core.message import Message
from responders.hook.dialogue import Row
from responders.hook.ledger.cleaning import clean
from responders.hook.ledger.loading import Behind

# The number that a conversation has, by the messages it refers to or by what its subject names; in how many cases the
# sender began lately; and, as what loads tells it, when each responder that gives numbers last answered this sender in
# the case.
CONVERSATION = """
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

OPEN_CASE = """
SELECT responders_open_case(%(mailbox_id)s, %(responder_id)s, %(head)s, %(digits)s, %(reverse_path)s, %(key)s,
    %(subject)s, %(opened_by)s, %(message_id)s, %(most)s, make_interval(hours => %(hours)s))
"""

ADD_TO_CASE = """
INSERT INTO responders_casemessage (case_id, message_id)
SELECT id, %(message_id)s FROM responders_numberedcase WHERE mailbox_id = %(mailbox_id)s AND number = %(number)s
ON CONFLICT DO NOTHING
"""


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


def of_conversation(one: Behind, message: Message, reverse_path_key: str, queue_id: str) -> Mapping[str, Any]:
    """Values for CONVERSATION."""
    return {
        "mailbox_id": one.mailbox.id, "key": clean(reverse_path_key)[:320], "queue_id": clean(queue_id),
        "message_ids": [clean(found)[:998] for found in cases.messages_named(message)],
        "numbers": cases.numbers_named(message), "hours": cases.CASE_HOURS,
        "case_key": cases.memory_key(clean(reverse_path_key), ""),
    }  # fmt: skip


def with_number(one: Behind, rows: Sequence[Row]) -> Behind:
    """What CONVERSATION answered, put to what was loaded."""
    previous = dict(one.previous) | {row[0]: Previous(row[3], row[2]) for row in rows}
    number = next((row[1] for row in rows if row[1]), "")
    return one._replace(previous=previous, case_number=number)


def of_new(new: NewCase) -> Mapping[str, Any]:
    """Values for OPEN_CASE, which never gives a number twice."""
    return {
        "mailbox_id": new.mailbox_id, "responder_id": new.responder_id, "head": new.head, "digits": cases.DIGITS,
        "reverse_path": clean(new.reverse_path)[:320], "key": clean(new.reverse_path_key)[:320],
        "subject": clean(new.subject)[:500], "opened_by": clean(new.opened_by)[:998],
        "message_id": clean(new.message_id)[:998], "most": cases.MAX_CASES, "hours": cases.CASE_HOURS,
    }  # fmt: skip
