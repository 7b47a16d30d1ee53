"""`manage.py import`: a dry run says what there is, --apply takes it over, once; what is here stays as it is."""

import io
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from mailboxes.models import Alias, Domain, Mailbox, User
from mailboxes.services import targets_of
from responders.models import Responder
from tests.services.imports.runs import HERE, found, run

POSTFIXADMIN = str(HERE / "postfixadmin-mysql.sql")
Clock = Callable[[datetime | None], None]


def test_a_dry_run_writes_nothing(db: None) -> None:
    status, items = run("postfixadmin", POSTFIXADMIN)
    assert status == 3
    assert items[-1]["applied"] is False
    assert not Domain.objects.exists()
    assert not User.objects.exists()
    assert ("new", "anna@firma.pl", "") in found(items, kind="autoresponder")


def test_a_dry_run_says_what_applying_then_does(db: None) -> None:
    _status, before = run("postfixadmin", POSTFIXADMIN)
    _status, done = run("postfixadmin", POSTFIXADMIN, "--apply")
    assert before[:-1] == done[:-1]


def test_mailboxes_aliases_and_catch_alls_of_postfixadmin(db: None) -> None:
    run("postfixadmin", POSTFIXADMIN, "--apply")
    rows = {row.address: row for row in Mailbox.objects.all()}
    assert set(rows) == {"anna@firma.pl", "jan@firma.pl", "ewa@firma.pl", "stary@firma.pl", "prezes@xn--wgiel-q0a.pl"}
    assert (rows["anna@firma.pl"].name, rows["anna@firma.pl"].quota_mb) == ("Anna Żółć-O'Brien", 1000)
    assert (rows["jan@firma.pl"].name, rows["jan@firma.pl"].quota_mb) == ('Jan "Kowal" \\ Nowak', None)
    assert rows["stary@firma.pl"].suspended_at is not None
    aliases = {row.address: (targets_of(row), row.is_active) for row in Alias.objects.all()}
    everybody = ["anna@firma.pl", "jan@firma.pl", "ksiegowa@biuro-rachunkowe.example"]
    assert aliases["biuro@firma.pl"] == (everybody, True)
    assert aliases["kontakt@firma.pl"] == (everybody, True)
    assert aliases["dawne@firma.pl"] == (["anna@firma.pl"], False)
    assert aliases["zarzad@firma.pl"] == (["prezes@xn--wgiel-q0a.pl"], True)
    assert aliases["jan@firma.example"] == (["jan@firma.pl"], True)
    assert not {"a@firma.pl", "b@firma.pl", "skrypt@firma.pl", "jan@firma.pl"} & set(aliases)
    domain = Domain.objects.get(name="firma.pl")
    assert (domain.quota_mb, domain.max_mailboxes, domain.catch_all) == (2048, 10, rows["anna@firma.pl"])
    assert domain.total_quota_mb == 20480
    assert Domain.objects.get(name="uspiony.pl").suspended_at is not None


def test_what_is_left_out_says_why(db: None) -> None:
    _status, items = run("postfixadmin", POSTFIXADMIN)
    left_out = {(name, reason) for _state, name, reason in found(items, state="left out")}
    assert left_out == {
        ("zapas.pl", "backup-mx"), ("zły adres", "not-an-address"), ("jan@firma.pl", "mailbox-forwards"),
        ("skrypt@firma.pl", "target-is-no-address"), ("skrypt@firma.pl", "no-target"), ("a@firma.pl", "no-target"),
        ("b@firma.pl", "no-target"), ("zarzad@firma.pl", "target-nobody-has"), ("ewa@firma.pl", "password-weak"),
        ("stary@firma.pl", "password-unknown-scheme"), ("nikt@firma.pl", "no-such-mailbox"),
        ("ewa@firma.pl", "fetched-from-elsewhere"), ("anna@firma.pl", "password-of-a-program"),
    }  # fmt: skip
    assert ("note", "prezes@xn--wgiel-q0a.pl", "password-was-plain") in found(items)
    assert ("note", "firma.example", "domain-alias-expanded") in found(items)
    notes = {(item["name"], item["reason"]): item["detail"] for item in items if item.get("state") == "note"}
    assert notes[("uspiony.pl", "delivered-elsewhere")] == "smtp:[10.0.0.5]:25"
    assert notes[("jan@firma.pl", "services-switched-off")] == "SMTP"
    assert ("anna@firma.pl", "second-factor") in notes


