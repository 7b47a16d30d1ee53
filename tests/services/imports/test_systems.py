"""What becomes of Modoboa's, ISPConfig's and cPanel's data, each as that system keeps it."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.core.management import CommandError
from psycopg.conninfo import conninfo_to_dict

from importing import dumps, modoboa, postfixadmin
from mailboxes.models import Alias, Customer, Domain, Mailbox, User
from mailboxes.services import targets_of
from responders.models import Responder
from tests.services.imports.runs import HERE, found, run

PASSWORD = "zażółć gęślą jaźń"
MODOBOA = HERE / "modoboa-postgres.sql"
ISPCONFIG = HERE / "ispconfig-mysql.sql"
CPANEL = HERE / "cpanel"


def answers() -> dict[str, Responder]:
    return {row.mailbox.address: row for row in Responder.objects.select_related("mailbox")}


def aliases() -> dict[str, list[str]]:
    return {row.address: targets_of(row) for row in Alias.objects.all()}


# --- Modoboa ---


def test_modoboa(db: None) -> None:
    _status, items = run("modoboa", MODOBOA, "--apply")
    rows = {row.address: row for row in Mailbox.objects.all()}
    assert set(rows) == {"anna@firma.pl", "jan@firma.pl", "ewa@druga.pl"}
    anna, jan = rows["anna@firma.pl"], rows["jan@firma.pl"]
    assert (anna.name, anna.language, anna.quota_mb) == ("Anna Żółć", "pl", None)
    assert (jan.name, jan.language, jan.quota_mb, jan.suspended_at is None) == ("Jan", "en", 250, False)
    domain = Domain.objects.get(name="firma.pl")
    assert (domain.quota_mb, domain.total_quota_mb) == (500, 5000)
    assert not User.objects.filter(email="admin@firma.pl").exists()
    assert User.objects.get(email="anna@firma.pl").check_password(PASSWORD)
    assert User.objects.get(email="jan@firma.pl").check_password(PASSWORD)
    everybody = ["anna@firma.pl", "jan@firma.pl"]
    assert aliases() == {
        "biuro@firma.pl": everybody, "akcja@firma.pl": everybody, "anna@firma.example": ["anna@firma.pl"],
        "jan@firma.example": ["jan@firma.pl"], "biuro@firma.example": everybody, "akcja@firma.example": everybody,
    }  # fmt: skip
    notes = {(state, name, reason) for state, name, reason in found(items) if state in {"note", "left out"}}
    assert notes == {
        ("left out", "przekaz.pl", "backup-mx"), ("note", "jan@firma.pl", "send-only"),
        ("note", "akcja@firma.pl", "alias-expires"), ("note", "firma.example", "domain-alias-expanded"),
        ("left out", "anna@firma.pl", "second-autoresponder"), ("left out", "druga.pl", "catch-all-is-no-mailbox"),
        ("note", "ewa@druga.pl", "password-for-the-panel-only"), ("note", "jan@firma.pl", "ended-and-switched-off"),
        ("note", "anna@firma.pl", "second-factor"),
        ("left out", "anna@firma.pl", "sends-as-another"),
    }  # fmt: skip


def test_the_autoreplies_of_modoboa_are_in_universal_time(db: None) -> None:
    run("modoboa", MODOBOA, "--apply", "--zone", "Europe/Warsaw")
    anna, jan = answers()["anna@firma.pl"], answers()["jan@firma.pl"]
    assert (anna.from_date, anna.to_date) == (datetime(2026, 11, 20, 9), datetime(2027, 1, 6, 23, 59))
    assert (anna.type, anna.state, anna.interval_days) == ("absence", "active", 3)
    assert anna.text_body == (
        '{{ mailbox.name }} wraca {{ absence.end }}.\nPrzez 100% czasu {{ "{" }}{ poza }} biurem.'
    )  # fmt: skip
    assert (jan.type, jan.is_enabled) == ("absence", False)


def test_naive_dates_of_modoboa_on_mysql_are_utc_too() -> None:
    row = {"mbox_id": "1", "subject": "x", "content": "y", "enabled": "1", "fromdate": "2026-07-01 22:00:00.000000"}
    tables = {
        "admin_domain": [{"id": "1", "name": "a.pl"}], "admin_mailbox": [{"id": "1", "address": "x", "domain_id": "1"}],
        "postfix_autoreply_armessage": [row | {"untildate": None}],
    }  # fmt: skip
    [responder] = modoboa.read(tables, zone="Europe/Warsaw").responders
    assert (responder.from_date, responder.to_date) == (datetime(2026, 7, 2), None)


def test_in_an_old_modoboa_the_space_of_a_domain_is_that_of_each_mailbox() -> None:
    tables = {"admin_domain": [{"id": "1", "name": "a.pl", "quota": "300"}]}
    source = modoboa.read(tables, zone="Europe/Warsaw")
    assert ([domain.quota_mb for domain in source.domains], source.problems) == ([300], [])


def test_postfixadmin_on_postgresql_says_t_and_f() -> None:
    source = postfixadmin.read(
        {
            "domain": [{"domain": "a.pl", "active": "t", "backupmx": "f"}, {"domain": "b.pl", "active": "f"}],
            "mailbox": [{"username": "x@a.pl", "active": "f", "quota": "1048577"}],
            "vacation": [
                {"email": "x@a.pl", "active": "t", "subject": "", "body": "y", "activefrom": "2026-07-01 10:00:00+02",
                 "activeuntil": "2038-01-18 00:00:00+01", "interval_time": "90000"},
            ],
        },
        zone="Europe/London",
    )  # fmt: skip
    assert [(domain.name, domain.is_active) for domain in source.domains] == [("a.pl", True), ("b.pl", False)]
    assert (source.mailboxes[0].is_active, source.mailboxes[0].quota_mb) == (False, 2)
    [vacation] = source.responders
    assert (vacation.from_date, vacation.to_date) == (datetime(2026, 7, 1, 9), None)
    assert (vacation.subject, vacation.interval_days, vacation.answers_once) == ("Auto: {{ subject }}", 2, False)


# --- ISPConfig ---


def test_ispconfig(db: None) -> None:
    _status, items = run("ispconfig", ISPCONFIG, "--apply")
    owners = {row.name: str(row.customer or "") for row in Domain.objects.select_related("customer")}
    assert owners == {
        "firma.pl": "Firma sp. z o.o. (K-17)", "kowalski.pl": "Jan Kowalski (ispconfig-2)", "niczyja.pl": "",
        "firma.example": "Firma sp. z o.o. (K-17)",
    }  # fmt: skip
    assert Customer.objects.count() == 2
    rows = {row.address: row for row in Mailbox.objects.all()}
    assert rows["anna@firma.pl"].quota_mb == 1024
    assert rows["jan@kowalski.pl"].quota_mb is None
    assert rows["ewa@firma.pl"].suspended_at is not None
    assert aliases()["wszyscy@firma.pl"] == ["anna@firma.pl", "jan@kowalski.pl", "obcy@poczta.example"]
    assert aliases()["biuro@firma.example"] == ["anna@firma.pl"]
    assert Domain.objects.get(name="kowalski.pl").catch_all == rows["jan@kowalski.pl"]
    assert User.objects.get(email="jan@kowalski.pl").check_password(PASSWORD)
    left_out = {(name, reason) for _state, name, reason in found(items, state="left out")}
    assert left_out == {
        ("anna@firma.pl", "fetched-from-elsewhere"), ("anna@firma.pl", "mailbox-forwards"),
        ("jan@kowalski.pl", "filter-rules"), ("firma.pl", "switched-off"), ("ewa@firma.pl", "password-locked"),
        ("ola@firma.pl", "password-none"), ("ola@firma.pl", "date-not-understood"),
        ("nowosci@firma.pl", "mailing-list"), ("zapas.pl", "backup-mx"),
    }  # fmt: skip
    notes = {(item["name"], item["reason"]): item["detail"] for item in items if item.get("state") == "note"}
    assert notes[("ola@firma.pl", "services-switched-off")] == "IMAP, SMTP"
    assert ("niczyja.pl", "delivered-elsewhere") in notes


def test_the_autoresponders_of_ispconfig(db: None) -> None:
    run("ispconfig", ISPCONFIG, "--apply", "--zone", "Europe/London")
    anna, jan = answers()["anna@firma.pl"], answers()["jan@kowalski.pl"]
    assert (anna.subject, anna.text_body) == ("Urlop", "Wracam szóstego.")
    assert (anna.from_date, anna.to_date) == (datetime(2026, 11, 20, 8), datetime(2027, 1, 6, 16))
    assert (anna.time_zone, Mailbox.objects.get(address="anna@firma.pl").time_zone) == (
        "Europe/London",
        "Europe/London",
    )
    assert (jan.type, jan.state, jan.from_date) == ("standing", "active", None)
    assert len(answers()) == 2


# --- cPanel ---


def test_cpanel(db: None) -> None:
    _status, items = run("cpanel", CPANEL, "--apply")
    rows = {row.address: row for row in Mailbox.objects.all()}
    assert {address: row.quota_mb for address, row in rows.items()} == {
        "anna@firma.pl": 250, "jan@firma.pl": None, "ewa@firma.pl": None, "ola@firma.pl": None,
    }  # fmt: skip
    assert User.objects.get(email="anna@firma.pl").check_password(PASSWORD)
    assert aliases() == {"biuro@firma.pl": ["anna@firma.pl", "jan@firma.pl", "obcy@poczta.example"]}
    assert {(state, name, reason) for state, name, reason in found(items) if state in {"note", "left out"}} == {
        ("left out", "ewa@firma.pl", "not-understood"), ("left out", "ewa@firma.pl", "password-locked"),
        ("left out", "sklep@firma.pl", "target-is-no-address"), ("left out", "sklep@firma.pl", "no-target"),
        ("note", "ola@firma.pl", "not-in-use"),
    }  # fmt: skip


def test_domain_aliases_and_mailing_lists_of_cpanel(db: None, tmp_path: Path) -> None:
    shutil.copytree(CPANEL, tmp_path / "c")
    (tmp_path / "c" / "mm" / "nowe_oferty_firma.pl").mkdir(parents=True)
    (tmp_path / "c" / "vad").mkdir()
    (tmp_path / "c" / "vad" / "firma.example").write_text("firma.example: firma.pl\n")
    _status, items = run("cpanel", tmp_path / "c", "--apply")
    assert aliases()["anna@firma.example"] == ["anna@firma.pl"]
    assert ("left out", "nowe_oferty@firma.pl", "mailing-list") in found(items)
    shutil.copytree(tmp_path / "c" / "vad", tmp_path / "etc" / "vdomainaliases")  # as on the server itself
    shutil.copytree(CPANEL / "va", tmp_path / "etc" / "valiases")
    home = tmp_path / "c" / "homedir"
    _status, items = run("cpanel", home, "--valiases", str(tmp_path / "etc" / "valiases"))
    assert ("note", "firma.example", "domain-alias-expanded") in found(items)


def test_the_autoresponders_of_cpanel(db: None) -> None:
    run("cpanel", CPANEL, "--apply", "--zone", "Europe/Warsaw")
    anna, jan, ola = (answers()[f"{name}@firma.pl"] for name in ("anna", "jan", "ola"))
    assert anna.subject == "Re: {{ subject }}"
    assert anna.text_body == (
        "Dzień dobry {{ sender.name }} ({{ sender.address }}),\n\n"
        'jestem na urlopie. Rabat 100%, {{ "{" }}{ literalnie }}.'
    )  # fmt: skip
    assert (anna.from_date, anna.to_date) == (datetime(2026, 11, 20, 8), datetime(2027, 1, 6, 16))
    assert (anna.type, anna.state, anna.interval_days) == ("absence", "active", 2)
    assert (jan.subject, jan.text_body) == ("Dziękujemy", "Dziękujemy za wiadomość.")
    assert jan.html_body == "<p>Dziękujemy za <b>wiadomość</b>.</p>"
    assert (jan.type, jan.state, jan.interval_days) == ("standing", "active", 1)
    assert (ola.is_enabled, ola.subject) == (False, "nieczynny")


def test_only_a_home_directory_without_the_rest_of_the_backup(db: None, tmp_path: Path) -> None:
    shutil.copytree(CPANEL / "homedir", tmp_path / "home" / "firma")
    run("cpanel", tmp_path / "home" / "firma", "--apply")
    assert answers()["ola@firma.pl"].is_enabled  # whose mail goes through the autoresponder is not known here
    assert not aliases()


def test_a_folder_of_something_else_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cPanel"):
        run("cpanel", tmp_path)


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (b"", b""), (b"\xff\xfe\0", b"{}"),
        (b"Content-Type: text/plain; charset=nonsense\nSubject: =?x?b?!!?=\n\nx", b"[]"),
        (b"Subject: x\n\ny", b'{"stop": 1e400}'), (b"Subject: x\n\ny", b'{"start": 99999999999999}'),
        (b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\n" * 1000, b'{"interval": "x"}'),
        (b"x" * 2_000_000, b""),
        (b"Subject: x\n\n" + b"{{" * 20_000, b""),
    ],
)  # fmt: skip
def test_broken_files_of_cpanel_break_nothing(db: None, tmp_path: Path, content: bytes, settings: bytes) -> None:
    shutil.copytree(CPANEL, tmp_path / "c")
    folder = tmp_path / "c" / "homedir" / ".autorespond"
    (folder / "anna@firma.pl").write_bytes(content)
    (folder / "anna@firma.pl.json").write_bytes(settings)
    _status, items = run("cpanel", tmp_path / "c", "--apply")
    assert ("new", "jan@firma.pl", "") in found(items, kind="autoresponder")
    assert Mailbox.objects.filter(address="anna@firma.pl").exists()


def test_links_that_lead_out_of_the_folder_are_not_followed(db: None, tmp_path: Path) -> None:
    shutil.copytree(CPANEL, tmp_path / "c")
    (tmp_path / "secret").write_text("Subject: secret\n\nsecret")
    (tmp_path / "c/homedir/.autorespond/anna@firma.pl").unlink()
    (tmp_path / "c/homedir/.autorespond/anna@firma.pl").symlink_to(tmp_path / "secret")
    _status, items = run("cpanel", tmp_path / "c", "--apply")
    assert ("left out", "anna@firma.pl", "too-large-or-a-link") in found(items, kind="file")
    assert "anna@firma.pl" not in answers()


# --- The same from databases that run ---


def as_sqlite(dump: Path, wanted: dumps.Wanted, file: Path) -> Path:
    """The tables of a dump in a file of SQLite, as the system would keep them there."""
    database = sqlite3.connect(file)
    for table, rows in dumps.read_dump(dump, wanted).items():
        names = sorted(wanted[table])
        database.execute(f'CREATE TABLE "{table}" ({", ".join(f"{chr(34)}{name}{chr(34)}" for name in names)})')
        for row in rows:
            marks = ", ".join("?" * len(names))
            database.execute(f'INSERT INTO "{table}" VALUES ({marks})', [row.get(name) for name in names])
    database.commit()
    database.close()
    return file


def test_a_file_of_sqlite_says_the_same_as_a_dump(db: None, tmp_path: Path) -> None:
    for system, dump, wanted in (
        ("postfixadmin", HERE / "postfixadmin-mysql.sql", postfixadmin.WANTED), ("modoboa", MODOBOA, modoboa.WANTED),
    ):  # fmt: skip
        file = as_sqlite(dump, wanted, tmp_path / system)
        assert run(system, file) == run(system, dump)
        database = sqlite3.connect(file)
        (tmp_path / "dump.sql").write_text("\n".join(database.iterdump()))
        database.close()
        assert run(system, tmp_path / "dump.sql") == run(system, dump)


@pytest.fixture
def modoboa_database(tmp_path: Path) -> Iterator[str]:
    """A database of PostgreSQL with Modoboa's tables; its address without the password."""
    url = os.environ["DATABASE_URL"]
    name = f"modoboa_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {name}")
        server.execute(f"CREATE DATABASE {name}")
    there = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    with psycopg.connect(there) as database:
        for table, rows in dumps.read_dump(MODOBOA, modoboa.WANTED).items():
            columns = ", ".join(f'"{column}" {COLUMN_TYPES.get(column, "text")}' for column in sorted(rows[0]))
            database.execute(f"CREATE TABLE {table} ({columns})")
            for row in rows:
                values = [row[column] for column in sorted(rows[0])]
                database.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(values))})", values)
    yield there
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


