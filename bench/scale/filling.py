"""Rows by the million, made by the database itself."""

import time
from dataclasses import dataclass
from typing import Any

import psycopg


@dataclass(frozen=True)
class Size:
    """How many of everything. A customer has a domain; one domain has `crowd` mailboxes, the others 20 each."""

    mailboxes: int
    aliases: int
    decisions: int

    @property
    def crowd(self) -> int:
        return self.mailboxes // 10

    @property
    def domains(self) -> int:
        return max(2, self.mailboxes // 20)

    @property
    def events(self) -> int:
        return self.mailboxes


# `number` → the same made-up text each time, so that a run can be repeated.
PEOPLE = "(ARRAY['anna','jan','ewa','piotr','biuro','kontakt','zofia','adam'])[1 + n % 8]"
DOMAIN_OF = "CASE WHEN n <= {crowd} THEN 1 ELSE 2 + n % ({domains} - 1) END"

# The password of every owner is nobody's: sessions are made, not signed in to.
CUSTOMERS = """
INSERT INTO mailboxes_customer (name, number, created_at)
    SELECT 'Firma ' || md5(n::text), 'K' || n, now() - n * interval '1 minute' FROM generate_series(1, {domains}) n;
INSERT INTO mailboxes_domain (name, is_active, created_at, proven_at, customer_id)
    SELECT substr(md5('d' || number), 1, 10) || '.example', true, created_at, created_at, id FROM mailboxes_customer;
CREATE TEMP TABLE numbered AS SELECT row_number() OVER (ORDER BY id) AS place, name FROM mailboxes_domain;
CREATE UNIQUE INDEX ON numbered (place);
"""
MAILBOXES = f"""
CREATE TEMP TABLE made AS
    SELECT n, {PEOPLE} || '.' || substr(md5(n::text), 1, 8) AS local_part, d.name AS domain_id,
        initcap(substr(md5('n' || n), 1, 7)) || ' Nowak' AS name
    FROM generate_series(1, {{mailboxes}}) n JOIN numbered d ON d.place = {DOMAIN_OF};
INSERT INTO mailboxes_user (id, email, name, language, is_staff, is_active, is_superuser, date_joined, password)
    OVERRIDING SYSTEM VALUE
    SELECT n, local_part || '@' || domain_id, name, '', false, true, false, now() - n * interval '1 second',
        'argon2$argon2id$v=19$m=19456,t=2,p=1$' || md5('s' || n) || '$' || md5('p' || n) FROM made;
INSERT INTO mailboxes_mailbox (id, local_part, domain_id, home, owner_id, is_active, created_at, name, language,
        time_zone, notify_started, notify_ended, notify_ending, notify_still_on)
    OVERRIDING SYSTEM VALUE
    SELECT n, local_part, domain_id, domain_id || '/' || local_part, n, true, now() - n * interval '1 second', name,
        'pl', 'Europe/Warsaw', true, true, true, true FROM made;
"""
# Nine of ten stand for one mailbox; the tenth for five, of the same domain or not.
ALIASES = f"""
INSERT INTO mailboxes_alias (id, local_part, domain_id, is_active, created_at) OVERRIDING SYSTEM VALUE
    SELECT n, 'alias' || n, d.name, true, now() - n * interval '1 second'
    FROM generate_series(1, {{aliases}}) n JOIN numbered d ON d.place = {DOMAIN_OF};
INSERT INTO mailboxes_aliastarget (alias_id, mailbox_id, outside_address, is_own_address)
    SELECT n, 1 + (n::bigint * 7 + k * 13) % {{mailboxes}}, '', false FROM generate_series(1, {{aliases}}) n,
        LATERAL generate_series(1, CASE WHEN n % 10 = 0 THEN 5 ELSE 1 END) k;
UPDATE mailboxes_domain d SET catch_all_id = m.id FROM (SELECT min(id) AS id, domain_id FROM mailboxes_mailbox
    WHERE id % 100 = 7 GROUP BY 2) m WHERE d.name = m.domain_id;
"""
# Of ten: one to come, one that is on until a day, one standing reply, two over, five switched off. Of ten mailboxes
# one has two, and one has none.
RESPONDERS = """
INSERT INTO responders_responder (id, mailbox_id, type, position, is_enabled, from_date, to_date, from_utc, to_utc,
        time_zone, subject, text_body, html_body, interval_days, answers_once, language, texts, audience, addresses,
        words, words_in_body, word_forms, senders, deputy_name, deputy_address, deputy_gets_copy, gives_case_numbers,
        case_form, case_prefix, hours_mode, office_days, office_opens, office_closes, holidays_are_off, country,
        text_revision, activation, version, state, state_changed_at, next_transition_at, created_at, updated_at)
    OVERRIDING SYSTEM VALUE
    SELECT n, n - (n % 10 = 9)::int, CASE WHEN k = 2 THEN 'standing' ELSE 'absence' END, (n % 10 = 9)::int, k < 5,
        s, e, s, e, 'UTC', 'Auto: {{ subject }}', repeat('Dziękuję za wiadomość. Wracam wkrótce. ', 5), '', 7, false,
        'pl', '[]', 'everyone', '{}', '{}', false, false, '{}', '', '', false, false, 'year', '', 'always',
        '{0,1,2,3,4}', '08:00', '16:00', true, 'PL', 1, 1, 1,
        CASE k WHEN 0 THEN 'scheduled' WHEN 1 THEN 'active' WHEN 2 THEN 'active' WHEN 3 THEN 'ended'
            WHEN 4 THEN 'ended' ELSE 'off' END, now() - interval '3 days',
        CASE k WHEN 0 THEN s WHEN 1 THEN e END, now() - n * interval '1 second', now()
    FROM (SELECT n, k,
        CASE WHEN k = 0 THEN later WHEN k <> 2 THEN long_ago END AS s,
        CASE WHEN k = 0 THEN later + interval '14 days' WHEN k = 1 THEN later WHEN k <> 2 THEN ago END AS e
        FROM (SELECT n, abs(hashint4(n)) % 10 AS k,
            date_trunc('day', now()) - interval '30 days' - n % 1000 * interval '1 hour' AS long_ago,
            date_trunc('day', now()) - interval '20 days' AS ago,
            date_trunc('day', now()) + interval '40 days' + n % 1000 * interval '1 hour' AS later
        FROM generate_series(1, %(mailboxes)s) n) n) n;
INSERT INTO responders_responderevent (mailbox_id, address, responder_id, kind, at, recorded_at, changes, reason)
    SELECT n, local_part || '@' || domain_id, n, 'created', now() - n * interval '1 second', now(), '{}', '' FROM made;
"""
# Nine of ten for anybody, the rest for one mailbox of a hundred.
DECISIONS = """
INSERT INTO responders_decision (mailbox_id, responder_id, decided_at, reverse_path, forward_path, reason, evidence,
        misses, message_id, queue_id)
    SELECT m, m, now() - {days} * interval '1 day' * (1 - n::float / {decisions}),
        substr(md5((n % 300000)::text), 1, 12) || '@sender.example', 'biuro.' || substr(md5(m::text), 1, 8)
        || '@' || substr(md5('d' || m / 20), 1, 10) || '.example',
        (ARRAY['replied','list-or-bulk','already-replied','not-addressed','auto-submitted'])[1 + n % 5],
        CASE n % 5 WHEN 1 THEN 'List-Id: <news.sender.example>' ELSE '' END,
        '["null-reverse-path", "system-sender", "auto-submitted", "list-or-bulk", "report", "machine-made"]',
        '<' || md5(n::text) || '@sender.example>', '4' || upper(substr(md5('q' || n), 1, 14))
    FROM (SELECT n, 1 + CASE WHEN n % 10 = 0 THEN n / 10 % greatest({mailboxes} / 100, 1)
            ELSE (n::bigint * 7919) % {mailboxes} END AS m FROM generate_series({first}, {last}) n) n
    ORDER BY n;
"""
# As the task makes them (`responders/decision_partitions.py`), for the days that are over, too.
PARTS = """
DO $$
DECLARE
    first timestamptz := date_trunc('day', now(), 'UTC') - interval '90 days';
    day timestamptz;
BEGIN
    FOR number IN 0..31 LOOP
        day := first + number * interval '3 days';
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF responders_decision FOR VALUES FROM (%L) TO (%L)',
            'responders_decision_' || to_char(day AT TIME ZONE 'UTC', 'YYYYMMDD'), day, day + interval '3 days');
    END LOOP;
END $$;
"""
SEQUENCES = """
SELECT setval(pg_get_serial_sequence('mailboxes_user', 'id'), {mailboxes});
SELECT setval(pg_get_serial_sequence('mailboxes_mailbox', 'id'), {mailboxes});
SELECT setval(pg_get_serial_sequence('mailboxes_alias', 'id'), greatest({aliases}, 1));
SELECT setval(pg_get_serial_sequence('responders_responder', 'id'), {mailboxes});
"""
STEPS = {"customers": CUSTOMERS, "mailboxes": MAILBOXES, "aliases": ALIASES, "responders": RESPONDERS}
TABLES = (
    "mailboxes_customer", "mailboxes_domain", "mailboxes_user", "mailboxes_mailbox", "mailboxes_alias",
    "mailboxes_aliastarget", "responders_responder", "responders_responderevent", "responders_decision",
)  # fmt: skip


def fill(connection: psycopg.Connection[Any], size: Size) -> None:
    """Everything. Triggers rest meanwhile, and indexes that hold no constraint are made anew at the end."""
    connection.execute("SET session_replication_role = 'replica'")
    connection.execute("SET maintenance_work_mem = '512MB'")
    if size.decisions:
        connection.execute(PARTS)
    left = _leave_indexes(connection)
    values = {"mailboxes": size.mailboxes, "aliases": size.aliases, "crowd": size.crowd, "domains": size.domains}
    for name, statements in STEPS.items():
        with told(name):
            connection.execute(with_numbers(statements, values))
    if size.decisions:
        with told("decisions"):
            add_decisions(connection, size, days=90)
    connection.execute(with_numbers(SEQUENCES, values))
    with told("indexes"):
        for index in left:
            connection.execute(index)
    connection.execute("SET session_replication_role = 'origin'")
    with told("statistics"):
        connection.execute("ANALYZE")


def refill(connection: psycopg.Connection[Any], size: Size) -> None:
    """The decisions anew, after they were taken away."""
    connection.execute("TRUNCATE responders_decision")
    connection.execute("SET session_replication_role = 'replica'")
    connection.execute(PARTS)
    left = _leave_indexes(connection, "responders_decision")
    add_decisions(connection, size, days=90)
    for index in left:
        connection.execute(index)
    connection.execute("SET session_replication_role = 'origin'")
    connection.execute("VACUUM ANALYZE responders_decision")


def add_decisions(connection: psycopg.Connection[Any], size: Size, *, days: int) -> None:
    """Spread evenly over so many days until now, into parts of three days."""
    connection.execute(PARTS)
    values = {"mailboxes": size.mailboxes, "decisions": size.decisions, "days": days}
    for first in range(1, size.decisions + 1, 1_000_000):
        last = min(first + 999_999, size.decisions)
        connection.execute(DECISIONS.format(**values, first=first, last=last))


def with_numbers(statements: str, values: dict[str, int]) -> str:
    """The numbers in their places; braces of arrays and of Liquid stay."""
    for name, value in values.items():
        statements = statements.replace("{" + name + "}", str(value)).replace(f"%({name})s", str(value))
    return statements


def _leave_indexes(connection: psycopg.Connection[Any], *tables: str) -> list[str]:
    """Drop the indexes of the tables, by default all large ones, that hold no constraint; how to make them again."""
    found = connection.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid"
        " WHERE i.indrelid = ANY(%s::regclass[]) AND c.oid IS NULL AND NOT i.indisunique AND h.inhrelid IS NULL",
        [list(tables or TABLES)],
    ).fetchall()
    for name, _definition in found:
        connection.execute(f"DROP INDEX {name}")
    return [definition.replace(" ON ONLY ", " ON ") for _name, definition in found]


class told:  # noqa: N801 (reads as a word)
    """Print how long a step took."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_error: object) -> None:
        print(f"  {self.name:<12}{time.perf_counter() - self.started:>7.1f} s", flush=True)
