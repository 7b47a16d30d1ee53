"""As docs/operate/backup.md says: a backup while mail comes, the machine is lost, and another one has all of it."""

import contextlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default as default_policy
from pathlib import Path

import pytest

from tests.mta.conftest import PASSWORD
from tests.mta.stack import MAIL_USER, ROLE_PASSWORD, Stack, message, require_mail_servers
from tests.wiring.test_backup import Installation, new_server

ANNA, JAN, EWA = "anna@firma.example", "jan@klient.example", "ewa@klient.example"
ROLE = "letters"
RESPONDER = ("responder", "set", ANNA, "--type=standing", "--subject=Auto: {{ subject }}", "--text-file=-")


class Machine:
    """A database server, the panel, and the mail servers on it."""

    def __init__(self, folder: Path, panel: Installation) -> None:
        folder.mkdir(mode=0o755)
        self.panel = panel
        panel.folder.mkdir()
        panel.make_database()
        self.servers = Stack(folder, panel.database_url, role=ROLE)

    def write_settings(self) -> None:
        """With the key and the role of the tests' mail servers."""
        names = {f"{server.upper()}_DATABASE_USER": f"{ROLE}_{server}" for server in ("postfix", "dovecot")}
        self.panel.write_settings(SECRET_KEY=os.environ["SECRET_KEY"], **names)
        for file in self.password_files:
            file.write_text(ROLE_PASSWORD)

    @property
    def password_files(self) -> list[Path]:
        return [self.panel.settings.parent / f"{server}-database-password" for server in ("postfix", "dovecot")]

    def run(self, program: str, *arguments: str | Path, **changes: str) -> str:
        """backup or restore; what it wrote."""
        mail = {"MAIL_DIR": str(self.servers.folder / "mail"), "MAIL_USER": MAIL_USER}
        finished = self.panel.run(program, *arguments, **mail | changes)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout


@contextlib.contextmanager
def machine(name: str, elsewhere: Path) -> Iterator[Machine]:
    """At its end nothing of it is left."""
    folder = Path(os.environ["PANEL_TESTS_VAR_DIR"]) / f"{name}-machine"
    with new_server(name) as server:
        made = Machine(folder, Installation(elsewhere / name, server))
        try:
            yield made
        finally:
            made.servers.stop()
            shutil.rmtree(folder)
            shutil.rmtree(made.panel.folder)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    require_mail_servers()
    return tmp_path


def fill(one: Machine) -> None:
    one.write_settings()
    one.servers.start()
    name = ["--name=Anna", "--create-domain", "--password-stdin"]
    one.servers.manage("mailbox", "add", ANNA, *name, stdin=f"{PASSWORD}\n")
    one.servers.manage(*RESPONDER, stdin="Zażółć gęślą jaźń.\n")
    one.servers.send(JAN, ANNA, message(JAN, ANNA, "Umowa", "Wersja druga, do podpisu.\n"))
    one.servers.wait_until_stored(ANNA)
    one.servers.sink.wait_for(JAN)
    one.servers.wait_for_empty_queue()


def back_up(one: Machine, elsewhere: Path) -> Path:
    """To a disk of another machine, the mail as well."""
    also = f"{one.panel.settings.parent} {one.servers.config} {one.servers.folder / 'dovecot'}"
    places = {"BACKUP_DIR": str(elsewhere / "backups"), "BACKUP_MAIL_TO": str(elsewhere / "mirror")}
    return Path(one.run("backup", BACKUP_ALSO=also, **places).strip())


def restore(one: Machine, file: Path, elsewhere: Path) -> None:
    one.run("restore", "--settings", file)
    one.write_settings()  # the database is at another address
    for password in one.password_files:
        password.unlink()
    one.run("restore", file)
    assert [password.read_text() for password in one.password_files] == [ROLE_PASSWORD, ROLE_PASSWORD]
    assert options_of_old(file, elsewhere / "old").count("--") > 5
    one.run("restore", "--mail", elsewhere / "mirror")


def options_of_old(file: Path, folder: Path) -> str:
    """The second line of Postfix's main.cf, as the page reads it."""
    with tarfile.open(file) as outer:
        outer.extractall(folder, filter="data")
    with tarfile.open(folder / "etc.tar") as inner:
        inner.extractall(folder, filter="data")
    [main_cf] = folder.rglob("main.cf")
    return main_cf.read_text().splitlines()[1]


def letters(one: Stack) -> list[tuple[str, str]]:
    """Subject and text of what Anna reads over IMAP."""
    with one.imap(ANNA, PASSWORD) as imap:
        imap.select("INBOX", readonly=True)
        numbers = imap.search(None, "ALL")[1][0].split()
        whole = [imap.fetch(number.decode(), "(RFC822)")[1][0] for number in numbers]
    read = [message_from_bytes(one[1], policy=default_policy) for one in whole if isinstance(one, tuple)]
    return [(str(letter["Subject"]), letter.get_content().strip()) for letter in read]


def test_everything_is_lost_and_the_letter_is_read_and_answered_again(elsewhere: Path) -> None:
    with machine("lost", elsewhere) as lost:
        fill(lost)
        file = back_up(lost, elsewhere)
        was = [lost.servers.folder, lost.panel.folder]
    assert not any(folder.exists() for folder in was)
    with machine("found", elsewhere) as found:
        restore(found, file, elsewhere)
        servers = found.servers
        servers.start()
        assert letters(servers) == [("Umowa", "Wersja druga, do podpisu.")]
        for sender in (EWA, JAN):
            servers.send(sender, ANNA, message(sender, ANNA, "Znowu"))
        [reply] = servers.sink.wait_for(EWA)
        assert (reply.message["Subject"], reply.text.strip()) == ("Auto: Znowu", "Zażółć gęślą jaźń.")
        servers.wait_until_stored(ANNA, 3)
        servers.wait_for_empty_queue()
        assert servers.sink.mail_for(JAN) == []  # who was answered before is remembered
        assert sorted(subject for subject, _text in letters(servers)) == ["Umowa", "Znowu", "Znowu"]
