"""Mailboxes and aliases from the command line: all that the pages and the administration do."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from mailboxes import hosting, services
from mailboxes.models import Alias, AppPassword, Domain, LogLine, Mailbox, User
from tests.services.test_commands import run

pytestmark = pytest.mark.django_db


def told_of(address: str) -> dict[str, object]:
    told: dict[str, object] = json.loads(run("mailbox", "show", address, "--json"))
    return told


def test_all_that_is_set_is_shown(mailbox: Mailbox) -> None:
    jan = User.objects.create_user("jan@firma.example")
    run(
        "mailbox", "set", "Anna@Firma.example", "--name", "Anna N.", "--language", "en", "--time-zone", "Europe/London",
        "--holiday-country", "GB", "--receives", "no", "--owner", jan.email, "--quota-mb", "700",
        "--replies-per-hour", "0", "--recipients-per-hour", "9", "--recipients-per-day", "99",
    )  # fmt: skip
    wanted = {
        "address": "anna@firma.example", "name": "Anna N.", "language": "en", "time_zone": "Europe/London",
        "holiday_country": "GB", "is_active": False, "owner_email": jan.email, "quota_mb": 700, "replies_per_hour": 0,
        "recipients_per_hour": 9, "recipients_per_day": 99, "suspended_at": None, "deleted_at": None,
    }  # fmt: skip
    assert told_of(mailbox.address).items() >= wanted.items()
    assert "recipients_per_hour\t9\n" in run("mailbox", "show", mailbox.address)
    assert run("mailbox", "list") == "anna@firma.example\tAnna N.\ten\tEurope/London\toff\n"
    run("mailbox", "set", mailbox.address, "--quota-mb", "", "--recipients-per-day", "", "--owner", "")
    assert (told_of(mailbox.address)["quota_mb"], told_of(mailbox.address)["owner_email"]) == (None, None)
    assert LogLine.objects.filter(way="command", model="mailboxes.mailbox").count() == 2


def test_a_new_password_is_printed_and_opens(mailbox: Mailbox, anna: User) -> None:
    hosting.make_app_password(mailbox, "Telefon", actor=None)
    password = run("mailbox", "password", mailbox.address).strip()
    anna.refresh_from_db()
    assert anna.check_password(password)
    assert not AppPassword.objects.exists()


def test_a_sign_in_is_closed_and_opened(mailbox: Mailbox, anna: User) -> None:
    for allowed, is_active in (("no", False), ("yes", True)):
        run("mailbox", "sign-in", mailbox.address, allowed)
        anna.refresh_from_db()
        assert anna.is_active is is_active


def test_mail_goes_to_a_colleague_and_stays_again(mailbox: Mailbox) -> None:
    jan = services.add_mailbox("jan@firma.example")
    run("mailbox", "successor", mailbox.address, jan.address)
    assert told_of(mailbox.address)["successor_address"] == jan.address
    run("mailbox", "successor", mailbox.address)
    assert (told_of(mailbox.address)["successor_address"], told_of(mailbox.address)["successor_from"]) == (None, None)
    services.add_mailbox("x@inna.example", create_domain=True)
    with pytest.raises(CommandError, match="not a mailbox of the same company"):
        run("mailbox", "successor", mailbox.address, "x@inna.example")


def test_what_was_deleted_is_listed_and_goes_for_good(mailbox: Mailbox) -> None:
    with pytest.raises(CommandError, match="is not deleted"):
        run("mailbox", "purge", mailbox.address)
    run("mailbox", "delete", mailbox.address)
    assert run("mailbox", "list") == ""
    [told] = [json.loads(line) for line in run("mailbox", "list", "--deleted", "--json").splitlines()]
    assert (told["address"], bool(told["deleted_at"])) == (mailbox.address, True)
    for arguments in (["set", mailbox.address, "--receives", "yes"], ["password", mailbox.address]):
        with pytest.raises(CommandError, match="deleted"):
            run("mailbox", *arguments)
    assert run("mailbox", "purge", mailbox.address) == "anna@firma.example: deleted for good\n"
    assert not Mailbox.objects.exists()


def test_who_is_suspended_receives_no_mail_by_another_way(mailbox: Mailbox) -> None:
    hosting.suspend(mailbox, now=timezone.now() - timedelta(days=1), actor=None)
    with pytest.raises(CommandError, match="suspended or deleted"):
        run("mailbox", "set", mailbox.address, "--receives", "yes")


def test_a_list_is_of_one_domain_however_it_is_written() -> None:
    services.add_mailbox("anna@żółw.example", create_domain=True)
    services.add_mailbox("jan@firma.example", create_domain=True)
    services.add_alias("biuro@żółw.example", ["anna@żółw.example"])
    services.add_alias("biuro@firma.example", ["jan@firma.example"])
    for command in ("mailbox", "alias"):
        assert [line.partition("@")[2].partition("\t")[0] for line in
                run(command, "list", "--domain", "Żółw.example").splitlines()] == ["xn--w-uga1v8h.example"]  # fmt: skip
        with pytest.raises(CommandError, match="is not a domain of this panel"):
            run(command, "list", "--domain", "nowhere.example")


def test_an_alias_receives_no_mail_and_does_again(mailbox: Mailbox) -> None:
    services.add_alias("biuro@firma.example", [mailbox.address])
    assert run("alias", "receives", "biuro@firma.example", "no") == "biuro@firma.example: receives no mail\n"
    assert run("alias", "list") == "biuro@firma.example\tanna@firma.example\toff\n"
    assert json.loads(run("alias", "list", "--json")) == {
        "address": "biuro@firma.example", "targets": ["anna@firma.example"], "is_active": False,
    }  # fmt: skip
    run("alias", "receives", "biuro@firma.example", "yes")
    assert Alias.objects.get().is_active


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["set", "anna@firma.example"], "nothing was named"),
        (["set", "anna@firma.example", "--quota-mb", "0"], "quota_mb: a number from 1 to"),
        (["set", "anna@firma.example", "--time-zone", "Warsaw"], "time_zone: .*is not a time zone"),
        (["set", "anna@firma.example", "--holiday-country", "XX"], "holiday_country: "),
        (["set", "anna@firma.example", "--name", "x" * 201], "name: "),
        (["set", "anna@firma.example", "--owner", "nobody@x.example"], "nobody signs in as"),
        (["show", "nobody@firma.example"], "is not a mailbox"),
        (["successor", "anna@firma.example", "anna@firma.example"], "not a mailbox of the same company"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(mailbox: Mailbox, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words) as caught:
        run("mailbox", *arguments)
    assert "\n" not in str(caught.value)
    assert Domain.objects.count() == 1


def test_a_mailbox_without_an_owner_has_no_sign_in(mailbox: Mailbox) -> None:
    Mailbox.objects.update(owner=None)
    with pytest.raises(CommandError, match="has no owner"):
        run("mailbox", "sign-in", mailbox.address, "no")


def test_links_are_listed_and_ended(mailbox: Mailbox, anna: User) -> None:
    jan = User.objects.create_user("jan@firma.example")
    mailbox.links.create(user=jan, owner=anna, made_at=timezone.now())
    told = json.loads(run("mailbox", "links", mailbox.address, "--json"))
    assert (told["user_email"], told["counts"], told["end"]) == (jan.email, True, "")
    assert run("mailbox", "links", mailbox.address).split("\t")[::2] == [jan.email, "open\n"]
    run("mailbox", "unlink", mailbox.address, jan.email)
    assert run("mailbox", "links", mailbox.address).endswith("\tmanager\n")
    with pytest.raises(CommandError, match="is not linked"):
        run("mailbox", "unlink", mailbox.address, jan.email)


def test_a_mailbox_gets_a_sign_in_of_its_own_that_is_printed(mailbox: Mailbox, anna: User) -> None:
    info = Mailbox.objects.create(domain=mailbox.domain, local_part="info", owner=anna)
    password = run("mailbox", "own-sign-in", info.address).strip()
    assert User.objects.get(email=info.address).check_password(password)
    assert told_of(info.address)["owner_email"] == info.address
    with pytest.raises(CommandError, match="already"):
        run("mailbox", "own-sign-in", info.address)
