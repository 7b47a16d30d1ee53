"""Many customers, domains, mailboxes and aliases from a file on the command line."""

import csv
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import OperationalError

from mailboxes import services
from mailboxes.files import address_files
from mailboxes.management.commands import fromfile
from mailboxes.models import Alias, Customer, Domain, LogLine, Mailbox, User
from tests.services.test_commands import run

pytestmark = pytest.mark.django_db


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "in.csv"
    path.write_text(text)
    return str(path)


def passwords_in(path: Path) -> dict[str, str]:
    with path.open(newline="") as opened:
        return dict(csv.reader(opened))  # type: ignore[arg-type]  # rows of two


def test_a_company_moves_in(tmp_path: Path) -> None:
    run("fromfile", "customers", written(tmp_path, "number,name,max_mailboxes\nK-1,Firma,900\n"))
    run("fromfile", "domains", written(tmp_path, "domain,customer,quota_mb\nżółw.example,K-1,500\n"))
    text = "address,name,quota_mb,targets\nbiuro@żółw.example,,,anna@żółw.example\n"
    text += "".join(f"m{number}@żółw.example,M {number},,\n" for number in range(250)) + "anna@żółw.example,Anna,700,\n"
    passwords = tmp_path / "passwords.csv"
    out = run("fromfile", "addresses", written(tmp_path, text), "--passwords", str(passwords))
    assert out == "200 of 252 made\n252 of 252 made\n"
    domain = Domain.objects.get(customer__number="K-1")
    assert Mailbox.objects.filter(domain=domain).count() == 251
    assert Mailbox.objects.get(local_part="anna").quota_mb == 700
    assert [str(row) for row in Alias.objects.get().targets.all()] == ["anna@żółw.example"]
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600
    told = passwords_in(passwords)
    assert len(told) == 251
    assert User.objects.get(email="anna@xn--w-uga1v8h.example").check_password(told["anna@xn--w-uga1v8h.example"])
    assert set(LogLine.objects.values_list("way", flat=True)) == {"command"}


def test_a_hash_of_another_system_opens_the_mailbox(tmp_path: Path, mailbox: Mailbox) -> None:
    """And no file for passwords is asked for. Weak ones, and what Dovecot does not know, are not taken."""
    text = "address,password_hash\njan@firma.example,{PLAIN}a long enough pass phrase\n"
    run("fromfile", "addresses", written(tmp_path, text))
    assert User.objects.get(email="jan@firma.example").check_password("a long enough pass phrase")
    for bad in ("{MD5}0123456789abcdef0123456789abcdef", "5f4dcc3b5aa765d61d8327deb882cf99", "{NEW}x", "!"):
        out, error = refused(
            "fromfile", "addresses", written(tmp_path, f"address,password_hash\newa@firma.example,{bad}\n")
        )
        assert out == "ewa@firma.example\tThis is no hash of a password that is taken over.\n"
        assert "nothing was made" in str(error)


def test_a_page_takes_no_hashes(mailbox: Mailbox) -> None:
    kind = address_files.kind_for(Domain.objects.all(), sets_limits=True)
    assert kind.read(b"address,password_hash\njan@firma.example,{PLAIN}x\n") == [{"address": "jan@firma.example"}]


def test_a_large_group_goes_by_the_command_and_one_that_postfix_would_not_lead_on_does_not(
    tmp_path: Path, mailbox: Mailbox
) -> None:
    people = [f"x{number}@elsewhere.example" for number in range(services.MAX_TARGETS_AT_ALL + 1)]
    path = tmp_path / "groups.csv"
    path.write_text(f"address,targets\nwielu@firma.example,{' '.join(people[:500])}\n")
    run("fromfile", "addresses", path)
    assert Alias.objects.get().targets.count() == 500
    path.write_text(f"address,targets\nwszyscy@firma.example,{' '.join(people)}\n")
    with pytest.raises(CommandError):
        run("fromfile", "addresses", path)
    with pytest.raises(services.MailboxesError, match="1000 targets"):
        services.add_alias("wszyscy@firma.example", people)
    with pytest.raises(services.MailboxesError, match="1000 targets"):
        services.set_targets(Alias.objects.get(), people, actor=None)
    assert Alias.objects.get().targets.count() == 500


def test_a_dry_run_says_what_would_be_made(tmp_path: Path, mailbox: Mailbox) -> None:
    file = written(tmp_path, "address,name\njan@firma.example,Jan\n")
    assert run("fromfile", "addresses", file, "--dry-run") == (
        "jan@firma.example\tMailbox · Jan\n1 lines would be made; this was a dry run\n"
    )
    told = json.loads(run("fromfile", "addresses", file, "--dry-run", "--json"))
    assert told == {"key": "jan@firma.example", "problem": "", "would": "Mailbox · Jan"}
    assert Mailbox.objects.count() == 1