COLUMN_TYPES = {
    "id": "integer", "enabled": "boolean", "is_active": "boolean", "fromdate": "timestamptz",
    "untildate": "timestamptz",
    "quota": "integer", "use_domain_quota": "boolean", "internal": "boolean", "expire_at": "timestamptz",
}  # fmt: skip


def test_a_database_that_runs_says_the_same_as_its_dump(
    db: None, modoboa_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("modoboa", modoboa_database)[1][-1]["counts"] == run("modoboa", MODOBOA)[1][-1]["counts"]
    password = conninfo_to_dict(modoboa_database)["password"]
    monkeypatch.setenv("IMPORT_PASSWORD", str(password))
    without = modoboa_database.replace(f":{password}@", "@")
    assert password not in without
    run("modoboa", without, "--apply", "--zone", "Europe/Warsaw")
    assert answers()["anna@firma.pl"].to_date == datetime(2027, 1, 6, 23, 59)


def test_nothing_is_written_to_the_other_database(db: None, modoboa_database: str) -> None:
    with psycopg.connect(modoboa_database, autocommit=True) as database:
        database.execute(
            "CREATE FUNCTION f(text) RETURNS text LANGUAGE sql AS 'DELETE FROM admin_domain RETURNING name'"
        )
        database.execute("ALTER TABLE core_localconfig RENAME TO hidden")
        database.execute("CREATE VIEW core_localconfig AS SELECT f('x') AS _parameters")
    with pytest.raises(CommandError, match="read-only"):
        run("modoboa", modoboa_database, "--apply")
    assert not Domain.objects.exists()
