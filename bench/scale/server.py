"""The servers of a run: a PostgreSQL with fsync on, filled once, and a Redis."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from bench.scale import records
from bench.scale.filling import Size, fill
from webmail_panel import embedded

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "bench" / "results"
# As a server of this size is set up: docs/operate.md says the same.
TUNING = {"shared_buffers": "2GB", "max_wal_size": "4GB", "checkpoint_timeout": "15min", "random_page_cost": "1.1"}


@contextmanager
def servers(size: Size, kept: str) -> Iterator[embedded.Postgres]:
    """Both of them, the environment set for the panel, and everything gone at the end but what is to be kept."""
    folder = Path(kept or tempfile.mkdtemp(prefix="bench-scale-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    postgres = redis = None
    try:
        postgres, redis = _tuned_postgres(folder / "postgres"), embedded.start_redis(folder / "redis")
        os.environ.update(
            DATABASE_URL=postgres.url(), SECRET_KEY="x" * 60, DEBUG="0", MAIL_HOSTNAME="panel.example", HTTPS="0",
            ALLOWED_HOSTS="testserver,127.0.0.1", REQUIRE_STAFF_MFA="0", CHECK_SENDER_DOMAINS="0", LOG_LEVEL="ERROR",
            REDIS_URL=redis.url, CELERY_BROKER_URL=redis.broker_url, VAR_DIR=str(folder / "var"),
            DJANGO_SETTINGS_MODULE="webmail_panel.settings",
        )  # fmt: skip
        manage("migrate", "--verbosity=0")
        manage("collectstatic", "--noinput", "--verbosity=0")
        _fill_once(postgres, size, folder / "filled.json")
        yield postgres
    finally:
        for server in (redis, postgres):
            if server is not None:
                server.stop()
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


def _tuned_postgres(folder: Path) -> embedded.Postgres:
    """Started twice the first time: some settings hold from the next start on."""
    postgres = embedded.start_postgres(folder)
    with connect(postgres) as connection:
        row = connection.execute("SHOW shared_buffers").fetchone()
        if row == (TUNING["shared_buffers"],):
            return postgres
        for name, value in TUNING.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    postgres.stop()
    return embedded.start_postgres(folder)


def manage(*words: str, **environment: str) -> None:
    subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words], check=True, env=os.environ | environment, cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def connect(postgres: embedded.Postgres) -> psycopg.Connection[Any]:
    return psycopg.connect(postgres.url(), autocommit=True)


def server_pid(connection: psycopg.Connection[Any]) -> int:
    """The database's first process, above all that serve somebody."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(Path(f"/proc/{row[0]}/stat").read_text().rpartition(")")[2].split()[1])


def keep_results(name: str, options: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()}
    text = json.dumps({"machine": machine, "options": options, "rows": rows}, indent=1, default=str)
    (RESULTS / f"scale_{name}.json").write_text(text + "\n")


def _fill_once(postgres: embedded.Postgres, size: Size, note: Path) -> None:
    if note.exists() and json.loads(note.read_text()) != asdict(size):
        raise SystemExit(f"{note.parent} holds rows of another size")
    for add, done in ((fill, note), (records.add, note.with_stem("records"))):
        if done.exists():
            continue
        print(f"filling: {size}", flush=True)
        with connect(postgres) as connection:
            add(connection, size)
            connection.execute("VACUUM")
        done.write_text(json.dumps(asdict(size)))
