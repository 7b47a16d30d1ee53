"""`manage.py doctor` on real servers, well and broken in the ways that servers break."""

import contextlib
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import psycopg
import pytest

from mailboxes.services import take_password
from tests.mta.conftest import Hosting
from tests.mta.stack import HOSTNAME, ROLE_PASSWORD, ROOT, Stack, until
from tests.mta.test_foreign_passwords import hashed
from webmail_panel.embedded import Redis, free_port, start_redis

PUBLIC = "192.0.2.25"
GOOD_ZONE = {(f"{HOSTNAME}.", "A"): PUBLIC, ("25.2.0.192.in-addr.arpa.", "PTR"): f"{HOSTNAME}."}


@dataclass
class Report:
    """What the doctor said: a finding by the name of its check; the last where several have one name."""

    code: int
    said: str
    rows: list[dict[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = [json.loads(line) for line in self.said.splitlines() if line.startswith("{")]

    @property
    def findings(self) -> dict[str, dict[str, str]]:
        return {row["check"]: row for row in self.rows}

    def __getitem__(self, check: str) -> str:
        return self.findings[check]["status"]

    def seen(self, check: str) -> str:
        return self.findings[check]["seen"]

    @property
    def failed(self) -> set[str]:
        return {row["check"] for row in self.rows if row["status"] == "fail"}


class Zones(socketserver.BaseRequestHandler):
    """A name server that knows what its server's `zone` holds."""

    def handle(self) -> None:
        data, reply_to = self.request
        query = dns.message.from_wire(data)
        question = query.question[0]
        answer = dns.message.make_response(query, recursion_available=True)
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        if text := self.server.zone.get((name, kind)):  # type: ignore[attr-defined]
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, text))
        reply_to.sendto(answer.to_wire(), self.client_address)


@contextlib.contextmanager
def name_server(zone: dict[tuple[str, str], str]) -> Iterator[str]:
    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Zones) as server:
        server.zone = zone  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@dataclass
