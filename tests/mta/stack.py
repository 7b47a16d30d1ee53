"""Real Postfix, Dovecot and hook, set up with the commands and files that an operator uses.

Everything is in one folder and on free ports of 127.0.0.1; the machine's own mail server is not touched.
A client that comes from TRUSTED is one of `mynetworks`, one that comes from STRANGER is not. What comes from OURS is
signed without signing in, but may go to hosted mailboxes alone.
"""

import contextlib
import imaplib
import json
import os
import shutil
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from pathlib import Path
from typing import TypeVar

import pytest

from tests.mta.sink import Sink
from tests.network import Host
from webmail_panel.children import start_child
from webmail_panel.embedded import free_port

ROOT = Path(__file__).resolve().parents[2]
TRUSTED, STRANGER, OURS = "127.0.0.1", "127.0.0.2", "127.0.0.3"
HOSTNAME = "mail.panel.example"
ROLE_PASSWORD = "only-for-tests!*()%=~:@/?&"
MAIL_USER = "mail"
PATIENCE = 180  # seconds; what takes longer than usual on a busy machine is not what is tried
# As short as may be.
QUICK_QUEUE = {"queue_run_delay": "1s", "minimal_backoff_time": "1s", "maximal_backoff_time": "2s"}
PACKAGES = {
    "postfix": "/usr/sbin/postfix",
    "postfix-pgsql": "/usr/lib/postfix/postfix-pgsql.so",
    "dovecot-core": "/usr/sbin/dovecot",
    "dovecot-lmtpd": "/usr/lib/dovecot/lmtp",
    "dovecot-imapd": "/usr/lib/dovecot/imap",
    "dovecot-sieve": "/usr/lib/dovecot/modules/lib90_sieve_plugin.so",
    "dovecot-auth-lua": "/usr/lib/dovecot/modules/auth/libauthdb_lua.so",
    "lua-sql-postgres": "/usr/share/doc/lua-sql-postgres/copyright",
    "lua-socket": "/usr/share/doc/lua-socket/copyright",
    "logrotate": "/usr/sbin/logrotate",
    "rsync": "/usr/bin/rsync",
    "rspamd": "/usr/bin/rspamd",
}
# Against guessing, Dovecot answers a wrong password late, and whoever comes from there next waits longer still. Here
# everybody comes from one address.
NO_PENALTY = """
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""
# Postfix's master changes users on its way and so loses the wish to end with its parent, and the script behind
# `postfix start-fg` ends without it.
POSTFIX_IN_THE_FOREGROUND = """
trap 'kill -TERM $master' TERM
/usr/lib/postfix/sbin/master -c "$1" -s & master=$!
wait $master; wait $master
"""
WORKERS = {"smtpd", "cleanup", "qmgr", "trivial-rewrite", "lmtp", "smtp", "bounce", "postlogd"}
# What rspamd takes for spam here.
SPAM = "Buy cheap watches"
# Modules of rspamd that ask the outside world, or learn.
ASKS_OUTSIDE = ("rbl", "asn", "fuzzy_check", "surbl", "phishing", "mx_check", "bayes_expiry", "replies", "greylist")
Answer = TypeVar("Answer")


def require_mail_servers() -> None:
    """Fail, in one sentence that says what to do, where these tests cannot run."""
    missing = [package for package, file in PACKAGES.items() if not Path(file).exists()]
    if missing:
        pytest.fail(f"tests/mta need Debian's {', '.join(missing)}: install them as root", pytrace=False)
    if os.geteuid() != 0:
        pytest.fail("tests/mta need root: Postfix and Dovecot change to users of their own", pytrace=False)


def until(question: Callable[[], Answer], what: str, seconds: float = PATIENCE) -> Answer:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} seconds: {what}")
        time.sleep(0.05)
    return answer


def message(sender: str = "", to: str = "", subject: str = "Pytanie", text: str = "Dzień dobry!\n") -> EmailMessage:
    """A person's message; each has a Message-ID of its own."""
    made = EmailMessage()
    if sender:
        made["From"] = f"Jan Kowalski <{sender}>"
    if to:
        made["To"] = to
    made["Subject"] = subject
    made["Message-ID"] = f"<{time.time_ns()}@klient.example>"
    made.set_content(text)
    return made


