"""Every bad configuration is refused in a sentence; a good one is silent."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from mailboxes.models import Domain

ROOT = Path(__file__).resolve().parents[2]
GOOD = {"MAIL_HOSTNAME": "mail.panel.example", "RELAY_URL": "smtp://127.0.0.1:10026", "REQUIRE_STAFF_MFA": True}


def found(**changes: Any) -> list[str]:
    with override_settings(**{**GOOD, **changes}):
        return [message.id or "" for message in run_checks(tags=["panel"]) if message.id != "panel.W014"]


def test_a_good_configuration_is_silent() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"SECRET_KEY": ""}, "panel.E001"),
        ({"SECRET_KEY": "short"}, "panel.E001"),
        ({"SECRET_KEY": "", "DEBUG": True}, "panel.E001"),
        ({"DEBUG": True, "ALLOWED_HOSTS": ["localhost", "panel.example"]}, "panel.E002"),
        ({"DEBUG": True, "ALLOWED_HOSTS": ["*"]}, "panel.E002"),
        ({"AUTOREPLY_DOMAIN": ""}, "panel.E003"),
        ({"AUTOREPLY_DOMAIN": "Autoreply.invalid"}, "panel.E003"),
        ({"AUTOREPLY_DOMAIN": "panel.example"}, "panel.W003"),
        ({"MAIL_HOSTNAME": "no such name"}, "panel.E004"),
        ({"MAIL_HOSTNAME": "localhost"}, "panel.W004"),
        ({"MX_HOSTS": []}, "panel.E017"),
        ({"MX_HOSTS": ["mail.example.org."]}, "panel.E017"),
        ({"SPF_INCLUDE": "_spf.Example.org"}, "panel.E017"),
        ({"MTA_STS_MODE": "none"}, "panel.E018"),
        ({"DNS_REPORTS_TO": "nobody"}, "panel.E019"),
        ({"RELAY_URL": "127.0.0.1:25"}, "panel.E005"),
        ({"RELAY_URL": "http://127.0.0.1:25"}, "panel.E005"),
        ({"RELAY_URL": "smtp://127.0.0.1"}, "panel.E005"),
        ({"RELAY_URL": "smtp://127.0.0.1:99999"}, "panel.E005"),
        ({"RELAY_URL": "smtp://user:secret@relay.example:25"}, "panel.E005"),
        ({"REDIS_URL": "127.0.0.1:6379"}, "panel.E007"),
        ({"DKIM_REDIS_URL": "127.0.0.1:6379"}, "panel.E026"),
        ({"CELERY_BROKER_URL": "unix:///run/redis.sock"}, "panel.E008"),
        ({"DEFAULT_MAILBOX_TIME_ZONE": "Warsaw"}, "panel.E009"),
        ({"DEFAULT_MAILBOX_LANGUAGE": "de"}, "panel.E010"),
        ({"SPAM_FIELDS": ["X-Spam-Flag"]}, "panel.E011"),
        ({"RECIPIENT_DELIMITER": "+-"}, "panel.E012"),
        ({"MESSAGE_SIZE_LIMIT": 0}, "panel.E013"),
        ({"DECISION_RETENTION_DAYS": 0}, "panel.E013"),
        ({"REQUIRE_STAFF_MFA": False}, "panel.W016"),
        ({"MAILBOX_REPLIES_PER_HOUR": -1}, "panel.E013"),
        ({"DOMAIN_REPLIES_PER_HOUR": -1}, "panel.E013"),
        ({"REFUSAL_DAYS": -1}, "panel.E013"),
        ({"IMAPS_PORT": 0}, "panel.E031"),
        ({"SUBMISSION_PORT": 65536}, "panel.E031"),
        ({"SUBMISSION_PORT": 0, "SUBMISSIONS_PORT": 0}, "panel.E031"),
        ({"IMAP_HOST": "imap panel"}, "panel.E031"),
        ({"PROFILE_CERT": "/etc/ssl/a.pem"}, "panel.E032"),
        ({"PROFILE_CERT": "/no/such.pem", "PROFILE_KEY": "/no/such.key"}, "panel.W032"),
        ({"DNS_SERVER": "127.0.0.1"}, "panel.E017"),
        ({"DNS_SERVER": "dns.example:53"}, "panel.E017"),
        ({"DNS_SERVER": "127.0.0.1:0"}, "panel.E017"),
        ({"STAFF_NOTICES": ["pomoc@hosting.example", "pomoc"]}, "panel.E018"),
    ],
)
def test_it_refuses(changes: dict[str, Any], expected: str) -> None:
    assert found(**changes) == [expected]


def test_local_hosts_may_have_debug_and_staff_without_second_factor() -> None:
    assert found(DEBUG=True, ALLOWED_HOSTS=["localhost", "127.0.0.1"], REQUIRE_STAFF_MFA=False) == []


def test_a_hosted_domain_is_no_domain_for_copies(db: None) -> None:
    Domain.objects.create(name="autoreply.invalid")
    assert "panel.E015" in [message.id for message in run_checks(databases=["default"])]


def test_another_database_than_postgresql_is_refused() -> None:
    finished = manage("check", DATABASE_URL="sqlite://:memory:")
    assert finished.returncode == 1
    assert "PostgreSQL only" in finished.stderr


def test_commands_stop_at_a_bad_configuration() -> None:
    finished = manage("mailbox", "list", SECRET_KEY="")
    assert finished.returncode == 1
    assert "SECRET_KEY is empty" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_the_web_server_stops_at_a_bad_configuration(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "--bind", f"unix:{tmp_path}/socket",
         "webmail_panel.wsgi:application"],
        cwd=ROOT, env={**os.environ, "RELAY_URL": "nonsense"}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert finished.returncode != 0
    assert "RELAY_URL must begin with smtp://" in finished.stderr


def manage(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env={**os.environ, **changes}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
