"""Postfix and Dovecot with the rights that docker-compose.yml gives their containers, and notices as it sends them."""

import os
import shutil
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import HOSTNAME, ROOT, TRUSTED, Stack, message, until
from tests.mta.test_foreign_passwords import may_sign_in
from tests.mta.test_rehash import is_ours, moved
from tests.mta.test_who_may_send_what import submission

PANEL_UID = 10001  # in the panel's image
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


# In a mount namespace of its own: everything can be read alone, but for the folder of this stack.
READ_ONLY = """
mount --bind "$1" "$1"
mount -o remount,bind,ro /
shift
for place in $1; do if [ -d "$place" ]; then mount -t tmpfs none "$place"; fi; done
shift
exec "$@"
"""


def as_in_the_container_of(name: str, kept_folder: Path) -> list[str | Path]:
    """A command line that gives up what the container does not have, for good, and runs what follows."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    kept = ",".join(f"+{capability.lower()}" for capability in service["cap_add"])
    without = ["setpriv", "--no-new-privs", f"--bounding-set=-all,{kept}", "--inh-caps=-all", "--"]
    if not service.get("read_only"):
        return [*without]
    # /tmp has this stack in it.
    places = " ".join(place for place in service["tmpfs"] if not kept_folder.is_relative_to(place))
    return ["unshare", "--mount", "sh", "-euc", READ_ONLY, "sh", kept_folder, places, *without]


@pytest.fixture
def confined(stack: Stack) -> Iterator[Stack]:
    """Both servers are started so; afterwards as ever."""
    rendered, own = as_setup_wrote_it(stack.folder / "dovecot")
    try:
        stack.restart_postfix(*as_in_the_container_of("postfix", stack.folder))
        stack.restart_dovecot(
            *as_in_the_container_of("dovecot", stack.folder), ROOT / "deploy" / "dovecot" / "start.sh", rendered, own
        )
        yield stack
    finally:
        shutil.rmtree(rendered)
        stack.configure_dovecot()
        stack.restart_postfix()
        stack.restart_dovecot()


def as_setup_wrote_it(folder: Path) -> tuple[Path, Path]:
    """Dovecot's files in another folder, the panel's user's and nobody else's; the empty folder that they name."""
    rendered = folder.with_name("rendered")
    folder.rename(rendered)
    folder.mkdir()
    for file in rendered.iterdir():
        os.chown(file, PANEL_UID, PANEL_UID)
    return rendered, folder


def capabilities(pid: int) -> int:
    """Those that a process and its children can ever have (proc(5), CapBnd)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapBnd"))


def root_is_read_only(pid: int) -> bool:
    mounts = [line.split() for line in Path(f"/proc/{pid}/mounts").read_text().splitlines()]
    return any(place == "/" and "ro" in options.split(",") for _what, place, _kind, options, *_rest in mounts)


def test_with_the_rights_of_their_containers_mail_comes_is_read_sent_and_answered(
    confined: Stack, hosting: Hosting
) -> None:
    anna, jan = hosting.away("anna", password=PASSWORD), hosting.mailbox("jan", password=PASSWORD)
    for name, count in {"postfix": 7, "dovecot": 8}.items():
        until(lambda: capabilities(confined.pid_of(name)).bit_count() == count, f"{name} gave up its rights")  # noqa: B023
    confined.wait_for_postfix()  # the ports may have been those of the one before, as it ended
    assert root_is_read_only(confined.pid_of("dovecot")) == SERVICES["dovecot"]["read_only"]
    with submission(confined, jan) as smtp:
        smtp.send_message(message(jan, anna, "Umowa"))
    confined.wait_until_stored(anna)
    confined.wait_until_stored(jan)  # the reply
    for address in (anna, jan):
        with confined.imap(address, PASSWORD) as imap:
            imap.select("INBOX", readonly=True)
            assert len(imap.search(None, "ALL")[1][0].split()) == 1


def test_with_them_dovecot_hands_over_old_hashes_to_another_user_too(confined: Stack, hosting: Hosting) -> None:
    anna, _as_it_came = moved(hosting, "anna")
    with confined.rehashing():
        os.chown(confined.rehash_socket, 10001, 10001)
        assert confined.rehash_socket.stat().st_mode & 0o777 == 0o600
        assert may_sign_in(confined, anna, PASSWORD)
        until(lambda: is_ours(anna), "a new hash")


def test_a_notice_goes_out_by_the_listener_for_replies_and_other_senders_do_not(stack: Stack, hosting: Hosting) -> None:
    """EMAIL_URL of the containers leads there: elsewhere Postfix relays for nobody who has not signed in."""
    panel, outside = f"panel@{HOSTNAME}", "szef@klient.example"
    with stack.smtp(TRUSTED, stack.reply_port) as smtp:
        smtp.sendmail(panel, outside, message(panel, outside, "Koniec nieobecności").as_bytes())
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="554"):
            smtp.sendmail("ktos@klient.example", outside, b"Subject: x\r\n\r\nx\r\n")
    assert [str(one.message["Subject"]) for one in stack.sink.wait_for(outside)] == ["Koniec nieobecności"]
