"""`make run`: the whole panel on one machine, for trying it out. Never for real mail: DEBUG is on.

    python -m webmail_panel.run

From the environment: HTTP_PORT, LMTP_PORT, DEMO_RELAY_PORT, VAR_DIR; RELAY_URL, DATABASE_URL and REDIS_URL
name something that runs already, in place of what would be started here.
"""

import contextlib
import fcntl
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import psycopg
import redis

from webmail_panel import embedded
from webmail_panel.supervisor import ProgramEnded, Supervisor

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL = "127.0.0.1"
SECONDS_TO_START = 90.0
SECONDS_FOR_LEFTOVERS = 20.0
KEPT_FOR_OTHER_TERMINALS = (
    "SECRET_KEY", "DEBUG", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "RELAY_URL",
    "HTTP_PORT", "LMTP_PORT", "DEMO_RELAY_PORT",
)  # fmt: skip


class StartError(RuntimeError):
    """The panel cannot start; the text is one line for the person at the terminal."""


@dataclass(frozen=True)
class Servers:
    """Addresses of what runs already. `setup_url` is a superuser's, of a database that was started here."""

    database_url: str
    setup_url: str
    redis_url: str
    broker_url: str


@dataclass(frozen=True)
class Options:
    """What the environment asks for; an empty address means: start one here."""

    var_dir: Path
    ports: Mapping[str, int]
    database_url: str
    redis_url: str
    relay_url: str


def main() -> int:
    """Run until Ctrl-C, SIGTERM, or the end of any program; return the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with _one_panel_in(options := read_options(os.environ)):
            return _run(options, Supervisor())
    except StartError as error:
        return _complain(error)
    except KeyboardInterrupt:
        return 0


def _run(options: Options, supervisor: Supervisor) -> int:
    try:
        _start(options, supervisor)
        supervisor.run()
    except (StartError, ProgramEnded, embedded.EmbeddedError) as error:
        return _complain(error)
    except KeyboardInterrupt:
        return 0
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # once is enough: it ends within seconds
        _say("\nStopping…")
        supervisor.stop()
    return 0


def _complain(error: Exception) -> int:
    sys.stderr.write(f"webmail-panel: {error}\n")
    return 1


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


# --- What the environment asks for -------------------------------------------------------------------


def read_options(environ: Mapping[str, str]) -> Options:
    """Raises StartError for a port that is none."""
    ports = {"HTTP_PORT": 8000, "LMTP_PORT": 8024}
    if not environ.get("RELAY_URL"):
        ports["DEMO_RELAY_PORT"] = 8025
    ports = {name: _port(name, environ.get(name) or str(default)) for name, default in ports.items()}
    if len(set(ports.values())) < len(ports):
        raise StartError(f"{', '.join(ports)} must differ from each other")
    return Options(
        var_dir=Path(environ.get("VAR_DIR") or BASE_DIR / "var").resolve(),
        ports=ports,
        database_url=environ.get("DATABASE_URL", ""),
        redis_url=environ.get("REDIS_URL", ""),
        relay_url=environ.get("RELAY_URL", ""),
    )


def _port(name: str, text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise StartError(f"{name} must be a number from 1 to 65535, not “{text}”")
    return int(text)


@contextlib.contextmanager
def _one_panel_in(options: Options) -> Iterator[None]:
    """Hold VAR_DIR's lock; the mark in it tells the next start that this one was killed. Raises StartError."""
    try:
        options.var_dir.mkdir(parents=True, exist_ok=True)
        lock = (options.var_dir / "run.lock").open("a+")
    except OSError as error:
        raise StartError(f"VAR_DIR cannot be used: {error}") from error
    with lock:
        is_ours = _lock(lock)
        lock.seek(0)
        was_killed = is_ours and bool(lock.read())
        _wait_for_ports(options, SECONDS_FOR_LEFTOVERS if was_killed else 0)
        if not is_ours:
            raise StartError(f"the panel already runs from {options.var_dir}; set VAR_DIR to start another")
        lock.write("running")
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for_ports(options: Options, seconds: float) -> None:
    """Programs of a start that was killed end by themselves, within seconds: wait for those. Raises StartError."""
    deadline = time.monotonic() + seconds
    for name, port in options.ports.items():
        while trouble := _trouble_with(port):
            if time.monotonic() > deadline:
                raise StartError(f"port {port} {trouble}; set {name} to another one")
            time.sleep(0.2)


