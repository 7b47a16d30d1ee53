"""A primary and a replica that streams from it, as docs/operate/hosts.md sets them up; then the primary is lost.

Two PostgreSQL servers with pg_basebackup, `mailconfig --database-host` given twice, a hook with
`target_session_attrs=read-write`. Nothing of the mail is restarted or rendered anew.
"""

import os
import signal
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from tests import databases
from tests.mta.conftest import PASSWORD, WORKER, Hosting, database_of
from tests.mta.stack import Stack, message, require_mail_servers, until
from tests.mta.test_the_database_away import SECONDS_UNTIL_POSTFIX_ASKS_AGAIN
from tests.mta.test_who_may_send_what import submission
from webmail_panel import embedded
from webmail_panel.embedded import DATABASE_OWNER, Postgres


@dataclass
class Servers:
    """The primary, and what follows it."""

    primary: Postgres
    replica: Postgres

    @property
    def url(self) -> str:
        """Of whichever may be written to."""
        hosts = quote(f"{self.primary.socket_dir},{self.replica.socket_dir}", safe="")
        return (
            f"postgresql://{DATABASE_OWNER}:{self.primary.password}@/{DATABASE_OWNER}"
            f"?host={hosts}&port=5432&target_session_attrs=read-write"
        )

    def lose_the_primary(self) -> None:
        assert self.primary.process is not None
        self.primary.process.send_signal(signal.SIGQUIT)
        self.primary.process.wait(60)

    def promote(self) -> None:
        embedded._run(self.replica, ["pg_ctl", "-D", str(self.replica.data_dir), "-w", "promote"])

    def wait_until_in_step(self) -> None:
        with psycopg.connect(self.primary.url()) as asked:
            [there] = asked.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or [None]

        def has_come() -> bool:
            with psycopg.connect(self.replica.url()) as asked:
                return asked.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [there]).fetchone() == (True,)

        until(has_come, "the replica has read everything")


def replica_of(primary: Postgres, folder: Path) -> Postgres:
    """As the documentation says: pg_basebackup with a slot of its own, and the settings to follow."""
    folder.mkdir()
    home = embedded._home_for_system_user(folder) if primary.user else folder
    (home / "password").write_text(primary.password)
    made = replace(primary, data_dir=home / "data", socket_dir=embedded._socket_dir(home), process=None)
    embedded._own(made.socket_dir, made.user)
    made.data_dir.mkdir(mode=0o700)
    embedded._own(made.data_dir, made.user)
    source = f"host={primary.socket_dir} port={primary.port} user={DATABASE_OWNER} password={primary.password}"
    at_once = "--checkpoint=fast"  # of the primary, which would otherwise spread it over minutes
    place = ["-d", source, "-D", str(made.data_dir)]
    embedded._run(made, ["pg_basebackup", *place, "-R", "-C", "-S", "mail1", "-X", "stream", at_once])
    return embedded.start_postgres(folder, durable=False)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    folder = Path(os.environ["PANEL_TESTS_VAR_DIR"])
    primary = embedded.start_postgres(folder / f"primary-{WORKER}", durable=False)
    databases.fill(primary.url())
    replica = replica_of(primary, folder / f"replica-{WORKER}")
    yield Servers(primary, replica)
    replica.stop()
    primary.stop()


@pytest.fixture(scope="module")
def two_servers_stack(servers: Servers) -> Iterator[Stack]:
    """Maps that ask the replica first; the panel's own URL leads to whichever may be written to."""
    require_mail_servers()
    folder = Path(os.environ["PANEL_TESTS_VAR_DIR"]) / f"two_{WORKER}"
    folder.mkdir(mode=0o755)
    stack = Stack(folder, servers.url, role=f"two_{WORKER}")
    stack.database_hosts = [str(servers.replica.socket_dir), str(servers.primary.socket_dir)]
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def hosted(two_servers_stack: Stack, servers: Servers, django_db_blocker: Any) -> Hosting:
    with database_of(two_servers_stack, django_db_blocker):
        made = Hosting("firma.example")
        made.away("anna")
        made.mailbox("ewa", password=PASSWORD)
    servers.wait_until_in_step()
    return made


def test_the_primary_is_lost_and_the_replica_takes_its_place(
    two_servers_stack: Stack, servers: Servers, hosted: Hosting
) -> None:
    stack, anna, ewa = two_servers_stack, "anna@firma.example", "ewa@firma.example"
    stack.send("adam@klient.example", anna)
    stack.sink.wait_for("adam@klient.example")  # with both there

    servers.lose_the_primary()
    # Who is hosted and who may sign in, the replica knows: mail goes on. Replies wait, they have to be remembered.
    assert stack.send("jan@klient.example", anna) == {}
    stack.wait_until_stored(anna, 2)
    with stack.imap(ewa, PASSWORD) as imap:
        assert imap.select("INBOX")[0] == "OK"
    assert answer_to_one_who_sends(stack, ewa) // 100 == 4  # what is sent is counted, on a server to write to
    until(lambda: "autoreply.invalid" in str(stack.queue()), "the copy waits")
    assert stack.sink.mail_for("jan@klient.example") == []

    servers.promote()
    stack.flush()
    until(lambda: answered(stack, "jan@klient.example"), "the reply", SECONDS_UNTIL_POSTFIX_ASKS_AGAIN)
    until(lambda: answer_to_one_who_sends(stack, ewa) == 250, "sending goes on", SECONDS_UNTIL_POSTFIX_ASKS_AGAIN)
    stack.send("ola@klient.example", anna)
    until(lambda: answered(stack, "ola@klient.example"), "the next reply", SECONDS_UNTIL_POSTFIX_ASKS_AGAIN)
    stack.wait_for_empty_queue()
    for sender in ("adam", "jan", "ola"):
        assert len(stack.sink.mail_for(f"{sender}@klient.example")) == 1
    assert len(stack.stored(anna)) == 3


def answered(stack: Stack, sender: str) -> bool:
    stack.flush()
    return bool(stack.sink.mail_for(sender))


def answer_to_one_who_sends(stack: Stack, address: str) -> int:
    """The reply code to a signed-in sender's recipient."""
    with submission(stack, address) as smtp:
        try:
            smtp.sendmail(address, ["klient@klient.example"], message(address, "klient@klient.example").as_bytes())
        except smtplib.SMTPRecipientsRefused as refused:
            return refused.recipients["klient@klient.example"][0]
        except smtplib.SMTPSenderRefused as refused:
            return refused.smtp_code
        return 250
