"""Debian's logrotate moves Postfix's and Dovecot's logs away with deploy/logrotate, and no line is lost."""

import re
import subprocess
from pathlib import Path

from tests.mta.conftest import Hosting
from tests.mta.stack import ROOT, Stack, until


def rotate(stack: Stack, folder: Path) -> None:
    """As cron does every night; the paths are this stack's own."""
    text = (ROOT / "deploy" / "logrotate" / "webmail-panel").read_text()
    text = text.replace("/var/log/webmail-panel/", f"{stack.folder}/log/")
    text = text.replace("/usr/sbin/postfix reload", f"/usr/sbin/postfix -c {stack.config} reload")
    text = text.replace("doveadm log reopen", f"doveadm -c {stack.folder}/dovecot/dovecot.conf log reopen")
    configuration = folder / "logrotate.conf"
    configuration.write_text(text)
    configuration.chmod(0o644)
    with stack.reloading():
        subprocess.run(
            ["/usr/sbin/logrotate", f"--state={folder}/state", "--force", configuration],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip


def rotated(stack: Stack, name: str) -> list[Path]:
    return sorted(path for path in (stack.folder / "log").glob(f"{name}-*") if re.search(r"-\d{8}$", path.name))


def test_what_comes_after_the_rotation_is_in_the_new_file(stack: Stack, hosting: Hosting, tmp_path: Path) -> None:
    anna = hosting.mailbox("anna")
    stack.send(f"przed@klient-{hosting.domain}", anna)
    stack.wait_until_stored(anna)
    until(lambda: f"przed@klient-{hosting.domain}" in stack.log(), "the line of the first message")
    rotate(stack, tmp_path)
    stack.send(f"po@klient-{hosting.domain}", anna)
    stack.wait_until_stored(anna, 2)
    until(lambda: f"po@klient-{hosting.domain}" in stack.log(), "the line of the second message")
    assert f"przed@klient-{hosting.domain}" not in stack.log()
    (old,) = rotated(stack, "mail.log")
    assert f"przed@klient-{hosting.domain}" in old.read_text()
    (old_of_dovecot,) = rotated(stack, "dovecot.log")
    assert anna in old_of_dovecot.read_text()
    until(lambda: anna in (stack.folder / "log" / "dovecot.log").read_text(), "Dovecot's line in the new file")
    made = stack.folder / "log" / "mail.log"  # those who may read logs may read it: support's pages do
    assert (made.stat().st_mode & 0o777, made.group()) == (0o640, "adm")