def _trouble_with(port: int) -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCAL, port))
        except PermissionError:
            return "is for root alone"
        except OSError:
            return "is taken by another program"
    return ""


# --- Starting ----------------------------------------------------------------------------------------


def _start(options: Options, supervisor: Supervisor) -> None:
    began = time.monotonic()
    servers = _servers(options, supervisor)
    env = _environment(options, servers)
    _keep_for_other_terminals(options, env)
    _say("Preparing the database…")
    if servers.setup_url:
        _manage({**env, "SETUP_DATABASE_URL": servers.setup_url}, "preparedatabase", "--verbosity=0")
    else:
        _manage(env, "migrate", "--verbosity=0")
    logins = _manage(env, "demodata")
    _start_programs(options, env, supervisor)
    _wait_for_answers(options, supervisor)
    _greet(options, logins, time.monotonic() - began)


def _servers(options: Options, supervisor: Supervisor) -> Servers:
    """Database, cache and broker, started here unless they were given. Raises StartError."""
    database_url, redis_url, broker_url = options.database_url, options.redis_url, options.redis_url
    setup_url = ""
    if database_url:
        _check_database(database_url)
    else:
        postgres = embedded.start_postgres(options.var_dir / "postgres")
        supervisor.watch("PostgreSQL", _process(postgres), postgres.stop)
        database_url, setup_url = postgres.panel_url, postgres.url()
    if redis_url:
        _check_redis(redis_url)
        broker_url = os.environ.get("CELERY_BROKER_URL") or _broker_url(redis_url)
    else:
        server = embedded.start_redis(options.var_dir / "redis")
        supervisor.watch("Redis", server.process, server.stop)
        redis_url, broker_url = server.url, server.broker_url
    return Servers(database_url, setup_url, redis_url, broker_url)


def _process(postgres: embedded.Postgres) -> subprocess.Popen[bytes]:
    if postgres.process is None:
        raise embedded.EmbeddedError("PostgreSQL was not started")
    return postgres.process


def _check_database(url: str) -> None:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as error:
        raise StartError(f"the database at DATABASE_URL cannot be used: {_one_line(error)}") from error


def _check_redis(url: str) -> None:
    try:
        redis.Redis.from_url(url, socket_connect_timeout=5).ping()
    except (redis.RedisError, ValueError) as error:
        raise StartError(f"the Redis at REDIS_URL cannot be used: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _broker_url(redis_url: str) -> str:
    """Celery's name for a Redis on a Unix socket is another one than everybody else's."""
    if not redis_url.startswith("unix://"):
        return redis_url
    path, _mark, query = redis_url.removeprefix("unix://").partition("?")
    return f"redis+socket://{path}?{query.replace('db=', 'virtual_host=')}"


def _environment(options: Options, servers: Servers) -> dict[str, str]:
    relay_port = options.ports.get("DEMO_RELAY_PORT")
    return {
        **os.environ,
        **{name: str(port) for name, port in options.ports.items()},
        "VAR_DIR": str(options.var_dir),
        "SECRET_KEY": os.environ.get("SECRET_KEY") or _secret_key(options.var_dir / "secret_key"),
        "DEBUG": "1",
        "PANEL_URL": os.environ.get("PANEL_URL") or f"http://localhost:{options.ports['HTTP_PORT']}",
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "CELERY_BROKER_URL": servers.broker_url,
        "RELAY_URL": options.relay_url or f"smtp://{LOCAL}:{relay_port}",
        "PYTHONUNBUFFERED": "1",
        # A demo in a container runs as root; nothing that Celery reads here could carry code.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
    }


def _secret_key(path: Path) -> str:
    """Made once, readable by us alone."""
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(50))
    return path.read_text().strip()