def test_whoever_had_a_password_has_it_here(db: None) -> None:
    run("postfixadmin", POSTFIXADMIN, "--apply")
    password = "zażółć gęślą jaźń"
    assert User.objects.get(email="anna@firma.pl").check_password(password)
    assert User.objects.get(email="jan@firma.pl").check_password(password)
    assert User.objects.get(email="prezes@xn--wgiel-q0a.pl").check_password("tajne")
    assert not User.objects.get(email="ewa@firma.pl").has_usable_password()
    run("postfixadmin", POSTFIXADMIN, "--apply", "--keep-weak-passwords")
    assert User.objects.get(email="ewa@firma.pl").check_password(password)


def test_vacations_become_autoresponders(db: None) -> None:
    _status, items = run("postfixadmin", POSTFIXADMIN, "--apply", "--zone", "Europe/Warsaw")
    rows = {row.mailbox.address: row for row in Responder.objects.select_related("mailbox")}
    anna, jan, ewa = rows["anna@firma.pl"], rows["jan@firma.pl"], rows["ewa@firma.pl"]
    assert (anna.type, anna.is_enabled, anna.state) == ("absence", True, "active")
    assert (anna.from_date, anna.to_date) == (datetime(2026, 11, 20), datetime(2027, 1, 6, 23, 59, 59))
    assert (anna.time_zone, anna.interval_days, anna.answers_once) == ("Europe/Warsaw", 2, False)
    assert anna.subject == "Urlop: {{ subject }}"
    assert anna.text_body == 'Jestem na urlopie.\nRabat 100%, szablon {{ "{" }}{ nie nasz }}.'
    assert (jan.type, jan.is_enabled, jan.answers_once, jan.from_date, jan.to_date) == (
        "standing",
        True,
        True,
        None,
        None,
    )
    assert (ewa.type, ewa.is_enabled, ewa.to_date) == ("absence", False, None)
    assert ("note", "ewa@firma.pl", "ended-and-switched-off") in found(items)


def test_vacations_are_moments_whatever_zone_their_mailboxes_get(db: None) -> None:
    """MySQL's dump has them in UTC: midnight in Warsaw is eleven at night in London, and no date is none there, too."""
    run("postfixadmin", POSTFIXADMIN, "--apply", "--zone", "Europe/London")
    rows = {row.mailbox.address: row for row in Responder.objects.select_related("mailbox")}
    assert rows["anna@firma.pl"].from_date == datetime(2026, 11, 19, 23)
    assert (rows["jan@firma.pl"].type, rows["jan@firma.pl"].from_date) == ("standing", None)


def test_expired_ones_may_be_left_out(db: None) -> None:
    _status, items = run("postfixadmin", POSTFIXADMIN, "--apply", "--leave-out-expired")
    assert not Responder.objects.filter(mailbox__address="ewa@firma.pl").exists()
    assert ("note", "ewa@firma.pl", "ended-and-left-out") in found(items)


def test_a_second_time_makes_nothing_twice(db: None, database_clock: Clock) -> None:
    run("postfixadmin", POSTFIXADMIN, "--apply")
    before = [set(model.objects.values_list("pk", flat=True)) for model in (Domain, Mailbox, Alias, Responder, User)]
    database_clock(datetime.fromisoformat("2027-02-01T12:00:00+01:00"))  # anna's absence is over meanwhile
    _status, items = run("postfixadmin", POSTFIXADMIN, "--apply")
    assert {state for state, _name, _reason in found(items)} == {"same", "note", "left out"}
    assert before == [
        set(model.objects.values_list("pk", flat=True)) for model in (Domain, Mailbox, Alias, Responder, User)
    ]


def test_what_is_here_otherwise_stays_unless_it_is_to_be_overwritten(db: None) -> None:
    run("postfixadmin", POSTFIXADMIN, "--apply")
    Mailbox.objects.filter(address="anna@firma.pl").update(name="Anna", quota_mb=5)
    Responder.objects.filter(mailbox__address="anna@firma.pl").update(text_body="Mój tekst")
    User.objects.get(email="jan@firma.pl").set_password("nowe hasło tutaj")
    status, items = run("postfixadmin", POSTFIXADMIN, "--apply")
    assert status == 3
    assert found(items, state="differs") == [
        ("differs", "anna@firma.pl", "is-here-otherwise"), ("differs", "anna@firma.pl", "is-here-otherwise"),
    ]  # fmt: skip
    assert Mailbox.objects.get(address="anna@firma.pl").name == "Anna"
    assert Responder.objects.get(mailbox__address="anna@firma.pl").text_body == "Mój tekst"
    _status, items = run("postfixadmin", POSTFIXADMIN, "--apply", "--overwrite")
    assert len(found(items, state="changed")) == 2
    assert Mailbox.objects.get(address="anna@firma.pl").quota_mb == 1000
    assert Responder.objects.get(mailbox__address="anna@firma.pl").text_body.startswith("Jestem na urlopie.")


class Killed(BaseException):
    pass


