"""`manage.py demorelay`: keeps what it accepts as files, and has addresses that fail on purpose."""

import signal
import smtplib
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from django.conf import settings

from tests.lmtp.parts import wait_for
from webmail_panel.embedded import free_port

REPLY = b"To: jan@nadawca.example\r\nSubject: Auto\r\n\r\nTo jest odpowied\xc5\xba.\r\n"


def test_it_keeps_replies_as_files_and_fails_on_purpose(tmp_path: Path) -> None:
    port, outbox = free_port(), tmp_path / "outbox"
    relay = subprocess.Popen(
        [sys.executable, "manage.py", "demorelay", f"--listen=127.0.0.1:{port}", f"--output={outbox}"],
        cwd=settings.BASE_DIR,
    )
    try:
        assert wait_for(lambda: _accepts(port) or relay.poll() is not None)
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail("", ["jan@nadawca.example"], REPLY)
            for address, code in {"refuse@nadawca.example": 550, "later@nadawca.example": 451}.items():
                with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                    client.sendmail("", [address], REPLY)
                assert refused.value.recipients[address][0] == code
    finally:
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(60) == 0

    [path] = outbox.iterdir()
    kept = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert path.suffix == ".eml"
    assert (kept["X-Envelope-From"], kept["X-Envelope-To"]) == ("<>", "jan@nadawca.example")
    assert path.read_bytes().endswith(REPLY)


def _accepts(port: int) -> bool:
    try:
        smtplib.SMTP("127.0.0.1", port).quit()
    except OSError:
        return False
    return True
