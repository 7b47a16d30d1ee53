"""How long support's searches take with many mailboxes and decisions.

Rows are made by the database itself. Medians of several runs of each search, in ms of the whole search in one process.

    python bench/support_search.py [--mailboxes 100000] [--decisions 1000000]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from webmail_panel import embedded  # noqa: E402 (the path goes first)

ROWS = """
INSERT INTO mailboxes_customer (name, number, created_at)
    SELECT 'Firma ' || md5(n::text), 'K' || n, now() FROM generate_series(1, %(domains)s) n;
INSERT INTO mailboxes_domain (name, is_active, created_at, proven_at, customer_id)
    SELECT substr(md5('d' || number), 1, 10) || '.example', true, now(), now(), id FROM mailboxes_customer;
INSERT INTO mailboxes_mailbox (local_part, domain_id, is_active, created_at, name, language, time_zone,
        notify_started, notify_ended, notify_ending, notify_still_on)
    SELECT (ARRAY['anna','jan','ewa','piotr','biuro','kontakt','zofia','adam'])[1 + n %% 8] || '.'
        || substr(md5(n::text), 1, 8), d.name, true, now(), initcap(substr(md5('n' || n), 1, 7)) || ' Nowak', 'pl',
        'Europe/Warsaw', true, true, true, true
    FROM generate_series(1, %(mailboxes)s) n
    JOIN (SELECT name, row_number() OVER () AS place FROM mailboxes_domain) d ON d.place = 1 + n %% %(domains)s;
INSERT INTO responders_decision (mailbox_id, decided_at, reverse_path, forward_path, reason, evidence, misses,
        message_id, queue_id)
    SELECT 1 + n %% %(mailboxes)s, now() - n * interval '1 second', md5((n %% 300000)::text) || '@sender.example', 'x',
        'replied', '', '[]', '<' || n || '@sender.example>', ''
    FROM generate_series(1, %(decisions)s) n;
ANALYZE;
"""


def main() -> None:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)
    postgres = embedded.start_postgres(folder / "postgres", durable=False)
    try:
        os.environ.update(
            DATABASE_URL=postgres.url(), SECRET_KEY="x" * 60, DEBUG="0", MAIL_HOSTNAME="panel.example",
            DJANGO_SETTINGS_MODULE="webmail_panel.settings", REDIS_URL="redis://127.0.0.1:1",
        )  # fmt: skip
        subprocess.run([sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity=0"], check=True)
        rows = _measure(options)
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    (results / "support_search.json").write_text(json.dumps({"options": vars(options), "rows": rows}, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mailboxes", type=int, default=100_000)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> list[dict[str, object]]:
    import django  # noqa: PLC0415 (all of them: the settings are read when they are imported)

    django.setup()
    from django.db import connection  # noqa: PLC0415

    from mailboxes.models import Mailbox, User  # noqa: PLC0415
    from responders import support_search  # noqa: PLC0415

    with connection.cursor() as cursor:
        values = {"mailboxes": options.mailboxes, "decisions": options.decisions, "domains": options.mailboxes // 20}
        for statement in ROWS.split(";\n"):
            if statement.strip():
                cursor.execute(statement, values)
    staff = User(is_superuser=True)
    one = Mailbox.objects.order_by("pk")[options.mailboxes // 2]
    typo = f"{one.local_part[:7]}x{one.local_part[7:]}@{one.domain_id}"
    asked = {
        "whole address": one.address, "part of it": one.address[3:12], "name": one.name.lower(),
        "domain": one.domain_id, "common part": "nowak", "customer": "k4711", "typing error": typo,
        "nothing": "zzqqxxyy",
        "sender": "a87ff679a2f3e71d9181a67b7542122c@sender.example", "Message-ID": "<4711@sender.example>",
    }  # fmt: skip
    rows = []
    print("search           ms  found")
    for name, text in asked.items():
        took = []
        for _run in range(7):
            started = time.perf_counter()
            found = support_search.search(staff, text)
            took.append((time.perf_counter() - started) * 1000)
        median = statistics.median(took)
        rows.append({"search": name, "ms": median})
        print(f"{name:<14}{median:>6.1f}  {', '.join(group.kind for group in found)}", flush=True)
    return rows


if __name__ == "__main__":
    main()
