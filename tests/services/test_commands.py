"""The operator's commands: what they print, and one clear line when something is wrong."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from mailboxes.models import Alias, Customer, Domain, Mailbox
from responders.models import Responder

pytestmark = pytest.mark.django_db


def run(*arguments: str, out: io.StringIO | None = None) -> str:
    out = out or io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.usefixtures("passwords_cost_what_they_should")
def test_a_mailbox_is_added_with_its_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, "a long enough pass phrase\n")
    run("mailbox", "add", "Ewa@Firma.example", "--name", "Ewa", "--password-stdin", "--create-domain")
    mailbox = Mailbox.objects.get(address="ewa@firma.example")
    assert mailbox.owner is not None
    assert mailbox.owner.check_password("a long enough pass phrase")
    assert mailbox.owner.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert json.loads(run("mailbox", "list", "--json"))["time_zone"] == "Europe/Warsaw"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mailbox", "add", "ewa@elsewhere.example"], "not a domain of this panel"),
        (["mailbox", "add", "no address"], "name@domain"),
        (["mailbox", "add", "ewa@autoreply.invalid", "--create-domain"], "the panel's own"),
        (["mailbox", "add", "anna@firma.example"], "is a mailbox already"),
        (["mailbox", "add", "ewa@firma.example", "--time-zone", "Warsaw"], "not a time zone"),
        (["mailbox", "add", "ewa%firma@firma.example"], "Mail servers do not deliver"),
        (["mailbox", "add", "żółw@firma.example"], "Mail servers do not deliver"),
        (["alias", "add", "anna@firma.example", "x@elsewhere.example"], "is a mailbox already"),
        (["alias", "add", "biuro@firma.example", "a=b@autoreply.invalid"], "panel's own domain"),
        (["alias", "add", "biuro@firma.example", "nobody@firma.example"], "no mailbox has that address"),
        (["responder", "on", "anna@firma.example"], "no such responder"),
        (["responder", "show", "ewa@firma.example"], "not a mailbox of this panel"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(mailbox: Mailbox, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)


def test_a_weak_password_is_refused(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, "password\n")
    with pytest.raises(CommandError, match="tried first"):
        run("mailbox", "add", "ewa@firma.example", "--password-stdin")
    assert not Mailbox.objects.filter(local_part="ewa").exists()


def test_an_alias_leads_to_mailboxes_and_outside(mailbox: Mailbox) -> None:
    run(
        "alias",
        "add",
        "Biuro@firma.example",
        "anna@firma.example",
        "ewa@elsewhere.example",
        "ANNA@firma.example",
    )
    targets = Alias.objects.get(address="biuro@firma.example").targets.order_by("pk")
    assert [str(target) for target in targets] == ["anna@firma.example", "ewa@elsewhere.example"]
    assert json.loads(run("alias", "list", "--json"))["targets"] == [
        "anna@firma.example",
        "ewa@elsewhere.example",
    ]


def test_a_responder_is_set_shown_and_switched(mailbox: Mailbox, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("Nie ma mnie do {{ absence.end }}.")
    arguments = ["responder", "set", "anna@firma.example", "--type", "absence", "--subject", "Nie ma mnie"]
    arguments += ["--text-file", str(text), "--from", "2099-07-01T08:00", "--to", "2099-07-15T06:00+00:00"]
    assert "Absence message: Starts Wed, 1 Jul 2099, 08:00 (Europe/Warsaw)" in run(*arguments)
    row = Responder.objects.get()
    assert row.from_utc == datetime(2099, 7, 1, 6, tzinfo=UTC)
    assert row.to_date == datetime(2099, 7, 15, 8)
    run(*arguments)
    assert Responder.objects.count() == 1
    assert "Off" in run("responder", "off", "anna@firma.example")
    assert json.loads(run("responder", "show", "anna@firma.example", "--json"))["state"] == "off"
    assert "Nie ma mnie do" in run("responder", "show", "anna@firma.example")


def test_a_bad_text_is_refused_in_one_line(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, "{{ sender.nmae }}")
    with pytest.raises(CommandError, match=r"text_body: .*sender\.nmae"):
        run(
            "responder",
            "set",
            "anna@firma.example",
            "--type",
            "standing",
            "--subject",
            "x",
            "--text-file",
            "-",
        )


def test_transitions_apply_does_what_beat_does(mailbox: Mailbox) -> None:
    Responder.objects.create(
        mailbox=mailbox, subject="x", text_body="x", state="scheduled", from_date=datetime(2020, 1, 1),
        from_utc=datetime(2020, 1, 1, tzinfo=UTC), next_transition_at=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    assert run("transitions", "apply") == "1 transitions applied\n"
    assert run("transitions", "apply") == "0 transitions applied\n"


def test_a_responder_is_set_for_some_messages_only(mailbox: Mailbox, tmp_path: Path) -> None:
    Mailbox.objects.create(domain=mailbox.domain, local_part="ewa")
    text = tmp_path / "text.txt"
    text.write_text("Reklamację przyjęliśmy.")
    shown = run(
        "responder", "set", "anna@firma.example", "--type", "absence", "--subject", "x", "--text-file", str(text),
        "--word", "reklamacja", "--word", "zwrot", "--word-forms", "--audience", "others", "--only-from", "Example.com",
        "--once", "--deputy", "ewa@firma.example", "--copy-to-deputy",
    )  # fmt: skip
    assert "Only with the words: reklamacja, zwrot" in shown
    row = Responder.objects.get()
    assert (row.words, row.word_forms, row.senders) == (["reklamacja", "zwrot"], True, ["example.com"])
    assert (row.audience, row.answers_once, row.deputy_gets_copy) == ("others", True, True)
    refused = ["responder", "set", "anna@firma.example", "--type", "absence", "--subject", "x"]
    with pytest.raises(CommandError, match="deputy_address"):
        run(*refused, "--text-file", str(text), "--copy-to-deputy")


def test_an_alias_to_nobody_is_refused_whoever_has_the_domain(mailbox: Mailbox) -> None:
    Domain.objects.filter(name="firma.example").update(customer=Customer.objects.create(name="Firma", number="F1"))
    Domain.objects.create(name="inna.example")
    run("alias", "add", "biuro@firma.example", "anna@firma.example")
    for command in (["add", "info@firma.example"], ["set", "biuro@firma.example"]):
        with pytest.raises(CommandError, match="no mailbox has that address"):
            run("alias", *command, "nikt@inna.example")


def test_the_life_of_a_mailbox(mailbox: Mailbox) -> None:
    assert "suspended" in run("mailbox", "suspend", "anna@firma.example")
    mailbox.refresh_from_db()
    assert mailbox.suspended_at is not None
    run("mailbox", "resume", "anna@firma.example")
    run("mailbox", "quota", "anna@firma.example", "500")
    run("mailbox", "rename", "anna@firma.example", "Anna.Nowak")
    run("mailbox", "delete", "anna.nowak@firma.example")
    mailbox.refresh_from_db()
    assert (mailbox.suspended_at, mailbox.quota_mb, mailbox.address) == (None, 500, "anna.nowak@firma.example")
    assert mailbox.deleted_at is not None
    run("mailbox", "restore", "anna.nowak@firma.example")
    mailbox.refresh_from_db()
    assert mailbox.is_active
    run("alias", "set", "anna@firma.example", "jan@elsewhere.example")
    assert "anna@firma.example\tjan@elsewhere.example" in run("alias", "list")
    run("alias", "delete", "anna@firma.example")
    assert run("alias", "list") == ""
    assert run("alias", "list", "--deleted").startswith("anna@firma.example\tjan@elsewhere.example\tdeleted 20")
    told = json.loads(run("alias", "list", "--deleted", "--domain", "firma.example", "--json"))
    assert (told["address"], told["targets"]) == ("anna@firma.example", ["jan@elsewhere.example"])
    run("alias", "restore", "anna@firma.example")
    assert run("alias", "list") == "anna@firma.example\tjan@elsewhere.example\n"
    run("alias", "delete", "anna@firma.example")
    for arguments in (
        ["mailbox", "suspend", "nikt@firma.example"], ["mailbox", "quota", "anna.nowak@firma.example", "-5"],
        ["mailbox", "rename", "anna.nowak@firma.example", "a b"], ["alias", "delete", "nikt@firma.example"],
        ["alias", "restore", "nikt@firma.example"],
        ["alias", "restore", "nobody"],
        ["alias", "set", "anna@firma.example", "x"],
    ):  # fmt: skip
        with pytest.raises(CommandError) as error:
            run(*arguments)
        assert "\n" not in str(error.value)


def test_folders_of_nobody_are_found_and_removed(mailbox: Mailbox, tmp_path: Path) -> None:
    for name in ("firma.example/anna", "firma.example/dawno", "firma.example/kiedys"):
        (tmp_path / name / "Maildir").mkdir(parents=True)
    listed = run("mailbox", "orphans", "--mail-dir", str(tmp_path))
    assert listed.split() == [f"{tmp_path}/firma.example/{name}" for name in ("dawno", "kiedys")]
    with pytest.raises(CommandError, match="2 of 3 folders: is this the right database"):
        run("mailbox", "orphans", "--mail-dir", str(tmp_path), "--remove")
    run("mailbox", "orphans", "--mail-dir", str(tmp_path), "--remove", "--force")
    assert [path.name for path in (tmp_path / "firma.example").iterdir()] == ["anna"]
    with pytest.raises(CommandError, match="is not a folder"):
        run("mailbox", "orphans", "--mail-dir", str(tmp_path / "nowhere"))
