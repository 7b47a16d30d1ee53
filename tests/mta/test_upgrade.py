"""While mail keeps coming: an upgrade as docs/operate/upgrade.md says, and hooks on several hosts. Nothing is lost.

The old version is this tree, copied to where an installation is. The new one changes what the hook reads: a column has
another name, in a migration that keeps tables locked for seconds as one that rewrites them does. So neither version's
hook can work on the other's tables, and what is answered afterwards was answered by the new code.
"""

import re
import shutil
import smtplib
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import ROLE_PASSWORD, ROOT, Stack, until

CODE = ["manage.py", "importing", "locale", "mailboxes", "responders", "static", "templates", "webmail_panel", "deploy"]
OLD_NAME, NEW_NAME = "interval_days", "days_between"
LOCKED = 3  # seconds
MIGRATION = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("responders", "{last}")]
    operations = [
        migrations.RunSQL(
            "LOCK TABLE mailboxes_mailbox, mailboxes_domain, responders_responder IN ACCESS EXCLUSIVE MODE;"
            "ALTER TABLE responders_responder RENAME COLUMN {old} TO {new};"
            "SELECT pg_sleep({locked})",
            "ALTER TABLE responders_responder RENAME COLUMN {new} TO {old}",
        )
    ]
"""


class Installation:
    """The panel's code where it is installed, /opt/webmail-panel elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in CODE:
            copy = shutil.copy2 if (ROOT / name).is_file() else shutil.copytree
            copy(ROOT / name, folder / name)

    @property
    def last_migration(self) -> str:
        return max(path.stem for path in (self.folder / "responders" / "migrations").glob("[0-9]*.py"))

    def check_out_the_new_version(self) -> None:
        """Under the feet of what runs, as git does."""
        text = MIGRATION.format(last=self.last_migration, old=OLD_NAME, new=NEW_NAME, locked=LOCKED)
        for name in ("loading.py", "claiming.py"):
            file = self.folder / "responders" / "hook" / "ledger" / name
            old = file.read_text()
            file.write_text(old.replace(f"r.{OLD_NAME}", f"r.{NEW_NAME}").replace(f"=> {OLD_NAME}", f"=> {NEW_NAME}"))
            assert file.read_text() != old
        (self.folder / "responders" / "migrations" / "9999_of_the_new_version.py").write_text(text)


@pytest.fixture
def installation(stack: Stack, hosting: Hosting, tmp_path: Path) -> Iterator[Installation]:
    """With a hook of the old version, run from there; afterwards everything is as before."""
    folder = tmp_path / "webmail-panel"
    folder.mkdir()
    made = Installation(folder)
    last = made.last_migration
    stack.stop_hook()
    stack.code = folder
    stack.start_hook()
    try:
        yield made
    finally:
        if stack.hook_is_running:
            stack.stop_hook()
        stack.manage("migrate", "--verbosity=0", "responders", last)
        stack.code = ROOT
        stack.start_hook()


def senders_of(hosting: Hosting, count: int) -> list[str]:
    return [f"klient{number}@klient-{hosting.domain}" for number in range(count)]


def send_steadily(stack: Stack, senders: list[str], to: str) -> Future[int]:
    """One message of each, ten a second; a sender told to come again (4xx) does. How many were told so."""

    def run() -> int:
        told = 0
        for sender in senders:
            while not is_taken(stack, sender, to):
                told += 1
                time.sleep(0.2)
            time.sleep(0.1)
        return told

    return ThreadPoolExecutor(1).submit(run)


def is_taken(stack: Stack, sender: str, to: str) -> bool:
    try:
        return stack.send(sender, to) == {}
    except smtplib.SMTPRecipientsRefused as refused:
        if refused.recipients[to][0] >= 500:
            raise
        return False


def assert_each_was_stored_and_answered_once(stack: Stack, senders: list[str], to: str) -> None:
    stack.wait_until_stored(to, len(senders))
    for sender in senders:
        stack.sink.wait_for(sender)
    stack.wait_for_empty_queue(60)
    assert len(stack.stored(to)) == len(senders)
    assert {sender: len(stack.sink.mail_for(sender)) for sender in senders} == dict.fromkeys(senders, 1)


@pytest.mark.parametrize("forgets_to_stop_the_hook", [False, True])
def test_an_upgrade_loses_neither_a_letter_nor_a_reply(
    stack: Stack, hosting: Hosting, installation: Installation, forgets_to_stop_the_hook: bool
) -> None:
    """Where the old hook runs on beside new tables, it puts every copy off."""
    anna, senders = hosting.away("anna"), senders_of(hosting, 80)
    sending = send_steadily(stack, senders, anna)
    stack.sink.wait_for(senders[0])  # the old version answers
    installation.check_out_the_new_version()
    if not forgets_to_stop_the_hook:
        stack.stop_hook()
    stack.manage("migrate", "--verbosity=0")
    stack.reload_postfix()
    until(lambda: len(stack.queue()) > 0, "a copy waits for the hook")
    answered = len([sender for sender in senders if stack.sink.mail_for(sender)])
    if forgets_to_stop_the_hook:
        until(lambda: "451 4.3.0" in stack.log() and OLD_NAME in hook_log(stack), "the old hook puts copies off")
        stack.stop_hook()
    stack.start_hook()
    sending.result(180)
    stack.flush()
    assert_each_was_stored_and_answered_once(stack, senders, anna)
    assert answered < len(senders)
    assert hosting.decisions(anna) == ["replied"] * len(senders)


