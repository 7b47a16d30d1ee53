"""Postfix and Dovecot with the rights that docker-compose.yml gives their containers, and notices as it sends them."""

import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import HOSTNAME, ROOT, TRUSTED, Stack, message, until
from tests.mta.test_who_may_send_what import submission

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def as_in_the_container_of(name: str) -> list[str]:
    """A command line that gives up what the container does not have, for good, and runs what follows."""
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    kept = ",".join(f"+{capability.lower()}" for capability in SERVICES[name]["cap_add"])
    return ["setpriv", "--no-new-privs", f"--bounding-set=-all,{kept}", "--inh-caps=-all", "--"]


@pytest.fixture
def confined(stack: Stack) -> Iterator[Stack]:
    """Both servers are started so; afterwards as ever."""
    stack.restart_postfix(*as_in_the_container_of("postfix"))
    stack.restart_dovecot(*as_in_the_container_of("dovecot"))
    try:
        yield stack
    finally:
        stack.restart_postfix()
        stack.restart_dovecot()


def capabilities(pid: int) -> int:
    """Those that a process and its children can ever have (proc(5), CapBnd)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapBnd"))


def test_with_the_rights_of_their_containers_mail_comes_is_read_sent_and_answered(
    confined: Stack, hosting: Hosting
) -> None:
    anna, jan = hosting.away("anna", password=PASSWORD), hosting.mailbox("jan", password=PASSWORD)
    for name, count in {"postfix": 7, "dovecot": 8}.items():
        until(lambda: capabilities(confined.pid_of(name)).bit_count() == count, f"{name} gave up its rights")  # noqa: B023
    with submission(confined, jan) as smtp:
        smtp.send_message(message(jan, anna, "Umowa"))
    confined.wait_until_stored(anna)
    confined.wait_until_stored(jan)  # the reply
    for address in (anna, jan):
        with confined.imap(address, PASSWORD) as imap:
            imap.select("INBOX", readonly=True)
            assert len(imap.search(None, "ALL")[1][0].split()) == 1


def test_a_notice_goes_out_by_the_listener_for_replies_and_other_senders_do_not(stack: Stack, hosting: Hosting) -> None:
    """EMAIL_URL of the containers leads there: elsewhere Postfix relays for nobody who has not signed in."""
    panel, outside = f"panel@{HOSTNAME}", "szef@klient.example"
    with stack.smtp(TRUSTED, stack.reply_port) as smtp:
        smtp.sendmail(panel, outside, message(panel, outside, "Koniec nieobecności").as_bytes())
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="554"):
            smtp.sendmail("ktos@klient.example", outside, b"Subject: x\r\n\r\nx\r\n")
    assert [str(one.message["Subject"]) for one in stack.sink.wait_for(outside)] == ["Koniec nieobecności"]
