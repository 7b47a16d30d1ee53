"""Vacation scripts as Roundcube, Nextcloud, Modoboa and people write them."""

from datetime import datetime
from pathlib import Path

import pytest
from django.core.management import CommandError
from hypothesis import given, settings
from hypothesis import strategies as st

from importing import sieve
from importing.facts import Responder
from mailboxes import services
from mailboxes.models import Mailbox
from responders.models import Responder as Row
from tests.services.imports.runs import found, run

ROUNDCUBE = """require ["copy","date","relational","vacation"];
# rule:[Urlop]
if allof (currentdate :zone "+0100" :value "ge" "iso8601" "2026-11-26T10:00:00+01:00", currentdate :zone "+0100" :value "le" "iso8601" "2027-01-06T12:00:00+01:00")
{
\tvacation :days 3 :addresses ["anna@firma.pl","biuro@firma.pl"] :subject "Nie ma mnie" :from "Anna <anna@firma.pl>" "Jestem na urlopie.";
}
"""  # noqa: E501 (as it is written)
NEXTCLOUD = """### Nextcloud Mail: Vacation Responder ### DON'T EDIT ###
require "date";
require "relational";
require "variables";
require "vacation";
# DATA: {"version":1,"enabled":true}
set "subject" "";
if header :matches "subject" "*" {
\tset "subject" "${1}";
}
if allof(currentdate :value "ge" "date" "2026-11-20", currentdate :value "le" "date" "2027-01-06") {
\tvacation :days 4 :subject "Urlop, \\"${subject}\\" \\\\" :addresses "Anna <anna@firma.pl>" "Wracam.
\\"Do zobaczenia\\" {{ x }}";
}
"""
MIME = """require ["vacation"];
vacation :mime text:
Content-Type: multipart/alternative; boundary=foo

--foo
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Wr=C3=B3c=C4=99
--foo
Content-Type: text/html; charset=utf-8

<p>Wrócę</p>
--foo--
.
;
"""


def read(script: str) -> Responder:
    result = sieve.read(script, "anna@firma.pl", zone="Europe/Warsaw")
    assert not result.problems
    [responder] = result.responders
    return responder


def test_roundcubes() -> None:
    made = read(ROUNDCUBE)
    assert (made.subject, made.text_body, made.interval_days) == ("Nie ma mnie", "Jestem na urlopie.", 3)
    assert (made.from_date, made.to_date) == (datetime(2026, 11, 26, 10), datetime(2027, 1, 6, 12))
    assert made.is_enabled
    assert made.own_addresses == ("anna@firma.pl", "biuro@firma.pl")


def test_nextclouds() -> None:
    made = read(NEXTCLOUD)
    assert made.subject == 'Urlop, "{{ subject }}" \\'
    assert made.text_body == 'Wracam.\n"Do zobaczenia" {{ "{" }}{ x }}'
    assert (made.from_date, made.to_date) == (datetime(2026, 11, 20), datetime(2027, 1, 7))  # the last day counts


def test_modoboas() -> None:
    made = read("""require ["date", "relational", "vacation"];
# Filter: autoreply
if allof (currentdate :zone "+0000" :value "ge" "iso8601" "2026-11-20T08:00:00",
          currentdate :zone "+0000" :value "lt" "iso8601" "2027-01-06T22:59:00") {
    vacation :subject "Urlop" :days 7 "Anna";
}
""")
    assert (made.from_date, made.to_date) == (datetime(2026, 11, 20, 9), datetime(2027, 1, 6, 23, 59))


def test_a_mime_entity_with_two_texts() -> None:
    made = read(MIME)
    assert (made.text_body.strip(), made.html_body.strip()) == ("Wrócę", "<p>Wrócę</p>")
    assert made.subject == "Auto: {{ subject }}"


@pytest.mark.parametrize(
    ("test", "start", "end", "is_on"),
    [
        ("true", None, None, True), ("false # rule:[Urlop]\n", None, None, False),
        ('currentdate :value "ge" "date" "2026-12-24"', datetime(2026, 12, 24), None, True),
        ('currentdate :value "gt" "date" "2026-12-24"', datetime(2026, 12, 25), None, True),
        ('not currentdate :value "lt" "date" "2026-12-24"', datetime(2026, 12, 24), None, True),
        ('not currentdate :value "ge" "date" "2026-12-24"', None, datetime(2026, 12, 24), True),
        ('currentdate :is "date" "2026-12-24"', datetime(2026, 12, 24), datetime(2026, 12, 25), True),
        ('allof (true, not header :contains "Precedence" ["bulk", "list"])', None, None, True),
        ('not anyof (header :is "X-Spam-Flag" "YES", header :contains "List-Id" "x")', None, None, True),
    ],
)  # fmt: skip
def test_conditions_that_are_dates(test: str, start: datetime | None, end: datetime | None, is_on: bool) -> None:
    made = read(f'require ["date", "relational", "vacation"];\nif {test} {{ vacation "x"; }}')
    assert (made.from_date, made.to_date, made.is_enabled) == (start, end, is_on)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('if header :contains "subject" "oferta" { vacation "x"; }', "header subject oferta"),
        ('if not header :contains ["subject"] "oferta" { vacation "x"; }', "not header"),
        ('if currentdate :is "weekday" "6" { vacation "x"; }', "weekday"),
        ('if currentdate :value "ge" "date" ["2026-01-01", "2026-02-01"] { vacation "x"; }', "currentdate"),
        ('if not currentdate :is "date" "2026-01-01" { vacation "x"; }', "currentdate"),
        ('if anyof (true, false) { vacation "x"; }', "anyof"), ('if true { keep; } else { vacation "x"; }', "else"),
        ('if size :over 100K { if true { vacation "x"; } }', "size"),
    ],
)  # fmt: skip
def test_conditions_that_are_others_are_told(script: str, words: str) -> None:
    result = sieve.read(f'require ["date", "relational", "vacation"];\n{script}', "a@b.pl", zone="Europe/Warsaw")
    assert not result.responders
    [problem] = result.problems
    assert problem.reason == "condition-not-carried-over"
    assert words in problem.detail