class Doctor:
    """Looks at a stack, with the settings given."""

    stack: Stack
    env: dict[str, str]

    def __call__(self, *options: str, **settings: str) -> Report:
        finished = self.run("--json", *options, **settings)
        assert "Traceback" not in finished.stderr
        return Report(finished.returncode, finished.stdout)

    def run(self, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
        stack = self.stack
        where = [f"--postfix={stack.config}", f"--dovecot={stack.folder}/dovecot", "--without=web",
                 f"--hook-health=127.0.0.1:{stack.health_port}"]  # fmt: skip
        return subprocess.run(
            [sys.executable, ROOT / "manage.py", "doctor", *where, *options],
            cwd=ROOT, env=stack.environment | self.env | settings,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    server = start_redis(Path(os.environ["PANEL_TESTS_VAR_DIR"]) / "doctor-redis")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def addresses(redis: Redis, shared_stack: Stack) -> Iterator[dict[str, str]]:
    """Of a Redis, with a worker and beat at it, and of a name server where everything is right."""
    with name_server(GOOD_ZONE) as server:
        env = {"REDIS_URL": redis.url, "CELERY_BROKER_URL": redis.broker_url, "DNS_SERVER": server,
               "VAR_DIR": os.environ["PANEL_TESTS_VAR_DIR"],
               "DKIM_FOR_NEW_DOMAINS": "0"}  # fmt: skip  # the worker makes nothing in domains that a test deletes
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "--app=webmail_panel", "worker", "--beat", "--concurrency=1",
             f"--schedule={shared_stack.folder}/schedule"],
            cwd=ROOT, env=shared_stack.environment | env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            until(lambda: Doctor(shared_stack, env)()["beat"] == "ok", "a worker", 120)
            yield env
        finally:
            worker.terminate()
            worker.wait(60)


@pytest.fixture
def doctor(stack: Stack, hosting: Hosting, addresses: dict[str, str]) -> Doctor:
    hosting.away("anna")
    return Doctor(stack, addresses)


def test_where_all_is_well_nothing_must_be_mended(doctor: Doctor, hosting: Hosting) -> None:
    report = doctor()
    assert (report.code, report.failed) == (0, set()), report.said
    for check in ("database", "clock", "migrations", "redis", "worker", "beat", "hook", "relay", "postfix check",
                  "postfix", "map domains", "map mailboxes", "map aliases", "map copies", "map senders",
                  "map recipients", "postfix role", "queue", "dovecot files", "dovecot check", "dovecot",
                  "dovecot role", "dns", "disk mail", "disk queue"):  # fmt: skip
        assert report[check] == "ok", report.findings[check]
    assert hosting.domain in report.seen("map domains")
    assert doctor.stack.queue() == []  # asking the relay sends nothing
    # What this stack has of its own: parameters for tests added by hand, a certificate for two days.
    assert report["postfix files"] == "warn"
    assert "main.cf" in report.seen("postfix files")
    assert report["certificate"] == "warn"


def test_every_line_that_is_not_well_says_what_to_do(doctor: Doctor) -> None:
    report = doctor()
    for row in report.findings.values():
        assert bool(row["remedy"]) or row["status"] in {"ok", "unknown"}, row
    text = doctor.run().stdout
    assert "WARN    postfix files" in text
    assert "        → webmail-panel mailconfig postfix" in text


def test_a_dead_hook(doctor: Doctor) -> None:
    doctor.stack.kill_hook()
    report = doctor()
    assert (report.code, report.failed) == (1, {"hook"})


def test_a_dead_hook_whose_port_another_program_holds(doctor: Doctor) -> None:
    doctor.stack.kill_hook()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", doctor.stack.hook_port))
        other.listen()
        assert doctor().failed == {"hook"}


def test_redis_that_is_away_is_told_from_a_worker_that_is_away(doctor: Doctor, tmp_path: Path) -> None:
    away = {"REDIS_URL": f"unix://{tmp_path}/none", "CELERY_BROKER_URL": f"redis+socket://{tmp_path}/none"}
    report = doctor(**away)
    assert report.failed == {"redis"}
    assert (report["worker"], report["beat"]) == ("unknown", "unknown")
    tmp_path.parent.chmod(0o755)
    empty = start_redis(tmp_path / "redis")
    try:
        report = doctor(REDIS_URL=empty.url, CELERY_BROKER_URL=empty.broker_url)
    finally:
        empty.stop()
    assert report.failed == {"worker"}
    assert report["beat"] == "unknown"


def test_a_database_that_is_away(doctor: Doctor) -> None:
    report = doctor(DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    assert "database" in report.failed
    assert (report["migrations"], report["clock"]) == ("unknown", "unknown")


def test_a_database_without_our_tables(doctor: Doctor) -> None:
    report = doctor(DATABASE_URL=doctor.stack.database_url.replace("/mta_", "/webmail_panel_no_tables_", 1))
    assert "database" in report.failed
    empty = os.environ["DATABASE_URL"]  # the tests' own server has one that nobody migrates
    report = doctor(DATABASE_URL=empty)
    assert "migrations" in report.failed
    assert report.findings["migrations"]["remedy"] == "webmail-panel migrate"


def test_a_file_changed_by_hand_is_named(doctor: Doctor) -> None:
    path = doctor.stack.config / "pgsql-domains.cf"
    before = path.read_text()
    path.write_text(before.replace("postfix_domain", "mail_lookup_sign_in"))
    try:
        report = doctor()
        assert "pgsql-domains.cf line" in report.seen("postfix files")
        assert ROLE_PASSWORD not in report.said
        assert "map domains" in report.failed
    finally:
        path.write_text(before)


def test_a_file_that_is_gone(doctor: Doctor) -> None:
    path = doctor.stack.config / "pgsql-senders.cf"
    before = path.read_text()
    path.unlink()
    try:
        report = doctor()
        assert "postfix files" in report.failed
        assert "pgsql-senders.cf" in report.seen("postfix files")
    finally:
        path.write_text(before)


def test_files_of_other_settings_are_stale(doctor: Doctor) -> None:
    report = doctor(RECIPIENT_DELIMITER="-", MESSAGE_SIZE_LIMIT="1000000")
    assert report["dovecot files"] == "warn"
    assert "dovecot.conf line" in report.seen("dovecot files")
    assert "(“recipient_delimiter = +”)" in report.seen("dovecot files")


def test_files_that_the_panel_has_not_made(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("myhostname = mail.example.org\n")
    report = doctor(f"--postfix={tmp_path}", f"--dovecot={tmp_path}/none")
    assert "postfix files" in report.failed
    assert report["dovecot files"] == "unknown"
    assert "dovecot" not in report.findings


def test_a_role_with_another_password(doctor: Doctor) -> None:
    path = doctor.stack.config / "pgsql-copies.cf"
    before = path.read_text()
    path.write_text(before.replace(ROLE_PASSWORD, "another"))
    try:
        report = doctor()
        assert "map copies" in report.failed
        assert "password authentication failed" in report.seen("map copies")
    finally:
        path.write_text(before)


def test_roles_that_may_do_too_much_or_too_little(doctor: Doctor) -> None:
    postfix, dovecot = (f"{doctor.stack.role}_{server}" for server in ("postfix", "dovecot"))
    with psycopg.connect(doctor.stack.database_url, autocommit=True) as owner:
        owner.execute(f"GRANT webmail_panel_mail TO {postfix}")
        owner.execute(f"REVOKE webmail_panel_mail_dovecot FROM {dovecot}")
        try:
            report = doctor()
        finally:
            owner.execute(f"REVOKE webmail_panel_mail FROM {postfix}")
            owner.execute(f"GRANT webmail_panel_mail_dovecot TO {dovecot}")
    assert report["postfix role"] == "warn"
    assert "mail_accounts.address, mail_accounts.password" in report.seen("postfix role")
    assert "dovecot role" in report.failed
    assert "mail_accounts.address" in report.seen("dovecot role")


def test_a_main_cf_that_postfix_does_not_take(doctor: Doctor) -> None:
    path = doctor.stack.config / "main.cf"
    before = path.read_text()
    path.write_text(before + "\nmail_owner = nobody-of-that-name\n")
    try:
        report = doctor()
    finally:
        path.write_text(before)
    assert {"postfix check", "postfix files"} & report.failed
    assert "nobody-of-that-name" in report.said


def test_a_dovecot_conf_that_dovecot_does_not_take(doctor: Doctor) -> None:
    path = doctor.stack.folder / "dovecot" / "dovecot.conf"
    before = path.read_text()
    path.write_text(before + "\nno_such_setting = 1\n")
    try:
        report = doctor()
    finally:
        path.write_text(before)
    assert "dovecot check" in report.failed
    assert "no_such_setting" in report.seen("dovecot check")


@pytest.mark.parametrize("server", ["postfix", "dovecot"])
def test_a_mail_server_that_does_not_run(doctor: Doctor, server: str, tmp_path: Path) -> None:
    """The same files, of servers that nobody started."""
    stack, folder = doctor.stack, tmp_path / server
    tmp_path.parent.chmod(0o755)
    for name in ("queue", "state", "run"):
        (tmp_path / name).mkdir()
    if server == "postfix":
        stack.manage("mailconfig", "postfix", f"--output={folder}", f"--log={tmp_path}/mail.log")
        subprocess.run(["postconf", "-c", folder, "-e", f"queue_directory={tmp_path}/queue"], check=True)
    else:
        stack.manage("mailconfig", "dovecot", f"--output={folder}", f"--run-dir={tmp_path}/run", "--mail-user=mail")
    assert server in doctor(f"--{server}={folder}").failed


def test_nobody_who_tells_dovecot_whom_to_forget(doctor: Doctor) -> None:
    doctor.stack.kill_sign_ins()
    try:
        report = doctor()
        assert report.failed == {"sign-ins"}
        assert "webmail-panel-sign-ins" in report.findings["sign-ins"]["remedy"]
    finally:
        doctor.stack.start_sign_ins()
    assert doctor()["sign-ins"] == "ok"


def test_hashes_of_another_system_that_nobody_renews(doctor: Doctor, hosting: Hosting) -> None:
    assert doctor().seen("rehash") == "no hash of another system is left"
    jan = hosting.mailbox("jan")
    assert take_password(hosting.mailboxes[jan], hashed("SHA512-CRYPT"))
    report = doctor()
    assert (report["rehash"], report.failed) == ("warn", set())
    assert "webmail-panel-rehash" in report.findings["rehash"]["remedy"]
    with doctor.stack.rehashing():
        assert doctor()["rehash"] == "ok"


def test_a_relay_that_refuses_the_null_reverse_path(doctor: Doctor) -> None:
    """A submission port takes nobody who has not signed in."""
    report = doctor(RELAY_URL=f"smtp://127.0.0.1:{doctor.stack.submission_port}")
    assert report.failed == {"relay"}
    assert "was answered 5" in report.seen("relay")
    report = doctor(RELAY_URL=f"smtp://127.0.0.1:{free_port()}")
    assert report.failed == {"relay"}


@pytest.mark.parametrize(
    ("zone", "status", "words"),
    [
        ({}, "fail", f"{HOSTNAME} has no address"),
        ({(f"{HOSTNAME}.", "A"): PUBLIC}, "warn", f"{PUBLIC} does not lead back to {HOSTNAME}"),
        (GOOD_ZONE | {("25.2.0.192.in-addr.arpa.", "PTR"): "host25.provider.example."}, "warn", "does not lead back"),
    ],
)
def test_the_name_in_the_dns(doctor: Doctor, zone: dict[tuple[str, str], str], status: str, words: str) -> None:
    with name_server(zone) as server:
        report = doctor(DNS_SERVER=server)
    assert report["dns"] == status
    assert words in report.seen("dns")


def test_a_name_server_that_is_silent_is_no_verdict(doctor: Doctor) -> None:
    report = doctor(DNS_SERVER=f"127.0.0.1:{free_port()}")
    assert (report["dns"], report.code) == ("unknown", 0)


def test_a_signer_that_is_away(doctor: Doctor, tmp_path: Path) -> None:
    stack = doctor.stack
    assert doctor()["signer"] == "warn"  # this stack has none
    stack.manage("mailconfig", "postfix", f"--output={tmp_path}/postfix", f"--milter=127.0.0.1:{free_port()}")
    stack.manage("mailconfig", "rspamd", f"--output={tmp_path}/rspamd", "--listen=127.0.0.1:11332")
    report = doctor(f"--postfix={tmp_path}/postfix", f"--rspamd={tmp_path}/rspamd")
    assert "signer" in report.failed
    assert report["rspamd files"] == "ok"
    with socket.socket() as milter:
        milter.bind(("127.0.0.1", 0))
        milter.listen()
        address = f"127.0.0.1:{milter.getsockname()[1]}"
        stack.manage("mailconfig", "postfix", f"--output={tmp_path}/postfix", f"--milter={address}")
        assert doctor(f"--postfix={tmp_path}/postfix")["signer"] == "ok"


def test_keys_that_sign_are_looked_at_where_rspamd_is_on_another_host(doctor: Doctor) -> None:
    report = doctor("--without=rspamd")
    assert (report["signing keys"], report.code) == ("ok", 0)
    report = doctor("--without=rspamd", DKIM_REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    assert report.failed == {"signing keys"}
    assert "rspamd files" not in report.findings


def test_a_certificate_that_is_gone(doctor: Doctor) -> None:
    path = doctor.stack.folder / "certificate.pem"
    path.rename(path.with_suffix(".away"))
    try:
        assert "certificate" in doctor().failed
    finally:
        path.with_suffix(".away").rename(path)


def test_a_setting_that_is_refused(doctor: Doctor) -> None:
    report = doctor(AUTHSERV_ID="x", RECIPIENT_DELIMITER="++")
    assert "settings" in report.failed
    assert "RECIPIENT_DELIMITER" in report.said
