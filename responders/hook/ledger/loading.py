"""Who is behind an address, and all that a decision about a message to them needs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from responders.core.facts import (
    Audience,
    Brake,
    CaseForm,
    Conditions,
    MailboxFacts,
    Previous,
    PreviousResponses,
    ResponderFacts,
    Text,
    WayBack,
)
from responders.core.hours import HoursMode, OfficeHours
from responders.core.schedule import Window
from responders.hook.dialogue import Row, Statement
from responders.hook.ledger.cleaning import clean

# The mailboxes behind an address; behind the address without its subaddress where nobody has it as it is written.
# To make a plan ready for its run costs more than the run: what no item of a batch needs is left out of its statement.
# OFFSET 0 keeps it a question for each address: joined with the rest it could read all mailboxes while there are few.
EXACTLY = "SELECT v.mailbox_id FROM mail_recipients v WHERE v.address = a.address"
BEHIND = f"""
    {EXACTLY}
    UNION ALL
    SELECT v.mailbox_id FROM mail_recipients v WHERE v.address = a.base AND a.base <> a.address
        AND NOT EXISTS (SELECT FROM mail_recipients e WHERE e.address = a.address)
"""  # noqa: S608 (put together from constants)

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
    r.country, r.holidays_are_off, m.xmin::text, d.xmin::text, r.xmin::text, p.replied_at
FROM unnest(%(address)s::text[], %(base)s::text[], %(key)s::text[], %(sender)s::text[], %(sender_domain)s::text[],
    %(queue_id)s::text[]) WITH ORDINALITY AS a (address, base, key, sender, sender_domain, queue_id, place)
CROSS JOIN LATERAL (%s) b
JOIN mailboxes_mailbox m ON m.id = b.mailbox_id
JOIN mailboxes_domain d ON d.name = m.domain_id
LEFT JOIN mailboxes_domain s ON s.name = a.sender_domain AND s.deleted_at IS NULL
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
_LOAD = Statement(_LOADED_BEHIND.replace("(%s)", f"({BEHIND} OFFSET 0)"))
_LOAD_EXACTLY = Statement(_LOADED_BEHIND.replace("(%s)", f"({EXACTLY} OFFSET 0)"))


class Query(NamedTuple):
    """What to load: an address in normal form, the same without its subaddress, the sender's key and address (in
    normal form, empty where it has none), the copy's name (empty where it is not known yet).
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
    `version` changes with whatever row of the mailbox, its domain or its responders changes.
    """

    mailbox: MailboxFacts
    now: datetime
    previous: PreviousResponses
    way_back: WayBack = WayBack()
    case_number: str = ""
    version: str = ""


# The same in SQL, of mailbox `m` and domain `d`.
VERSION = """concat_ws(' ', m.xmin, d.xmin, (
    SELECT string_agg(v.id || ':' || v.xmin, ' ' ORDER BY v.id) FROM responders_responder v WHERE v.mailbox_id = m.id
))"""


def question(queries: Sequence[Query]) -> tuple[Statement, Mapping[str, Any]]:
    """One statement for them all, and its values."""
    statement = _LOAD_EXACTLY if all(query.address == query.base for query in queries) else _LOAD
    return statement, {
        "address": [clean(query.address) for query in queries],
        "base": [clean(query.base) for query in queries],
        "key": [clean(query.reverse_path_key) for query in queries],
        "sender": [query.sender for query in queries],
        "sender_domain": [query.sender.rpartition("@")[2] for query in queries],
        "queue_id": [clean(query.queue_id) for query in queries],
    }


def answers(rows: Sequence[Row], count: int) -> list[list[Behind]]:
    """Of each of so many queries, in their order."""
    loaded: list[list[Behind]] = [[] for _query in range(count)]
    for (place, _mailbox_id), rows_of_one in groupby(rows, key=lambda row: (row[0], row[2])):
        loaded[place - 1].append(_behind([row[1:] for row in rows_of_one]))
    return loaded


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
    way_back = WayBack(refused_at, refusal or "", is_ours=is_ours)
    return Behind(mailbox, now, previous, way_back, version=_version(with_responder))


def _version(rows: list[Row]) -> str:
    if not rows:
        return ""
    of_responders = [f"{number}:{version}" for number, version in sorted((row[0], row[-2]) for row in rows)]
    return " ".join([*rows[0][-4:-2], *of_responders])


def _responder(mailbox_id: int, row: Row) -> ResponderFacts:
    (number, kind, is_enabled, from_utc, to_utc, zone, from_date, to_date, subject, text_body, html_body, revision,
     activation, interval_days, answers_once, language, texts, audience, addresses, words, in_body, word_forms,
     senders, deputy_name, deputy_address, gives_case_numbers, case_form, case_prefix, hours_mode,
     office_days, opens, closes, country, is_closed, *_versions, _replied_at) = row  # fmt: skip
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
