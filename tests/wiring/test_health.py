"""Health checks: good while the service works, bad when it is broken. The commands are those of docker-compose.yml."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.db import connection
from redis import Redis

from mailboxes import rehash
from tests.lmtp.parts import Wire
from webmail_panel import health
from webmail_panel.embedded import free_port, start_redis

ROOT = Path(__file__).resolve().parents[2]


def wait_for(condition: Callable[[], bool], seconds: float = 180) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def database_url(db: None) -> str:
    """Of this worker's own database, which has the tables; the one in the environment is empty."""
    return os.environ["DATABASE_URL"].replace("/webmail_panel?", f"/{connection.settings_dict['NAME']}?")


def healthcheck(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "healthcheck", *arguments],
        cwd=ROOT, env={**os.environ, **changes}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture
def program() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts programs of the panel; they are ended with the test."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*command: str, log: Path = Path(os.devnull), **changes: str) -> subprocess.Popen[bytes]:
        with log.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT, env={**os.environ, **changes}, start_new_session=True, stdout=said, stderr=said,
            )  # fmt: skip
        running.append(process)
        return process

    yield start
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_web_check_follows_the_database(program: Callable[..., subprocess.Popen[bytes]], database_url: str) -> None:
    port = free_port()
    web = ("-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "--workers=1", f"--bind=127.0.0.1:{port}",
           "webmail_panel.wsgi:application")  # fmt: skip
    address = f"--address=127.0.0.1:{port}"
    assert healthcheck("web", address).returncode == 1
    process = program(*web, HTTPS="1", DATABASE_URL=database_url)
    assert wait_for(lambda: listens(port))
    finished = healthcheck("web", address)
    assert finished.returncode == 0, finished.stderr

    process.terminate()
    process.wait(60)
    program(*web, DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert wait_for(lambda: listens(port))
    finished = healthcheck("web", address)
    assert finished.returncode == 1
    assert "away: database" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_the_hook_check_wants_a_greeting_and_a_database(
    program: Callable[..., subprocess.Popen[bytes]], database_url: str
) -> None:
    port, health_port = free_port(), free_port()
    hook = ("manage.py", "lmtpd", f"--listen=127.0.0.1:{port}", f"--health=127.0.0.1:{health_port}")
    check = ("hook", f"--address=127.0.0.1:{port}", f"--health=127.0.0.1:{health_port}")
    assert healthcheck(*check).returncode == 1
    process = program(*hook, DATABASE_URL=database_url)
    assert wait_for(lambda: listens(port))
    finished = healthcheck(*check)
    assert finished.returncode == 0, finished.stderr
    os.killpg(process.pid, signal.SIGKILL)
    assert wait_for(lambda: not listens(port))
    assert healthcheck(*check).returncode == 1
    program(*hook, DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert wait_for(lambda: listens(health_port))
    finished = healthcheck(*check)
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr


@pytest.fixture
def wire(django_db_setup: None) -> Iterator[Wire]:
    """The database's, that can be frozen."""
    parameters = connection.get_connection_params()
    wire = Wire(str(Path(parameters["host"]) / f".s.PGSQL.{parameters['port']}"))
    yield wire
    wire.stop()


def test_both_checks_say_that_the_database_is_away_when_it_is_frozen(
    program: Callable[..., subprocess.Popen[bytes]], db: None, wire: Wire
) -> None:
    """It takes connections and says nothing: the answer comes within the time that a check waits."""
    name = connection.get_connection_params()
    url = f"postgresql://{name['user']}:{quote(name['password'])}@127.0.0.1:{wire.port}/{name['dbname']}"
    port, hook_port, health_port = free_port(), free_port(), free_port()
    checks = {
        "away: database": ("web", f"--address=127.0.0.1:{port}"),
        "not ready": ("hook", f"--address=127.0.0.1:{hook_port}", f"--health=127.0.0.1:{health_port}"),
    }
    program("-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "--workers=1", f"--bind=127.0.0.1:{port}",
            "webmail_panel.wsgi:application", HTTPS="1", DATABASE_URL=url)  # fmt: skip
    program("manage.py", "lmtpd", f"--listen=127.0.0.1:{hook_port}", f"--health=127.0.0.1:{health_port}",
            DATABASE_URL=url)  # fmt: skip
    for check in checks.values():
        assert wait_for(lambda check=check: healthcheck(*check).returncode == 0), check
    wire.freeze()
    for said, check in checks.items():
        assert wait_for(lambda said=said, check=check: said in healthcheck(*check).stderr), check
        assert healthcheck(*check).returncode == 1
    wire.thaw()
    for check in checks.values():
        assert wait_for(lambda check=check: healthcheck(*check).returncode == 0), check


def test_a_hook_that_accepts_and_hangs_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SECONDS_FOR_AN_ANSWER", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(health.Unhealthy):
            health.check_hook(f"127.0.0.1:{silent.getsockname()[1]}")


def test_a_server_that_speaks_nonsense_is_not_healthy() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def answer() -> None:
            client, _address = server.accept()
            client.sendall(b"what?\r\n" * 3)
            client.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(health.Unhealthy):
            health.check_hook(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_worker_and_beat_checks_follow_the_worker(
    program: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, database_url: str
) -> None:
    tmp_path.parent.chmod(0o755)
    redis = start_redis(tmp_path / "redis")
    urls = {"REDIS_URL": redis.url, "CELERY_BROKER_URL": redis.broker_url, "VAR_DIR": str(tmp_path)}
    urls["DATABASE_URL"] = database_url
    try:
        assert healthcheck("worker", **urls).returncode == 1
        assert healthcheck("beat", **urls).returncode == 1
        worker = program("-m", "celery", "--app=webmail_panel", "worker", "--beat", "--concurrency=1", **urls)
        with Redis.from_url(redis.url) as cache_of_theirs:
            assert wait_for(lambda: bool(cache_of_theirs.keys(f"*{health.BEAT_SIGN_OF_LIFE}")))
        assert healthcheck("worker", **urls).returncode == 0
        assert healthcheck("beat", **urls).returncode == 0
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        assert healthcheck("worker", **urls).returncode == 1
    finally:
        redis.stop()
    assert healthcheck("worker", **urls).returncode == 1
    finished = healthcheck("beat", **urls)
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr


def test_a_worker_without_a_database_says_so_in_a_line_each_time(
    program: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    tmp_path.parent.chmod(0o755)
    failed = "responders.tasks.apply_due_transitions failed: "
    redis, log = start_redis(tmp_path / "redis"), tmp_path / "log"
    urls = {"REDIS_URL": redis.url, "CELERY_BROKER_URL": redis.broker_url, "VAR_DIR": str(tmp_path)}
    try:
        program("-m", "celery", "--app=webmail_panel", "worker", "--beat", "--concurrency=1", log=log,
                DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing", **urls)  # fmt: skip
        assert wait_for(lambda: log.read_text().count(failed) > 1)
        said = log.read_text()
    finally:
        redis.stop()
    assert [line for line in said.splitlines() if failed in line and "WARNING" in line and "127.0.0.1" in line]
    assert "Traceback" not in said


def test_beat_is_unhealthy_without_a_recent_sign_of_life() -> None:
    cache.delete(health.BEAT_SIGN_OF_LIFE)
    with pytest.raises(health.Unhealthy, match="no periodic task"):
        health.check_beat()
    cache.set(health.BEAT_SIGN_OF_LIFE, True, timeout=60)
    health.check_beat()


def test_the_check_of_old_hashes_wants_somebody_who_listens_and_takes(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("s") / "s"
    asked = ["rehash", f"--socket={path}"]
    away = healthcheck(*asked)
    assert (away.returncode, "nobody listens" in away.stderr, "Traceback" in away.stderr) == (1, True, False)
    with rehash.listening(path):
        assert healthcheck(*asked).returncode == 0
        with contextlib.suppress(BlockingIOError):
            while True:
                rehash.knock(path)
        full = healthcheck(*asked)
        assert (full.returncode, "it takes nothing more" in full.stderr) == (1, True)