def test_nothing_is_made_while_a_line_cannot_be(tmp_path: Path, mailbox: Mailbox) -> None:
    file = written(tmp_path, "address\njan@firma.example\nanna@firma.example\nx@inna.example\n")
    out, error = refused("fromfile", "addresses", file, "--passwords", str(tmp_path / "passwords"))
    assert out.splitlines() == [
        "anna@firma.example\tanna@firma.example is a mailbox already",
        "x@inna.example\tThis is not a domain that you manage.",
    ]
    assert str(error) == "nothing was made: 2 of 3 lines cannot be"
    assert Mailbox.objects.count() == 1
    assert not (tmp_path / "passwords").exists()


def refused(*arguments: str) -> tuple[str, CommandError]:
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        run(*arguments, out=out)
    assert "\n" not in str(caught.value)
    return out.getvalue(), caught.value


def test_whoever_was_stopped_half_way_goes_on(
    tmp_path: Path, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The passwords of what was made are in the file; what failed left none of its mailboxes behind."""
    monkeypatch.setattr(fromfile, "AT_ONCE", 2)
    text = "address,targets\n" + "".join(f"m{number}@firma.example,\n" for number in range(5))
    file = written(tmp_path, text + "biuro@firma.example,m4@firma.example\n")
    passwords = tmp_path / "passwords.csv"
    add = services.add_mailbox

    def fails_at_the_fourth(address: str, **more: Any) -> Mailbox:
        if address.startswith("m3"):
            raise OperationalError("the server\nis gone")
        return add(address, **more)

    monkeypatch.setattr(services, "add_mailbox", fails_at_the_fourth)
    _out, error = refused("fromfile", "addresses", file, "--passwords", str(passwords))
    assert str(error) == "2 of 6 were made, go on with --go-on: the server is gone"
    assert error.returncode == 3
    assert Mailbox.objects.count() == 3
    monkeypatch.setattr(services, "add_mailbox", add)
    run("fromfile", "addresses", file, "--passwords", str(passwords), "--go-on")
    assert (Mailbox.objects.count(), Alias.objects.count()) == (6, 1)
    told = passwords_in(passwords)
    assert len(told) == 5
    for user in User.objects.filter(email__startswith="m"):
        assert user.check_password(told[user.email])
    assert run("fromfile", "addresses", file, "--go-on") == ""
    Alias.objects.all().delete()
    Mailbox.objects.filter(local_part="m0").update(deleted_at="2026-01-01T00:00Z", is_active=False)
    out, _error = refused("fromfile", "addresses", file, "--go-on")  # another thing than the file says has the address
    assert out == "m0@firma.example\tm0@firma.example is a mailbox already\n"


def test_to_go_on_leaves_no_difference_out(tmp_path: Path) -> None:
    run("customer", "add", "K-1", "Firma")
    run("customer", "add", "K-2", "Inna")
    run("domain", "add", "firma.example", "--customer", "K-1")
    for kind, same, other in (
        ("customers", "number,name\nK-1,Firma\n", "number,name\nK-1,Inna\n"),
        ("domains", "domain,customer\nfirma.example,K-1\n", "domain,customer\nfirma.example,K-2\n"),
    ):
        assert run("fromfile", kind, written(tmp_path, same), "--go-on") == ""
        assert "\t" in refused("fromfile", kind, written(tmp_path, other), "--go-on")[0]
    assert Customer.objects.count() == 2


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("address\n", [], "has no lines besides the first"),
        ("name\nx\n", [], "one of them must be “address”"),
        ("address\njan@firma.example\n", [], "say by --passwords into which file"),
        ("address\njan@firma.example\n", ["--passwords", "/dev/null"], "is there already"),
        ("address\njan@firma.example\n", ["--passwords", "/nonexistent/x"], "No such file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, mailbox: Mailbox, text: str, more: list[str], words: str
) -> None:
    assert words in str(refused("fromfile", "addresses", written(tmp_path, text), *more)[1])
    assert Mailbox.objects.count() == 1


def test_passwords_go_into_no_file_that_others_read_and_none_by_a_link(tmp_path: Path, mailbox: Mailbox) -> None:
    file = written(tmp_path, "address\njan@firma.example\n")
    open_to_all, link = tmp_path / "open", tmp_path / "link"
    open_to_all.touch(mode=0o644)
    link.symlink_to(tmp_path / "elsewhere")
    for path, words in (
        (str(open_to_all), "others than you"),
        (str(link), "symbolic links"),
        (file, "is the file that"),
    ):
        assert words in str(refused("fromfile", "addresses", file, "--passwords", path, "--go-on")[1])
    assert not (tmp_path / "elsewhere").exists()
    assert Mailbox.objects.count() == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in str(refused("fromfile", "customers", str(tmp_path / "none.csv"))[1])