@pytest.fixture
def one_role(stack: Stack, hosting: Hosting) -> Iterator[str]:
    """Postfix and Dovecot sign in as one role, as earlier versions had it; afterwards as ever."""
    name = f"{stack.role}_both"
    stack.manage("mailrole", "both", f"--name={name}", "--password-stdin", stdin=f"{ROLE_PASSWORD}\n")
    stack.configure_postfix(f"--database-user={name}")
    stack.configure_dovecot(f"--database-user={name}")
    take_up(stack)
    try:
        yield name
    finally:
        stack.configure_postfix()
        stack.configure_dovecot()
        take_up(stack)
        with psycopg.connect(stack.database_url, autocommit=True) as owner:
            owner.execute(f"DROP ROLE IF EXISTS {name}")  # type: ignore[call-overload]


def take_up(stack: Stack) -> None:
    """Everybody works by the files as they are now."""
    stack.forget_databases_that_went()
    stack.restart_dovecot()
    stack.kill_sign_ins()
    stack.start_sign_ins()


def roles_signed_in(stack: Stack) -> set[str]:
    """Of the mail servers."""
    with psycopg.connect(stack.database_url, autocommit=True) as owner:
        found = owner.execute("SELECT DISTINCT usename::text FROM pg_stat_activity WHERE datname = current_database()")
        return {name for (name,) in found if name.startswith(stack.role)}


def assert_mail_comes_is_read_and_answered(stack: Stack, mailbox: str, sender: str, letters: int) -> None:
    stack.send(sender, mailbox)
    stack.sink.wait_for(sender)
    stack.wait_until_stored(mailbox, letters)
    with stack.imap(mailbox, PASSWORD) as imap:
        imap.select("INBOX", readonly=True)
        assert len(imap.search(None, "ALL")[1][0].split()) == letters


def test_an_installation_with_one_role_of_both_mail_servers_gets_one_for_each(
    stack: Stack, hosting: Hosting, one_role: str
) -> None:
    """The old files go on working with the new version; then as docs/operate/upgrade.md says."""
    anna, [jan, ewa, ola] = hosting.away("anna", password=PASSWORD), senders_of(hosting, 3)
    assert_mail_comes_is_read_and_answered(stack, anna, jan, 1)
    assert roles_signed_in(stack) == {one_role}
    for server, folder in {"postfix": stack.config, "dovecot": stack.folder / "dovecot"}.items():
        stack.manage("mailrole", server, "--password-stdin", stdin=f"{ROLE_PASSWORD}\n")
        again = ("mailconfig", server, f"--output={folder}", "--again", "--password-stdin")
        stack.manage(*again, stdin=f"{ROLE_PASSWORD}\n")
    stack.keep_postfix_here()
    take_up(stack)
    assert_mail_comes_is_read_and_answered(stack, anna, ewa, 2)
    assert roles_signed_in(stack) == {f"{stack.role}_postfix", f"{stack.role}_dovecot"}
    with psycopg.connect(stack.database_url, autocommit=True) as owner:
        owner.execute(f"DROP ROLE {one_role}")  # type: ignore[call-overload]
    assert_mail_comes_is_read_and_answered(stack, anna, ola, 3)


def hook_log(stack: Stack) -> str:
    return (stack.folder / "log" / "hook.out").read_text()


def test_tables_that_are_locked_for_long_lose_nothing_either(stack: Stack, hosting: Hosting) -> None:
    """Longer than Postfix waits for the database: senders are told to come again."""
    anna, senders = hosting.away("anna"), senders_of(hosting, 10)
    with psycopg.connect(stack.database_url) as migration:
        migration.execute(
            "LOCK TABLE mailboxes_mailbox, mailboxes_domain, responders_responder IN ACCESS EXCLUSIVE MODE"
        )
        sending = send_steadily(stack, senders, anna)
        time.sleep(12)
    sending.result(180)
    stack.flush()
    assert_each_was_stored_and_answered_once(stack, senders, anna)


def test_with_one_of_two_hooks_dead_the_other_answers_at_once(stack: Stack, hosting: Hosting, tmp_path: Path) -> None:
    """As with hooks on two hosts: the first of the list is dead, Postfix goes on to the next."""
    anna, senders = hosting.away("anna"), senders_of(hosting, 5)
    dead = stack.free_address()
    hooks = [f"--hook={dead}", f"--hook=127.0.0.1:{stack.hook_port}"]
    stack.manage("mailconfig", "postfix", f"--output={tmp_path}", *hooks)
    (line,) = re.findall(r"^transport_maps = (.*)$", (tmp_path / "main.cf").read_text(), re.MULTILINE)
    with stack.postfix_with(transport_maps=line):
        for sender in senders:
            stack.send(sender, anna)
        assert_each_was_stored_and_answered_once(stack, senders, anna)
    assert f"connect to 127.0.0.1[127.0.0.1]:{dead.rpartition(':')[2]}: Connection refused" in stack.log()