@pytest.mark.parametrize(
    "script",
    [
        'vacation "not required";', 'require "vacation"; vacation "open', "vacation {{{{",
        'require ["vacation"]; execute :pipe "x"; vacation "y";',
        'require ["date","vacation"]; if currentdate { vacation "x"; }',
        'require ["date","relational","vacation"]; if currentdate :value "ge" "date" "soon" { vacation "x"; }',
        'require "vacation";' + "if true {" * 500 + 'vacation "x";' + "}" * 500, "vacation \0 \ufffd",
        'require "vacation"; vacation', 'require "vacation"; vacation :days 3 "x"',
        'require "vacation"; if true { vacation "x"; } vacation :subject "y" "z" # ;',
    ],
)  # fmt: skip
def test_scripts_that_cannot_be_understood_are_told(script: str) -> None:
    result = sieve.read(script, "a@b.pl", zone="Europe/Warsaw")
    assert [problem.reason for problem in result.problems] == ["script-not-understood"]


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from(list('vacation require"[];{}():\\\n .x1')), max_size=80))
def test_no_script_breaks_the_reader(script: str) -> None:
    sieve.read(f'require "vacation";\nvacation {script}', "a@b.pl", zone="Europe/Warsaw")


def test_a_script_without_vacation_is_not_even_parsed() -> None:
    assert sieve.read('pipe "unknown"; nonsense', "a@b.pl", zone="Europe/Warsaw") == sieve.Found()


# --- A tree of mail ---


@pytest.fixture
def tree(db: None, tmp_path: Path) -> Path:
    """Five homes below a folder of mail, and their mailboxes but one."""
    root = tmp_path / "vmail"
    for name in ("anna", "jan", "ewa", "ola", "nikt"):
        (root / "firma.pl" / name / "sieve").mkdir(parents=True)
        if name != "nikt":
            services.add_mailbox(f"{name}@firma.pl", create_domain=True)
    home = root / "firma.pl"
    (home / "anna/sieve/roundcube.sieve").write_text(ROUNDCUBE)
    (home / "anna/.dovecot.sieve").symlink_to("sieve/roundcube.sieve")
    (home / "jan/sieve/main.sieve").write_text('require "include"; include :personal "vac"; include :global "no";')
    (home / "jan/sieve/vac.sieve").write_text(NEXTCLOUD)
    (home / "jan/.dovecot.sieve").symlink_to("/var/vmail/firma.pl/jan/sieve/main.sieve")  # as on the old host
    (home / "ewa/sieve/off.sieve").write_text(ROUNDCUBE)
    (home / "ola/.dovecot.sieve").symlink_to("../../../secret")
    (tmp_path / "secret").write_text(ROUNDCUBE)
    (home / "nikt/.dovecot.sieve").write_text(ROUNDCUBE)
    (root / "firma.pl" / "link").symlink_to(home / "anna")
    return root


def test_a_tree_of_mail(tree: Path) -> None:
    status, items = run("sieve", tree, "--apply", "--zone", "Europe/Warsaw")
    assert status == 3
    rows = {row.mailbox.local_part: row for row in Row.objects.select_related("mailbox")}
    assert set(rows) == {"anna", "jan", "ewa"}
    assert (rows["anna"].state, rows["jan"].state, rows["ewa"].state) == ("active", "active", "off")
    assert rows["jan"].subject == 'Urlop, "{{ subject }}" \\'
    said = {(state, name, reason) for state, name, reason in found(items) if reason}
    assert said == {
        ("note", "ewa@firma.pl", "script-not-active"), ("left out", "nikt@firma.pl", "no-such-mailbox"),
        *[("note", f"{name}@firma.pl", "not-an-own-address-here") for name in ("anna", "jan", "ewa")],
    }  # fmt: skip
    assert Mailbox.objects.count() == 4
    status, items = run("sieve", tree, "--apply", "--zone", "Europe/Warsaw")
    assert not found(items, state="new")


def test_one_mailbox_of_the_tree(tree: Path) -> None:
    run("sieve", tree, "--apply", "--address", "jan@firma.pl")
    assert [row.mailbox.address for row in Row.objects.all()] == ["jan@firma.pl"]


def test_one_script(tree: Path) -> None:
    script = tree / "firma.pl/ewa/sieve/off.sieve"
    with pytest.raises(CommandError, match="--address"):
        run("sieve", script)
    run("sieve", script, "--apply", "--address", "ola@firma.pl")
    assert Row.objects.get().mailbox.address == "ola@firma.pl"
