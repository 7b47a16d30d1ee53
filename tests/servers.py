"""Loaded by pytest before the settings are (`-p tests.servers`): starts the servers that tests share.

One PostgreSQL and one Redis for the whole run; every worker of pytest-xdist has a database of its own in it.
A run of `tests/core` alone starts nothing.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from webmail_panel import embedded

_running: list[Any] = []
_folders: list[Path] = []


def _only_pure_tests() -> bool:
    paths = [argument for argument in sys.argv[1:] if argument.startswith("tests")]
    return bool(paths) and all(path.startswith("tests/core") for path in paths)


def _start() -> None:
    folder = Path(tempfile.mkdtemp(prefix="panel-tests-"))
    folder.chmod(0o755)
    (folder / "static").mkdir()  # the server of static files warns where there is none
    _folders.append(folder)
    os.environ["PANEL_TESTS_VAR_DIR"] = os.environ["VAR_DIR"] = str(folder)
    if _only_pure_tests():
        return
    postgres = embedded.start_postgres(folder / "postgres", durable=False)
    redis = embedded.start_redis(folder / "redis")
    _running.extend([redis, postgres])
    os.environ["DATABASE_URL"] = postgres.url()
    os.environ["REDIS_URL"] = redis.url
    os.environ["CELERY_BROKER_URL"] = redis.broker_url


if "PANEL_TESTS_VAR_DIR" not in os.environ:
    os.environ.update(
        SECRET_KEY="only-for-tests-" + "x" * 50, DEBUG="0", HTTPS="0", ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
        MAIL_HOSTNAME="panel.example", REQUIRE_STAFF_MFA="0",
        CHECK_SENDER_DOMAINS="0",  # no test asks the outside world
    )  # fmt: skip
    _start()

# Keys that sign are written as a whole: every worker has a part of Redis of its own for them (there are 16).
if "REDIS_URL" in os.environ:
    _worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.environ["DKIM_REDIS_URL"] = os.environ["REDIS_URL"].replace("db=0", f"db={8 + _worker % 8}")


def pytest_unconfigure() -> None:
    while _running:
        _running.pop(0).stop()
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)
