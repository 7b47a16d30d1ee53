"""With an after-queue content filter, set up as docs/postfix.md says: one copy, with the filter's verdict on it."""

import smtplib
import subprocess
from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.mta.conftest import Hosting
from tests.mta.stack import Stack, message, until
from webmail_panel.embedded import free_port


class Filter:
    """Marks what has the word in its subject, and hands everything back to Postfix."""

    def __init__(self, back: int) -> None:
        self._back = back

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = bytes(envelope.content or b"")
        if b"viagra" in content:
            content = b"X-Spam-Flag: YES\r\n" + content
        with smtplib.SMTP("127.0.0.1", self._back, "filter.example") as smtp:
            smtp.sendmail((envelope.mail_from or "").strip("<>"), envelope.rcpt_tos, content)
        return "250 2.0.0 Handed back"


@pytest.fixture
def filtered(stack: Stack) -> Iterator[Stack]:
    back, port = free_port(), free_port()
    controller = Controller(Filter(back), hostname="127.0.0.1", port=port, ident="filter", decode_data=False)
    controller.start()
    master_cf = stack.config / "master.cf"
    before = master_cf.read_text()
    service = f"127.0.0.1:{stack.smtp_port}/inet"
    edit_master_cf(
        stack, "-P", f"{service}/content_filter=smtp:[127.0.0.1]:{port}",
        f"{service}/receive_override_options=no_address_mappings",
    )  # fmt: skip
    again = (
        f"127.0.0.1:{back} inet n - n - - smtpd -o content_filter= -o smtpd_command_filter="
        " -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks,no_milters"
        " -o { smtpd_relay_restrictions = permit_mynetworks, reject } -o smtpd_recipient_restrictions="
    )
    edit_master_cf(stack, "-M", f"127.0.0.1:{back}/inet={again}")
    stack.reload_postfix()
    yield stack
    master_cf.write_text(before)
    stack.reload_postfix()
    controller.stop()


def edit_master_cf(stack: Stack, *arguments: str) -> None:
    subprocess.run(["postconf", "-c", stack.config, *arguments], check=True)


def test_one_copy_comes_after_the_filter(filtered: Stack, hosting: Hosting) -> None:
    anna, sender = hosting.away("anna"), f"jan@klient-{hosting.domain}"
    office = hosting.alias("biuro", anna)
    filtered.send(sender, [anna, office])
    until(lambda: hosting.decisions(anna) and hosting.decisions(office), "a decision for each address")
    filtered.wait_for_empty_queue()
    assert (len(hosting.decisions(anna)), len(hosting.decisions(office))) == (1, 1)
    assert len(filtered.stored(anna)) == len(filtered.sink.mail_for(sender)) == 1


def test_the_verdict_of_the_filter_is_seen(filtered: Stack, hosting: Hosting) -> None:
    anna, sender = hosting.away("anna"), f"jan@klient-{hosting.domain}"
    filtered.send(sender, anna, message(sender, anna, subject="viagra"))
    until(lambda: hosting.decisions(anna) == ["spam"], "the decision")
    filtered.wait_until_stored(anna, folder_name="Junk")
