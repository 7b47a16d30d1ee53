"""What `make run` reads from the environment, and what it says when it cannot start."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from webmail_panel.embedded import free_port
from webmail_panel.run import StartError, read_options

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def start(var_dir: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ports = {name: str(free_port()) for name in ("HTTP_PORT", "LMTP_PORT", "DEMO_RELAY_PORT")}
    return subprocess.run(
        [sys.executable, "-m", "webmail_panel.run"],
        cwd=ROOT, env=kept | ports | {"VAR_DIR": str(var_dir)} | changes,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_without_any_wish_the_usual_ports_are_used() -> None:
    options = read_options({})
    assert options.ports == {"HTTP_PORT": 8000, "LMTP_PORT": 8024, "DEMO_RELAY_PORT": 8025}
    assert options.var_dir == ROOT / "var"


def test_a_relay_that_was_given_needs_no_port_of_the_demo_relay() -> None:
    assert "DEMO_RELAY_PORT" not in read_options({"RELAY_URL": "smtp://mail.example:25"}).ports


@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(StartError, match="LMTP_PORT must be a number"):
        read_options({"LMTP_PORT": text})


def test_two_services_on_one_port_are_refused() -> None:
    with pytest.raises(StartError, match="must differ"):
        read_options({"LMTP_PORT": "8000"})


@pytest.mark.parametrize("name", ["HTTP_PORT", "LMTP_PORT", "DEMO_RELAY_PORT"])
def test_a_taken_port_is_one_clear_line(name: str, taken_port: int, tmp_path: Path) -> None:
    finished = start(tmp_path, **{name: str(taken_port)})
    assert finished.returncode == 1
    assert finished.stdout == ""
    line = f"webmail-panel: port {taken_port} is taken by another program; set {name} to another one\n"
    assert finished.stderr == line
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}, "the database at DATABASE_URL cannot be used"),
        ({"DATABASE_URL": "gibberish"}, "the database at DATABASE_URL cannot be used"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "the Redis at REDIS_URL cannot be used"),
        ({"REDIS_URL": "gibberish"}, "the Redis at REDIS_URL cannot be used"),
        ({"VAR_DIR": "/dev/null/var"}, "VAR_DIR cannot be used"),
    ],
)
def test_what_was_given_and_cannot_be_used_is_one_clear_line(
    changes: dict[str, str], words: str, tmp_path: Path
) -> None:
    tmp_path.parent.chmod(0o755)
    given = {"DATABASE_URL": os.environ["DATABASE_URL"], "REDIS_URL": os.environ["REDIS_URL"]} | changes
    finished = start(tmp_path, **given)
    assert finished.returncode == 1
    assert words in finished.stderr
    assert "Traceback" not in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