class StopsAfter(io.StringIO):
    """Standard output of a program that is killed when it has written so many lines."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.left = lines

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left < 0:
            raise Killed
        return super().write(text)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lines", [14, 20, 26, 32])
def test_killed_half_way_it_is_begun_again(lines: int) -> None:
    with pytest.raises(Killed):
        call_command("import", "postfixadmin", POSTFIXADMIN, "--apply", stdout=StopsAfter(lines))
    half = Mailbox.objects.count() + Alias.objects.count()
    run("postfixadmin", POSTFIXADMIN, "--apply")
    assert (Mailbox.objects.count(), Responder.objects.count()) == (5, 3)
    assert Alias.objects.count() > 5 or half > 5
    _status, items = run("postfixadmin", POSTFIXADMIN, "--apply")
    assert not found(items, state="new")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("/nowhere.sql", "cannot be read"), ("ftp://x/y", "none of postgresql"), ("{folder}", "cannot be read"),
        ("{empty}", "no dump"), ("{zeros}", "no dump"), ("{half}", "is it whole"), ("{custom}", "pg_restore"),
        ("postgresql://panel:tajne@127.0.0.1:1/x", "127.0.0.1"), ("mysql://panel:tajne@127.0.0.1:1/x", "127.0.0.1"),
        ("{other}", "is this the database of postfixadmin"),
    ],
)  # fmt: skip
def test_a_source_that_cannot_be_read_is_one_line(db: None, tmp_path: Path, source: str, words: str) -> None:
    contents = {
        "empty": b"", "zeros": bytes(100_000), "custom": b"PGDMP\1\2", "half": Path(POSTFIXADMIN).read_bytes()[:7000],
        "other": b"CREATE TABLE `x` (`a` int);\nINSERT INTO `x` VALUES (1);\n",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    places = {name: tmp_path / name for name in contents} | {"folder": tmp_path}
    with pytest.raises(CommandError, match=words) as refused:
        run("postfixadmin", source.format(**places), "--apply")
    assert refused.value.returncode == 1
    assert "\n" not in str(refused.value)
    assert "tajne" not in str(refused.value)
    assert not Domain.objects.exists()


def test_the_report_is_readable_and_keeps_secrets(db: None, tmp_path: Path) -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match="left out"):
        call_command("import", "postfixadmin", POSTFIXADMIN, stdout=out)
    report = out.getvalue()
    assert "new       mailbox        anna@firma.pl  Anna Żółć-O'Brien, 1000 MB" in report
    assert "dry run" in report
    assert "tajne" not in report
    assert "$6$" not in report


def test_a_source_of_nothing_left_out_ends_well(db: None, tmp_path: Path) -> None:
    dump = tmp_path / "small.sql"
    dump.write_text(
        "CREATE TABLE `domain` (`domain` text, `active` int);\nINSERT INTO `domain` VALUES ('mala.pl',1);\n"
        "CREATE TABLE `mailbox` (`username` text, `password` text);\n"
        "INSERT INTO `mailbox` VALUES ('jan@mala.pl','{SSHA}6uX7DfD4cuujdEWoevypth326lNJ6+4/');\n"
    )
    assert run("postfixadmin", dump, "--apply")[0] == 0
    assert User.objects.get(email="jan@mala.pl").check_password("zażółć gęślą jaźń")


def test_letters_that_the_source_lost_are_told_of(db: None, tmp_path: Path) -> None:
    broken = tmp_path / "broken.sql"
    shutil.copy(POSTFIXADMIN, broken)
    broken.write_bytes(broken.read_bytes().replace("Wracam kiedyś.".encode(), b"Wracam kiedy\xff\xfe."))
    _status, items = run("postfixadmin", broken, "--encoding", "ascii")
    assert ("note", "jan@firma.pl", "broken-letters") in found(items)


class EndsTheConnection(io.StringIO):
    """When it has written some lines, the database's connection is ended from elsewhere."""

    def write(self, text: str) -> int:
        if self.getvalue().count("\n") == 20:
            names = ("host", "port", "user", "password", "dbname")
            parameters = {name: value for name, value in connection.get_connection_params().items() if name in names}
            with psycopg.connect(**parameters, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        return super().write(text)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_is_one_line_and_the_rest_comes_with_the_next_run() -> None:
    with pytest.raises(CommandError, match="run it again") as refused:
        call_command("import", "postfixadmin", POSTFIXADMIN, "--apply", stdout=EndsTheConnection())
    assert "\n" not in str(refused.value)
    connection.close()
    assert Mailbox.objects.exists()
    run("postfixadmin", POSTFIXADMIN, "--apply")
    assert (Mailbox.objects.count(), Responder.objects.count()) == (5, 3)
