"""What the doctor makes of what it sees; that it sees the right things, tests/mta/test_doctor.py shows."""

import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.cache import cache

from mailboxes.mail_roles import DOVECOT, POSTFIX, Rights
from webmail_panel import health
from webmail_panel.doctor import configuration, host, mail_servers, panel
from webmail_panel.doctor.finding import Status
from webmail_panel.doctor.panel import DatabaseAnswer
from webmail_panel.embedded import free_port

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GIB = 1024**3


def finished(code: int, said: str = "", errors: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], code, said, errors)


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, "ok"), (1.9, "ok"), (-2.1, "warn"), (29, "warn"), (31, "fail"), (-3600, "fail")]
)
def test_clocks_that_differ(seconds: float, status: str) -> None:
    found = panel.judge_clock(seconds)
    assert found.status == status
    assert ("ahead of" if seconds > 0 else "behind") in found.seen


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (DatabaseAnswer(170002, "UTF8", False, 0), "ok", "PostgreSQL 17"),
        (DatabaseAnswer(140010, "UTF8", False, 0), "fail", "too old"),
        (DatabaseAnswer(170002, "UTF8", True, 0), "fail", "replica"),
        (DatabaseAnswer(170002, "SQL_ASCII", False, 0), "fail", "SQL_ASCII"),
    ],
)
def test_databases_that_will_not_do(answer: DatabaseAnswer, status: str, words: str) -> None:
    found = panel.judge_database(answer)
    assert found.status == status
    assert words in found.seen


def test_migrations_that_wait_and_those_of_newer_code() -> None:
    assert panel.judge_migrations([], []).status == "ok"
    assert panel.judge_migrations(["a.1", "a.2", "a.3", "a.4"], []).seen == "not applied: a.1, a.2, a.3 and 1 more"
    assert "newer" in panel.judge_migrations([], ["a.9"]).seen


MAY_ALL = Rights(True, False, POSTFIX.reads, frozenset(), POSTFIX.calls)


@pytest.mark.parametrize(
    ("rights", "status", "words"),
    [
        (MAY_ALL, "ok", "and nothing else"),
        (None, "fail", "may not sign in"),
        (replace(MAY_ALL, may_sign_in=False), "fail", "may not sign in"),
        (replace(MAY_ALL, calls=frozenset()), "fail", "may not use mail_lookup_aliases()"),
        (replace(MAY_ALL, reads=DOVECOT.reads), "fail", "may not use mail_aliases.address"),
        (replace(MAY_ALL, is_mighty=True), "warn", "may do more"),
        (replace(MAY_ALL, writes=frozenset({"mailboxes_user"})), "warn", "may also use mailboxes_user (to change it)"),
        (
            replace(MAY_ALL, reads={**POSTFIX.reads, "mail_accounts": frozenset({"password"})}),
            "warn",
            "may also use mail_accounts.password",
        ),
    ],
)
def test_roles_of_mail_servers_that_will_not_do(rights: Rights | None, status: str, words: str) -> None:
    found = panel.judge_mail_role(POSTFIX, "letters", rights)
    assert found.status == status
    assert found.seen.startswith("letters ")
    assert words in found.seen
    assert bool(found.remedy) == (status != "ok")


@pytest.mark.parametrize(
    ("memory", "status"),
    [
        ({"maxmemory": 0, "maxmemory_policy": "allkeys-lru"}, "ok"),
        ({"maxmemory": 1000, "maxmemory_policy": "noeviction"}, "ok"),
        ({"maxmemory": 1000, "maxmemory_policy": "allkeys-lru"}, "warn"),
    ],
)
def test_a_redis_that_throws_tasks_away(memory: dict[str, object], status: str) -> None:
    assert panel.judge_redis(memory).status == status


@pytest.mark.parametrize(
    ("code", "errors", "status"),
    [
        (0, "", "ok"),
        (0, "postfix/postfix-script: warning: not owned by root: /etc/postfix/main.cf", "warn"),
        (1, "fatal: bad", "fail"),
        (1, "", "fail"),
    ],
)
def test_what_postfix_check_says(code: int, errors: str, status: str) -> None:
    assert mail_servers.judge_postfix_check(finished(code, errors=errors)).status == status


def test_a_map_that_knows_nothing_is_well_only_where_it_need_not() -> None:
    def judge(wants_result: bool, code: int, said: str = "", errors: str = "") -> Status:
        asked = finished(code, said, errors)
        return mail_servers.judge_map("pgsql-domains.cf", "a.example", asked, wants_result=wants_result).status

    assert judge(True, 0, "domain") == "ok"
    assert judge(True, 1) == "fail"
    assert judge(False, 1) == "ok"
    assert judge(False, 1, errors="fatal: no connection") == "fail"


def test_a_relay_that_is_slower_than_the_hook_is_patient() -> None:
    assert mail_servers.judge_relay("", "takes it", 0.1).status == "ok"
    assert mail_servers.judge_relay("", "takes it", 7).status == "warn"
    assert mail_servers.judge_relay("RCPT TO:<x@y> was answered 554", "takes it", 7).status == "fail"


def test_mail_that_waits() -> None:
    def message(age: float, recipient: str) -> dict[str, object]:
        return {"arrival_time": 10_000 - age, "recipients": [{"address": recipient}]}

    def judge(*messages: dict[str, object]) -> tuple[str, str]:
        found = mail_servers.judge_queue(messages, "autoreply.invalid", 10_000)
        return found.status.value, found.seen

    assert judge() == ("ok", "0 messages on their way, none for over an hour")
    assert judge(message(60, "a@b.example"))[0] == "ok"
    assert judge(message(4000, "a@b.example"), message(1, "a@b.example")) == (
        "warn", "1 of 2 messages wait for over an hour",
    )  # fmt: skip
    assert judge(message(4000, "a=b.example@autoreply.invalid"))[1] == "1 copies wait for the hook for over an hour"