def _write_private(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:  # noqa: PTH123 (the mode)
        file.write(text)
    part.rename(path)


def _keep_for_other_terminals(options: Options, env: Mapping[str, str]) -> None:
    """settings.py reads this file, so that `manage.py` in another terminal speaks to the same panel."""
    lines = [f"{name}='{env[name]}'" for name in KEPT_FOR_OTHER_TERMINALS if name in env]
    _write_private(options.var_dir / "panel.env", "\n".join(lines) + "\n")


def _manage(env: Mapping[str, str], *arguments: str) -> str:
    """Run a command of manage.py to its end and return what it wrote. Raises StartError."""
    command = [sys.executable, str(BASE_DIR / "manage.py"), *arguments]
    finished = subprocess.run(command, env=env, cwd=BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S603
    if finished.returncode:
        raise StartError(f"manage.py {arguments[0]} failed:\n{finished.stdout}{finished.stderr}".rstrip())
    return finished.stdout


def _start_programs(options: Options, env: Mapping[str, str], supervisor: Supervisor) -> None:
    outbox, ports = options.var_dir / "outbox", options.ports
    outbox.mkdir(exist_ok=True)
    (options.var_dir / "static").mkdir(exist_ok=True)  # while DEBUG is on, WhiteNoise serves the sources
    manage: list[str | Path] = [sys.executable, BASE_DIR / "manage.py"]
    programs: dict[str, list[str | Path]] = {
        "web": [sys.executable, "-m", "gunicorn", "--config=deploy/gunicorn.conf.py", "--workers=1",
                f"--bind={LOCAL}:{ports['HTTP_PORT']}", "--log-level=warning", "webmail_panel.wsgi:application"],
        "hook": [*manage, "lmtpd", f"--listen={LOCAL}:{ports['LMTP_PORT']}"],
        "worker": [sys.executable, "-m", "celery", "--app=webmail_panel", "--quiet", "worker", "--beat",
                   "--concurrency=1", "--loglevel=INFO", "--without-gossip", "--without-mingle"],
    }  # fmt: skip
    if "DEMO_RELAY_PORT" in ports:
        programs["relay"] = [*manage, "demorelay", f"--listen={LOCAL}:{ports['DEMO_RELAY_PORT']}", "--output", outbox]
    for name, command in programs.items():
        supervisor.start(name, command, env=env, cwd=BASE_DIR)


def _wait_for_answers(options: Options, supervisor: Supervisor) -> None:
    ports = options.ports
    answers: dict[str, Callable[[], bool]] = {
        "web": lambda: _page_answers(ports["HTTP_PORT"]),
        "hook": lambda: _greets(ports["LMTP_PORT"]),
        "worker": lambda: supervisor.has_said("worker", b" ready."),
    }
    if "DEMO_RELAY_PORT" in ports:
        answers["relay"] = lambda: _greets(ports["DEMO_RELAY_PORT"])
    deadline = time.monotonic() + SECONDS_TO_START
    for name, answer in answers.items():
        if not supervisor.wait_until(answer, deadline - time.monotonic()):
            raise StartError(f"{name} did not answer within {SECONDS_TO_START:.0f} seconds")


def _page_answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOCAL, port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": f"localhost:{port}"})
        status = connection.getresponse().status
    except OSError:
        return False
    finally:
        connection.close()
    if status >= 500:
        raise StartError(f"the panel answers with status {status}; its traceback stands above")
    return True


def _greets(port: int) -> bool:
    try:
        with socket.create_connection((LOCAL, port), timeout=2) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False


def _greet(options: Options, logins: str, seconds: float) -> None:
    ports = options.ports
    replies = options.relay_url or f"{options.var_dir / 'outbox'} (demo relay on {LOCAL}:{ports['DEMO_RELAY_PORT']})"
    _say(
        f"""
Webmail Panel is ready ({seconds:.1f} s).

  Panel           http://localhost:{ports["HTTP_PORT"]}
  Delivery hook   LMTP {LOCAL}:{ports["LMTP_PORT"]}
  Replies go to   {replies}

{logins.rstrip()}

  In another terminal: make demo-mail
  Ctrl-C ends everything.
"""
    )


if __name__ == "__main__":
    sys.exit(main())