def run_check(conf: Path) -> subprocess.CompletedProcess[str]:
    """Whether somebody listens for changes of who signs in, as a container asks."""
    command = [sys.executable, "-m", "mailboxes.sign_in_cache", "--check", str(conf)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _children(pid: int) -> list[int]:
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:  # it has ended
        return []


class Stack:
    """The servers. `start` sets up and starts everything; `stop` ends it."""

    def __init__(self, folder: Path, database_url: str, role: str) -> None:
        self.folder = folder
        self.database_url, self.role = database_url, role
        self.smtp_port, self.reply_port = free_port(), free_port()
        self.submission_port, self.submissions_port = free_port(), free_port()
        self.hook_port, self.health_port, self.imap_port = free_port(), free_port(), free_port()
        self.sink = Sink(free_port())
        self._env = {
            **os.environ, "DATABASE_URL": database_url, "RELAY_URL": f"smtp://127.0.0.1:{self.reply_port}",
            "MAIL_HOSTNAME": HOSTNAME, "RECEIVED_BY_HOSTS": HOSTNAME, "PYTHONUNBUFFERED": "1",
            "POSTFIX_DATABASE_USER": f"{role}_postfix", "POSTFIX_DATABASE_PASSWORD": ROLE_PASSWORD,
            "DOVECOT_DATABASE_USER": f"{role}_dovecot", "DOVECOT_DATABASE_PASSWORD": ROLE_PASSWORD,
        }  # fmt: skip
        self.code = ROOT  # the panel's, that its commands and the hook are run from
        self.database_hosts: list[str] = []  # that Postfix and Dovecot ask, in their order; none: the panel's own
        self.dovecot_also = ""  # settings beyond those of deploy/
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    # --- setting up ---

    def start(self) -> None:
        require_mail_servers()
        self._make_folders()
        self.manage("migrate", "--verbosity=0")
        self.manage("mailrole", "postfix")
        self.manage("mailrole", "dovecot")
        self.configure_postfix()
        self.configure_dovecot()
        self.sink.start()
        self.restart_dovecot()
        self.start_sign_ins()
        subprocess.run(["postfix", "-c", self.config, "check"], check=True)
        self._start_postfix()
        self.start_hook()
        for port in (self.imap_port, self.smtp_port, self.reply_port):
            self._wait_for_port(port)

    def stop(self) -> None:
        for name in list(self._running):
            self._end(name)
        self.sink.stop()

    def restart_dovecot(self, *place: str | Path) -> None:
        """It remembers nothing then. `place` is the command in which it runs."""
        if "dovecot" in self._running:
            self._end("dovecot")
        self._launch("dovecot", [*place, "/usr/sbin/dovecot", "-F", "-c", self.dovecot_conf])
        self._wait_for_port(self.imap_port)

    def start_sign_ins(self) -> None:
        """What lets Dovecot forget."""
        self._launch("sign-ins", [sys.executable, "-m", "mailboxes.sign_in_cache", self.sign_ins_conf])
        until(lambda: run_check(self.sign_ins_conf).returncode == 0, "somebody listens for changes")

    @property
    def sign_ins_conf(self) -> Path:
        return self.folder / "dovecot" / "sign-in-cache.conf.ext"

    def kill_sign_ins(self) -> None:
        """At once, whatever it is doing."""
        process = self._running.pop("sign-ins")
        process.kill()
        process.wait(60)

    @contextlib.contextmanager
    def nobody_tells_dovecot(self) -> Iterator[None]:
        """What it remembers stays, whatever changed lately: it is told again a moment after each change."""
        self.kill_sign_ins()
        try:
            yield
        finally:
            self.start_sign_ins()

    @property
    def rehash_socket(self) -> Path:
        return self.folder / "sockets" / "rehash"

    @contextlib.contextmanager
    def rehashing(self) -> Iterator[None]:
        """Somebody makes hashes of ours of those of other systems."""
        self.start_rehash()
        try:
            yield
        finally:
            self._end("rehash")
            self.rehash_socket.unlink()

    def start_rehash(self) -> None:
        self._launch("rehash", [sys.executable, self.code / "manage.py", "rehash", f"--listen={self.rehash_socket}"])

        def listens() -> bool:
            with contextlib.suppress(OSError):
                self.hand_over_octets(b"")
                return True
            return False

        until(listens, "somebody listens for old hashes")

    def kill_rehash(self) -> None:
        """At once, whatever it is doing."""
        process = self._running.pop("rehash")
        process.kill()
        process.wait(60)

    def rehash_log(self) -> str:
        return (self.folder / "log" / "rehash.out").read_text()

    def hand_over_octets(self, octets: bytes) -> None:
        """What Dovecot sends, or anything else; raises OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(self.rehash_socket))
            sender.send(octets)

    def start_hook(self) -> None:
        manage = [sys.executable, self.code / "manage.py"]
        listen = [f"--listen=127.0.0.1:{self.hook_port}", f"--health=127.0.0.1:{self.health_port}"]
        self._launch("hook", [*manage, "lmtpd", *listen])
        self._wait_for_port(self.hook_port)

    @contextlib.contextmanager
    def rspamd(self, name_server: str, keys: str) -> Iterator[int]:
        """Debian's rspamd with the panel's own part of its configuration; yields the milter's port.

        `keys` is the address of the Redis with the keys.

        Without what would ask the outside world, and without the compiling of all its patterns at the start.
        """
        port, folder = free_port(), self.folder / "rspamd"
        local = folder / "local.d"
        for name in ("", "local.d", "override.d", "db", "log", "run"):
            (folder / name).mkdir()
        usual, self._env = self._env, self._env | {"DKIM_REDIS_URL": keys}
        self.manage("mailconfig", "rspamd", f"--output={local}", f"--listen=127.0.0.1:{port}", f"--networks={OURS}/32")
        self._env = usual
        address, _colon, dns_port = name_server.rpartition(":")
        with (local / "options.inc").open("a") as options:
            options.write(
                f'disable_hyperscan = true;\ndns {{ nameserver = ["{address}:{dns_port}:1"]; timeout = 1s; }}\n'
            )
        for name in ASKS_OUTSIDE:
            (local / f"{name}.conf").write_text("enabled = false;\n")
        for name in ("worker-normal.inc", "worker-controller.inc"):
            (local / name).write_text("enabled = false;\n")
        (local / "regexp.conf").write_text(f'TEST_SPAM {{ re = "/{SPAM}/{{sa_raw_body}}"; score = 100; }}\n')
        folders = {"LOCAL_CONFDIR": folder, "DBDIR": folder / "db", "LOGDIR": folder / "log", "RUNDIR": folder / "run"}
        variables = [f"--var={name}={path}" for name, path in folders.items()]
        self._launch("rspamd", ["/usr/bin/rspamd", "-f", "-i", "-c", "/etc/rspamd/rspamd.conf", *variables])
        self._wait_for_port(port, seconds=120)  # it reads a lot
        try:
            yield port
        finally:
            self._end("rspamd")
            shutil.rmtree(folder)

    def stop_hook(self) -> None:
        self._end("hook")

    def kill_hook(self) -> None:
        """At once, whatever it is doing."""
        process = self._running.pop("hook")
        process.kill()
        process.wait(60)

    @contextlib.contextmanager
    def hook_with(self, **settings: str) -> Iterator[None]:
        """A hook with other settings for a while, in place of one that was stopped; the usual one afterwards."""
        usual, self._env = self._env, self._env | settings
        self.start_hook()
        try:
            yield
        finally:
            self._env = usual
            self.stop_hook()
            self.start_hook()

    @property
    def hook_is_running(self) -> bool:
        return "hook" in self._running

    def free_address(self) -> str:
        """Where nobody listens."""
        return f"127.0.0.1:{free_port()}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings of everything of the panel that runs here."""
        return dict(self._env)

    @property
    def pids(self) -> list[int]:
        """Of Dovecot, the hook and what started Postfix."""
        return [process.pid for process in self._running.values()]

    def pid_of(self, name: str) -> int:
        return self._running[name].pid

    @property
    def config(self) -> Path:
        return self.folder / "postfix"

    @property
    def dovecot_conf(self) -> Path:
        """The panel's file for Dovecot, and what is set beyond it."""
        return self.folder / "dovecot-here.conf"

    def manage(self, *arguments: str, stdin: str = "") -> str:
        """Run a command of manage.py on this stack's database and return what it wrote."""
        finished = subprocess.run(
            [sys.executable, self.code / "manage.py", *arguments],
            env=self._env, cwd=self.code, input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    def _make_folders(self) -> None:
        for name, owner in {
            "queue": "root",
            "state": "postfix",
            "run": "root",
            "sockets": "root",
            "mail": MAIL_USER,
            "log": "root",
        }.items():
            (self.folder / name).mkdir(exist_ok=True)  # the mail may have come from a backup
            shutil.chown(self.folder / name, owner)
        subject, key, certificate = f"/CN={HOSTNAME}", self.folder / "key.pem", self.folder / "certificate.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", subject]
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)

    def configure_postfix(self, *more: str) -> None:
        """Render its files, with further options."""
        self.manage(
            "mailconfig", "postfix", "--output", str(self.config),
            f"--smtp-listen=127.0.0.1:{self.smtp_port}", f"--submission-listen=127.0.0.1:{self.submission_port}",
            f"--submissions-listen=127.0.0.1:{self.submissions_port}",
            f"--reply-listen=127.0.0.1:{self.reply_port}", f"--hook=127.0.0.1:{self.hook_port}",
            f"--dovecot-lmtp=unix:{self.folder}/sockets/lmtp",
            f"--dovecot-auth=unix:{self.folder}/sockets/auth", f"--dovecot-quota=unix:{self.folder}/sockets/quota",
            f"--networks={TRUSTED}/32", f"--reply-clients={TRUSTED}/32", f"--relayhost=[127.0.0.1]:{self.sink.port}",
            f"--tls-cert={self.folder}/certificate.pem", f"--tls-key={self.folder}/key.pem",
            f"--log={self.folder}/log/mail.log", "--postmaster=postmaster@klient.example",
            *(f"--database-host={host}" for host in self.database_hosts), *more,
        )  # fmt: skip
        self.keep_postfix_here()

    def keep_postfix_here(self) -> None:
        """What its files need beyond those of the panel."""
        # Every client here has an address of 127.0.0.0/8 and is busier than any office.
        own = {"smtpd_client_event_limit_exceptions": "127.0.0.0/8"}
        own |= {"queue_directory": self.folder / "queue", "data_directory": self.folder / "state"}
        self._postconf(own | QUICK_QUEUE)

    def configure_dovecot(self, *more: str) -> None:
        """Render its files, with further options."""
        self.manage(
            "mailconfig", "dovecot", "--output", str(self.folder / "dovecot"),
            f"--lmtp-listen=unix:{self.folder}/sockets/lmtp",
            f"--auth-listen=unix:{self.folder}/sockets/auth", f"--quota-listen=unix:{self.folder}/sockets/quota",
            f"--imap-listen=127.0.0.1:{self.imap_port}", f"--imaps-port={free_port()}",
            f"--mail-user={MAIL_USER}", f"--mail-dir={self.folder}/mail",
            f"--rehash-socket={self.rehash_socket}",
            f"--run-dir={self.folder}/run", f"--state-dir={self.folder}/run", f"--log={self.folder}/log/dovecot.log",
            f"--tls-cert={self.folder}/certificate.pem", f"--tls-key={self.folder}/key.pem",
            *(f"--database-host={host}" for host in self.database_hosts), *more,
        )  # fmt: skip
        # A file of its own: those of the panel stay as `mailconfig` made them.
        self.dovecot_conf.write_text(f"!include {self.folder}/dovecot/dovecot.conf\n{NO_PENALTY}{self.dovecot_also}")

    def _launch(self, name: str, command: list[str | Path]) -> None:
        with (self.folder / "log" / f"{name}.out").open("ab") as output:
            self._running[name] = start_child(command, output=output, env=self._env, cwd=self.code)

    def _end(self, name: str) -> None:
        process = self._running.pop(name)
        process.terminate()
        process.wait(60)

    def _wait_for_port(self, port: int, seconds: float = PATIENCE, address: str = "127.0.0.1") -> None:
        def is_open() -> bool:
            with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
                return True
            return False

        until(is_open, f"port {port} open; logs are in {self.folder}/log", seconds)

    # --- Postfix ---

    def _postconf(self, settings: dict[str, object]) -> None:
        lines = [f"{name}={value}" for name, value in settings.items()]
        subprocess.run(["postconf", "-c", self.config, "-e", *lines], check=True)

    def _start_postfix(self, *place: str | Path) -> None:
        self._launch("postfix", [*place, "sh", "-c", POSTFIX_IN_THE_FOREGROUND, "sh", self.config])

    def restart_postfix(self, *place: str | Path) -> None:
        """For what a reload does not change: the listeners, and the command in which it runs."""
        self._end("postfix")
        self._start_postfix(*place)
        self.wait_for_postfix()

    def wait_for_postfix(self) -> None:
        """Until it listens everywhere: master(8) opens its ports in the order of master.cf."""
        for port in (self.smtp_port, self.submission_port, self.reply_port):
            self._wait_for_port(port)

    @contextlib.contextmanager
    def postfix_on(self, host: Host, address: str, *options: str, **settings: str) -> Iterator[None]:
        """Postfix on a host of tests/network.py, port 25 of its address, with further options; as usual afterwards.

        Dovecot and the database are reached there by their sockets; the hook and the sink are not.
        """
        files = [self.config / name for name in ("main.cf", "master.cf")]
        before = [file.read_text() for file in files]
        self._end("postfix")
        self.configure_postfix(f"--smtp-listen={address}:25", *options)
        self.set_postfix(**settings)
        self._start_postfix(*host.command)
        try:
            host.run(lambda: self._wait_for_port(25, address=address))
            yield
        finally:
            self._end("postfix")
            for file, text in zip(files, before, strict=True):
                file.write_text(text)
            self._start_postfix()
            self._wait_for_port(self.smtp_port)

    def set_postfix(self, **settings: str) -> None:
        self._postconf(dict(settings))

    def reload_postfix(self, *also: str) -> None:
        with self.reloading(*also):
            subprocess.run(["postfix", "-c", self.config, "reload"], check=True, capture_output=True)
        self._wait_for_port(self.smtp_port)

    def forget_databases_that_went(self) -> None:
        """Postfix asks one that went away again after a minute only, and proxymap remembers it for all others."""
        self.stop_hook()  # its connections to Postfix keep a proxymap busy
        self.reload_postfix("proxymap")
        self.start_hook()

    @contextlib.contextmanager
    def reloading(self, *also: str) -> Iterator[None]:
        """What happens in it reloads Postfix; at its end nobody works by the old files any more.

        `postfix reload` ends before the master has heard of it, and who is idle may still take a message.
        """
        names = WORKERS.union(also)
        before = self._workers(names)
        yield
        until(lambda: not before & self._workers(names), "Postfix's workers replaced")

    def _workers(self, names: set[str]) -> set[tuple[int, str]]:
        """Postfix's processes of those names, but for those that the hook keeps a connection to."""
        found: set[tuple[int, str]] = set()
        for master in _children(self._running["postfix"].pid):
            for pid in _children(master):
                with contextlib.suppress(OSError):  # it has ended
                    name, *arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
                    started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
                    if name in names and not any(argument.endswith(f":{self.reply_port}") for argument in arguments):
                        found.add((pid, started))
        return found

    @contextlib.contextmanager
    def postfix_with(self, **settings: str) -> Iterator[None]:
        """Postfix with other settings for a while."""
        main_cf = self.config / "main.cf"
        before = main_cf.read_text()
        self._postconf(dict(settings))
        self.reload_postfix()
        try:
            yield
        finally:
            main_cf.write_text(before)
            self.reload_postfix()

    def send(
        self, sender: str, recipients: str | Iterable[str], content: EmailMessage | bytes | None = None,
        *, client: str = STRANGER, options: tuple[str, ...] = (),
    ) -> dict[str, tuple[int, bytes]]:  # fmt: skip
        """Send a message in over SMTP and return the recipients that were refused, as smtplib does."""
        recipients = [recipients] if isinstance(recipients, str) else list(recipients)
        if content is None:
            content = message(sender, ", ".join(recipients))
        with self.smtp(client) as smtp:
            if isinstance(content, bytes):
                return smtp.sendmail(sender, recipients, content, mail_options=options)
            return smtp.send_message(content, sender, recipients, mail_options=options)

    def smtp(self, client: str = STRANGER, port: int | None = None) -> smtplib.SMTP:
        """A connection to Postfix that comes from the address `client`."""
        return smtplib.SMTP(
            "127.0.0.1", port or self.smtp_port, "client.example", timeout=120, source_address=(client, 0)
        )

    def flush(self) -> None:
        subprocess.run(["postqueue", "-c", self.config, "-f"], check=True)

    def queue(self) -> list[dict[str, object]]:
        """What waits: a dict a message."""
        shown = subprocess.run(["postqueue", "-c", self.config, "-j"], check=True, capture_output=True, text=True)
        return [json.loads(line) for line in shown.stdout.splitlines()]

    def empty_queue(self) -> None:
        """Throw away whatever waits."""
        subprocess.run(["postsuper", "-c", self.config, "-d", "ALL"], check=True, capture_output=True)

    def wait_for_empty_queue(self, seconds: float = PATIENCE) -> None:
        until(lambda: not self.queue(), "an empty queue", seconds)

    def look_up(self, file: str, key: str) -> str:
        """What Postfix finds in a map; empty where there is nothing."""
        command = ["postmap", "-c", self.config, "-q", key, f"pgsql:{self.config}/{file}"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        assert found.stderr == ""
        return found.stdout.strip()

    def log(self, since: int = 0) -> str:
        """What Postfix wrote, from a length of the log on."""
        return (self.folder / "log" / "mail.log").read_bytes()[since:].decode(errors="replace")

    def log_length(self) -> int:
        return (self.folder / "log" / "mail.log").stat().st_size

    def latest_logs(self, lines: int = 80) -> list[tuple[str, str]]:
        """The end of every log, with its name."""
        logs = sorted((self.folder / "log").glob("*.*"))
        return [(str(log), "\n".join(log.read_text(errors="replace").splitlines()[-lines:])) for log in logs]

    # --- mailboxes ---

    def home(self, address: str) -> Path:
        """The folder of a mailbox that was never renamed."""
        local_part, _at, domain = address.rpartition("@")
        return self.folder / "mail" / domain / local_part

    def stored(self, address: str, folder_name: str = "") -> list[EmailMessage]:
        """The messages in a mailbox's inbox or in another folder of it, as their files."""
        folder = self.home(address) / "Maildir" / (f".{folder_name}" if folder_name else "")
        files = [file for name in ("new", "cur") for file in folder.glob(f"{name}/*")]
        return [message_from_bytes(file.read_bytes(), policy=default_policy) for file in files]  # type: ignore[misc]

    def wait_until_stored(
        self, address: str, count: int = 1, seconds: float = PATIENCE, folder_name: str = ""
    ) -> list[EmailMessage]:
        what = f"{count} messages in {address}"
        return until(lambda: found if len(found := self.stored(address, folder_name)) >= count else [], what, seconds)

    @contextlib.contextmanager
    def imap(self, address: str, password: str) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=120) as imap:
            imap.starttls()
            imap.login(address, password)
            yield imap