@pytest.mark.parametrize(
    ("names", "days", "status"),
    [
        (["mail.example.org"], 60, "ok"),
        (["*.example.org"], 60, "ok"),
        (["mail.example.org"], 13, "warn"),
        (["mail.example.org"], 0, "fail"),
        (["www.example.org"], 60, "warn"),
        ([], 60, "warn"),
        (["*.org"], 60, "warn"),
    ],
)
def test_certificates(names: list[str], days: int, status: str) -> None:
    found = host.judge_certificate(names, NOW + timedelta(days=days), "mail.example.org", NOW)
    assert found.status == status


@pytest.mark.parametrize(
    ("free", "total", "inodes", "status"),
    [
        (50 * GIB, 100 * GIB, 0.9, "ok"),
        (9 * GIB, 100 * GIB, 0.9, "warn"),
        (100 * GIB, 4000 * GIB, 0.9, "ok"),
        (GIB // 10, 100 * GIB, 0.9, "fail"),
        (50 * GIB, 100 * GIB, 0.01, "fail"),
    ],
)
def test_disks(free: int, total: int, inodes: float, status: str) -> None:
    assert host.judge_disk("disk mail", "/var/vmail", free, total, inodes).status == status


@pytest.mark.parametrize(
    ("pointers", "helo", "status"),
    [
        ({}, "", "fail"),
        ({"192.0.2.1": ["mail.example.org"]}, "mail.example.org", "ok"),
        ({"192.0.2.1": ["mail.example.org"], "2001:db8::1": []}, "mail.example.org", "warn"),
        ({"192.0.2.1": ["mail.example.org"]}, "localhost", "warn"),
    ],
)
def test_names_in_the_dns(pointers: dict[str, list[str]], helo: str, status: str) -> None:
    assert host.judge_dns("mail.example.org", helo, pointers).status == status


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ({}, "unknown"),
        ({"192.0.2.1": "pass", "2001:db8::1": "pass"}, "ok"),
        ({"192.0.2.1": "pass", "2001:db8::1": "fail"}, "warn"),
        ({"192.0.2.1": "none"}, "warn"),
        ({"192.0.2.1": "temperror"}, "unknown"),
    ],
)
def test_the_name_in_ehlo_passes_spf(results: dict[str, str], status: str) -> None:
    finding = host.judge_spf("mail.example.org", results)
    assert finding.status == status
    assert ('mail.example.org. TXT "v=spf1 a -all"' in finding.remedy) == (status == "warn")


def test_the_first_line_that_differs_is_told_but_no_secret() -> None:
    assert configuration.difference("main.cf", "a\nb\n", "a\nc\n") == "main.cf line 2 (“b”)"
    assert configuration.difference("main.cf", "a\n", "a\nc\n") == "main.cf line 2 (“the end”)"
    assert configuration.difference("x.cf", "password = one\n", "password = two\n") == "x.cf line 1"


def test_a_finding_is_one_line_and_a_remedy() -> None:
    found = panel.judge_clock(40)
    assert str(found).splitlines() == [
        "FAIL    clock              the database's clock is 40.0 s ahead of this host",
        f"        → {found.remedy}",
    ]
    said_in_lines = mail_servers.judge_postfix_check(finished(1, errors="one\n\n two\n"))
    assert said_in_lines.seen == "one; two"


def test_pages_that_nobody_serves() -> None:
    found = panel.check_web(f"127.0.0.1:{free_port()}")
    assert found.status == "fail"
    assert "systemctl restart webmail-panel-web" in found.remedy


def test_a_beat_that_gives_no_sign_of_life_is_told_from_a_worker_that_is_away() -> None:
    cache.delete(health.BEAT_SIGN_OF_LIFE)
    found = panel.check_beat(has_redis=True, has_worker=True)
    assert found.status == "fail"
    assert "systemctl restart webmail-panel-beat" in found.remedy
    assert panel.check_beat(has_redis=True, has_worker=False).status == "unknown"
    assert panel.check_beat(has_redis=False, has_worker=True).status == "unknown"
    cache.set(health.BEAT_SIGN_OF_LIFE, True, timeout=60)
    assert panel.check_beat(has_redis=True, has_worker=True).status == "ok"


def test_a_broker_that_is_away_is_no_missing_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_arguments: object, **_named: object) -> None:
        raise OSError("connection refused")

    monkeypatch.setattr(panel.app.control, "ping", nobody)
    found = panel.check_worker(has_redis=True)
    assert (found.status, found.remedy) == ("fail", "Mend CELERY_BROKER_URL.")


def test_what_only_root_may_look_at_is_no_failure_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "pgsql-domains.cf").write_text("")
    found = [
        *mail_servers.check_postfix(tmp_path),
        *mail_servers.check_maps(tmp_path, panel.Known()),
        *mail_servers.check_dovecot(tmp_path, panel.Known()),
    ]
    assert [(finding.status, finding.remedy) for finding in found] == [("unknown", "Run it as root.")] * 3


def test_files_that_nobody_named_are_no_failure(tmp_path: Path) -> None:
    assert configuration.check_files("postfix", tmp_path).status == "unknown"
