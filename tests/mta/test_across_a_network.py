"""Clients with addresses of the world, and a block list in the DNS that has one of them."""

import smtplib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.dns.name_server import Nsd, find_nsd
from tests.mta.conftest import Hosting
from tests.mta.stack import Stack, message
from tests.network import LISTED, NAME_SERVER, OURS, UNLISTED, Host, network

ZONE = f"""
klient A {UNLISTED}
{".".join(reversed(LISTED.split(".")))}.bl A 127.0.0.2
"""


@pytest.fixture
def world(stack: Stack, tmp_path: Path) -> Iterator[Host]:
    """Where clients are, and the name server that Postfix asks; it is behind postscreen."""
    if find_nsd() is None:
        pytest.fail("this needs Debian's nsd: sh tests/install-debian-packages.sh, as root", pytrace=False)
    with network() as (ours, others):
        names = Nsd(tmp_path, NAME_SERVER, 53, others)
        names.publish(ZONE)
        ours.ask(NAME_SERVER)
        # So long each client is let wait, and the lists have to answer in it.
        with stack.postfix_on(ours, OURS, "--postscreen", "--dnsbl=bl.example*3", postscreen_greet_wait="15s"):
            yield others
        names.stop()


def test_who_is_on_a_block_list_is_refused_and_who_is_not_gets_through(
    stack: Stack, hosting: Hosting, world: Host
) -> None:
    anna, since = hosting.mailbox("anna"), stack.log_length()

    def send(client: str) -> dict[str, tuple[int, bytes]]:
        sender = f"jan@klient{'' if client == UNLISTED else '-x'}.example"
        with smtplib.SMTP(OURS, 25, "client.example", timeout=120, source_address=(client, 0)) as smtp:
            try:
                return smtp.send_message(message(sender, anna, client), sender, [anna])
            except smtplib.SMTPRecipientsRefused as refused:
                return refused.recipients

    with ThreadPoolExecutor() as threads:
        listed, unlisted = threads.map(lambda client: world.run(lambda: send(client)), [LISTED, UNLISTED])
    assert unlisted == {}
    [(code, words)] = listed.values()
    assert (code, words[:5]) == (550, b"5.7.1")
    assert f"[{LISTED}] blocked using bl.example".encode() in words
    assert [letter["Subject"] for letter in stack.wait_until_stored(anna)] == [UNLISTED]
    log = stack.log(since)
    assert f"DNSBL rank 3 for [{LISTED}]" in log
    assert f"PASS NEW [{UNLISTED}]" in log
