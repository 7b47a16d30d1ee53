"""The embedded servers: closed to strangers, at home in a private folder, not disturbed by what was left behind."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from webmail_panel import embedded

ROOT = Path(__file__).resolve().parents[2]


def command_of(pid: str) -> str:
    """Empty for a process that has ended, also where nobody has asked for its exit code yet."""
    path = Path("/proc") / pid / "cmdline"
    return path.read_text() if path.exists() else ""


@pytest.fixture
def private_folder(tmp_path: Path) -> Path:
    """Like a folder under /root: nobody else may enter."""
    tmp_path.chmod(0o700)
    return tmp_path / "postgres"


def test_the_database_lives_beside_a_private_home_and_keeps_its_data(private_folder: Path) -> None:
    for expected in ("created", "found"):
        server = embedded.start_postgres(private_folder)
        try:
            with psycopg.connect(server.url()) as connection:
                if expected == "created":
                    connection.execute("CREATE TABLE kept (n int)")
                assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        finally:
            server.stop()
    assert private_folder.parent.stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        assert not server.data_dir.is_relative_to(private_folder)
        shutil.rmtree(server.data_dir.parent)


def test_nobody_comes_in_without_the_password(tmp_path: Path) -> None:
    url = os.environ["DATABASE_URL"]
    password = url.partition("@")[0].rpartition(":")[2]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace(password, "guess"))


def test_servers_end_with_the_process_that_started_them(private_folder: Path) -> None:
    script = (
        "import os, pathlib, sys; from webmail_panel import embedded; folder = pathlib.Path(sys.argv[1]);"
        "a = embedded.start_postgres(folder); b = embedded.start_redis(folder / 'redis');"
        "print(a.process.pid, b.process.pid, a.data_dir.parent, flush=True); os.kill(os.getpid(), 9)"
    )
    started = subprocess.run(
        [sys.executable, "-c", script, str(private_folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert started.returncode == -signal.SIGKILL, started.stderr
    postgres, redis, home = started.stdout.split()
    server = embedded.start_postgres(private_folder)  # at once: the other may still be ending
    server.stop()
    assert "postgres" not in command_of(postgres)
    assert "redis" not in command_of(redis)
    shutil.rmtree(home)


def test_a_strangers_process_is_not_taken_for_a_leftover(private_folder: Path) -> None:
    server = embedded.start_postgres(private_folder)
    server.stop()
    stranger = subprocess.Popen(["sleep", "60"])
    (server.data_dir / "postmaster.pid").write_text(f"{stranger.pid}\n{server.data_dir}\n")
    try:
        embedded.start_postgres(private_folder).stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        shutil.rmtree(server.data_dir.parent)


def test_a_path_too_long_for_a_socket_gets_a_short_one_that_goes_away(tmp_path: Path) -> None:
    server = embedded.start_redis(tmp_path / ("long" * 25))
    assert len(str(server.socket_path)) < 108
    server.stop()
    assert not server.socket_path.parent.exists()
