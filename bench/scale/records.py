"""What is written down beside mailboxes, responders and decisions: so much of it as years of use leave."""

from typing import Any

import psycopg

from bench.scale.filling import Size, told, with_numbers

# Each for so many of a million mailboxes; `m` is a mailbox's number. The clock began a hundred thousand responders in
# the same second, long before anything else that the history holds.
HISTORY = """
INSERT INTO mailboxes_logline (at, model, key, name, words, actor_id, way)
    SELECT now() - n * interval '30 seconds',
        (ARRAY['mailboxes.mailbox','mailboxes.user','mailboxes.alias'])[1 + n % 3], m.id::text, m.address,
        (ARRAY['made','password changed','saved'])[1 + n % 3], CASE WHEN n % 3 = 0 THEN m.id END,
        CASE WHEN n % 1000 = 0 THEN 'import' ELSE (ARRAY['panel','administration','',''])[1 + n % 4] END
    FROM generate_series(1, {mailboxes} * 2) n JOIN mailboxes_mailbox m ON m.id = 1 + (n::bigint * 7919) % {mailboxes};
INSERT INTO responders_responderevent (mailbox_id, address, responder_id, kind, at, recorded_at, changes, reason)
    SELECT id, address, id, 'started', date_trunc('day', now()) - interval '400 days', now(), '{}', ''
    FROM mailboxes_mailbox WHERE id % 10 = 3;
INSERT INTO responders_previousresponse (responder_id, text_revision, activation, reverse_path_key, queue_id, state,
        claimed_at, lease_until, replied_at)
    SELECT n, 1, 1, substr(md5((n % 300000)::text), 1, 12) || '@sender.example', 'q' || n,
        CASE WHEN n % 5000 = 0 THEN 'claimed' ELSE 'replied' END, at, at + interval '5 minutes', at
    FROM generate_series(1, {mailboxes}) n, LATERAL (SELECT now() - n * interval '7 seconds' AS at) a;
INSERT INTO responders_notice (responder_id, kind, about, sent_at)
    SELECT n, (ARRAY['started','ended','ending','still-on'])[1 + n % 4], at, at
    FROM generate_series(1, {mailboxes} * 3 / 10) n, LATERAL (SELECT now() - n * interval '20 seconds' AS at) a;
INSERT INTO responders_refusal (address, refused_at, words)
    SELECT substr(md5(n::text), 1, 12) || '@sender.example', now() - n * interval '9 seconds', '550 5.1.1 No such user'
    FROM generate_series(1, {mailboxes} * 3 / 10) n;
"""
CASES = """
INSERT INTO responders_caseseries (mailbox_id, head, last)
    SELECT n, '2026/', 20 FROM generate_series(1, greatest({mailboxes} / 100, 1)) n;
INSERT INTO responders_numberedcase (mailbox_id, number, opened_at, opened_by, reverse_path, reverse_path_key, subject)
    SELECT 1 + n % greatest({mailboxes} / 100, 1), '2026/' || n, now() - n * interval '30 seconds',
        '<' || md5(n::text) || '@sender.example>', sender, sender, 'Zamówienie ' || n
    FROM generate_series(1, {mailboxes} * 3 / 10) n,
        LATERAL (SELECT substr(md5((n % 300000)::text), 1, 12) || '@sender.example' AS sender) s;
INSERT INTO responders_casemessage (case_id, message_id)
    SELECT id, '<' || md5('c' || id) || '@sender.example>' FROM responders_numberedcase;
"""
PEOPLE = """
INSERT INTO mailboxes_delegation (mailbox_id, user_id, created_at, created_by_id)
    SELECT n, 1 + (n + 500) % {mailboxes}, now() - n * interval '1 minute', CASE WHEN n % 2 = 0 THEN n END
    FROM generate_series(1, {mailboxes} * 9 / 100) n;
INSERT INTO mailboxes_apppassword (mailbox_id, owner_id, name, digest, created_at)
    SELECT n, n, (ARRAY['Telefon','Thunderbird'])[1 + n % 2], md5('a' || n), now() - n * interval '1 minute'
    FROM generate_series(1, {mailboxes} / 5) n;
INSERT INTO mailboxes_sendingstop (mailbox_id, recipients, hours, stopped_at, last_at, told_at)
    SELECT n, 300, 1, at, at, CASE WHEN n % 100 > 0 THEN at END
    FROM generate_series(1, {mailboxes} / 50) n, LATERAL (SELECT now() - n * interval '1 hour' AS at) a;
INSERT INTO responders_calendarfeed (user_id, secret_hash)
    SELECT n, md5('f' || n) FROM generate_series(1, {mailboxes} / 10) n;
INSERT INTO responders_helpvote (user_id, slug, is_helpful, comment, at)
    SELECT n, 'begin', n % 20 > 0, '', now() - n * interval '1 hour' FROM generate_series(1, {mailboxes} / 50) n;
INSERT INTO responders_draft (user_id, mailbox_id, key, typed, began_at, changed_at, session)
    SELECT n, n, 'new', '', at, at, '' FROM generate_series(1, {mailboxes} / 50) n,
        LATERAL (SELECT now() - n * interval '1 minute' AS at) a;
"""
STAFF = """
INSERT INTO responders_staffnote (mailbox_id, customer_id, text, at, author_id)
    SELECT CASE WHEN n % 2 = 0 THEN n END, CASE WHEN n % 2 = 1 THEN 1 + n % {domains} END,
        'Dzwonił, nie dostaje odpowiedzi ' || md5(n::text), now() - n * interval '10 minutes', 1 + n % 20
    FROM generate_series(1, {mailboxes} / 10) n;
INSERT INTO responders_drawnbrake (key, mailbox_id, is_of_domain, replies_per_hour, drawn_at, last_at, told_at)
    SELECT 'm' || n, n, n % 20 = 0, 100, at, at, CASE WHEN n % 100 > 0 THEN at END
    FROM generate_series(1, {mailboxes} / 100) n, LATERAL (SELECT now() - n * interval '10 minutes' AS at) a;
INSERT INTO responders_quarantinedmessage (received_at, reverse_path, forward_path, traceback, content)
    SELECT now() - n * interval '1 hour', substr(md5((n % 300000)::text), 1, 12) || '@sender.example', m.address,
        repeat('  File "responders/hook/pipeline.py", line 1, in receive' || chr(10), 10) || 'ValueError: ' || n,
        convert_to(repeat('Subject: x', 100), 'UTF8')
    FROM generate_series(1, {mailboxes} / 20) n JOIN mailboxes_mailbox m ON m.id = n;
INSERT INTO responders_batch (kind, state, scope, values, created_at, reason, finished_at)
    SELECT (ARRAY['set','end','leave'])[1 + n % 3], 'done', d.name, '{}', at, '', at
    FROM generate_series(1, greatest({mailboxes} / 1000, 1)) n JOIN mailboxes_domain d ON d.id = n,
        LATERAL (SELECT now() - n * interval '6 hours' AS at) a;
INSERT INTO responders_batchitem (batch_id, number, address, mailbox_id, values, state, note, events, before)
    SELECT b.id, n, m.address, m.id, '{}', CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'done' END, '', '{}', '{}'
    FROM responders_batch b, generate_series(1, 100) n JOIN mailboxes_mailbox m ON m.id = n;
INSERT INTO responders_changenotice (event_id, sent_at)
    SELECT id, at FROM responders_responderevent WHERE id % 50 = 0;
INSERT INTO responders_hooksign (host, at, oldest_copy) VALUES ('mx1.example', now(), 1), ('mx2.example', now(), 1);
"""
DOMAINS = """
INSERT INTO mailboxes_domainclaim (customer_id, name, token, created_at, next_check_at, tell_tries)
    SELECT n, 'claimed' || n || '.example', md5('t' || n), now() - n * interval '1 hour', now(), 0
    FROM generate_series(1, {domains} / 50) n;
INSERT INTO mailboxes_domainhealth (domain_id, checked_at, next_check_at, tell_tries)
    SELECT id, now() - id % 1440 * interval '1 minute', now() + id % 1440 * interval '1 minute', 0
    FROM mailboxes_domain;
INSERT INTO mailboxes_domainrecord (health_id, item, place, last_state, state, reason, found, publish, since, wanted,
        worked, times_bad)
    SELECT h.id, item, place, state, state, CASE state WHEN 'ok' THEN 'ok' ELSE 'none' END, '[]', '[]',
        now() - h.id * interval '1 minute', '', state = 'ok', 0
    FROM mailboxes_domainhealth h, unnest(ARRAY['mx','spf','dmarc','tls-rpt']) WITH ORDINALITY i (item, place),
        LATERAL (SELECT CASE WHEN (h.id + place) % 40 = 0 THEN 'missing' ELSE 'ok' END AS state) s;
INSERT INTO mailboxes_domainrecordchange (health_id, item, state, reason, found, at)
    SELECT id, 'mx', CASE WHEN id % 2 = 0 THEN 'missing' ELSE 'ok' END, CASE WHEN id % 2 = 0 THEN 'none' ELSE 'ok' END,
        '[]', now() - id * interval '1 minute' FROM mailboxes_domainhealth;
"""
STEPS = {"history": HISTORY, "cases": CASES, "people": PEOPLE, "staff": STAFF, "DNS": DOMAINS}


def add(connection: psycopg.Connection[Any], size: Size) -> None:
    """All of it. Triggers rest meanwhile."""
    connection.execute("SET session_replication_role = 'replica'")
    for name, statements in STEPS.items():
        with told(name):
            connection.execute(with_numbers(statements, {"mailboxes": size.mailboxes, "domains": size.domains}))
    connection.execute("SET session_replication_role = 'origin'")
    with told("statistics"):
        connection.execute("ANALYZE")
