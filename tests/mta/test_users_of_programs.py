"""Which user of the system each program of the mail servers is: root only who must be."""

import pwd
from pathlib import Path

from mailboxes.models import Mailbox
from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import MAIL_USER, Stack, until


def users_of(pid: int) -> dict[str, set[str]]:
    """The users that a process and those below it run as, by the name of the program."""
    found: dict[str, set[str]] = {}
    for process in family_of(pid):
        try:
            status = (Path("/proc") / str(process) / "status").read_text().splitlines()
        except FileNotFoundError:  # it ended meanwhile
            continue
        fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
        user = pwd.getpwuid(int(fields["Uid"].split()[0])).pw_name  # the real one: lmtp may change the other and back
        found.setdefault(fields["Name"], set()).add(user)
    return found


def family_of(pid: int) -> list[int]:
    try:
        children = (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text().split()
    except FileNotFoundError:
        return []
    return [pid, *(one for child in children for one in family_of(int(child)))]


def test_dovecots_programs_that_read_what_strangers_sent_are_not_root(stack: Stack, hosting: Hosting) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    Mailbox.objects.filter(address=anna).update(quota_mb=100)  # of a mailbox without a limit quota-status is not asked

    def are_of_the_mails_user() -> bool:
        """They wait for more work for a while after the last. One that is just starting is still root."""
        stack.send("jan@klient.example", anna)
        users = users_of(stack.pid_of("dovecot"))
        of_mail = [users.get(name) for name in ("lmtp", "quota-status", "imap")]
        return of_mail == [{MAIL_USER}] * 3 and "root" not in users.get("imap-login", {"root"})

    with stack.imap(anna, PASSWORD) as imap:
        imap.select("INBOX")
        until(are_of_the_mails_user, "no program is root that need not be")
    assert "Permission denied" not in (stack.folder / "log" / "dovecot.log").read_text()


def test_a_stranger_on_the_machine_is_not_told_where_mail_is(stack: Stack, hosting: Hosting) -> None:
    socket = stack.folder / "run" / "auth-userdb"
    assert (socket.stat().st_mode & 0o777, pwd.getpwuid(socket.stat().st_uid).pw_name) == (0o600, MAIL_USER)
