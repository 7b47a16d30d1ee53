"""Two commands do the same at one moment: both did it, or the second says in one line why not."""

import csv
import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.utils import timezone

from mailboxes import customers, races, services
from mailboxes.deletion import deleted_aliases
from mailboxes.domain_dns import claims
from mailboxes.management.commands import fromfile
from mailboxes.models import Alias, Customer, Mailbox, User
from tests.web.test_somebody_was_faster import deadlock, is_waited_for, somebody

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _anna(roles: None) -> None:
    services.add_mailbox("anna@firma.example", create_domain=True)
    services.add_alias("dzial@firma.example", ["anna@firma.example"])
    Customer.objects.create(number="K-1", name="Firma")


def dzial() -> Alias:
    return Alias.objects.get(address="dzial@firma.example")


def said(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("does", "command", "words"),
    [
        (
            lambda: services.add_mailbox("jan@firma.example"), "mailbox add jan@firma.example",
            "jan@firma.example is a mailbox already",
        ),
        (
            lambda: services.add_alias("biuro@firma.example", ["anna@firma.example"]),
            "mailbox add biuro@firma.example", "biuro@firma.example is an alias already",
        ),
        (
            lambda: services.add_mailbox("biuro@firma.example"), "alias add biuro@firma.example anna@firma.example",
            "biuro@firma.example is a mailbox already",
        ),
        (
            lambda: claims.add_domain(None, "nowa.example", actor=None), "domain add nowa.example",
            "The panel has this domain already.",
        ),
        (
            lambda: customers.add_customer("K-2", "Druga", actor=None), "customer add K-2 Druga",
            "Another customer has this number.",
        ),
        (
            lambda: deleted_aliases.delete_alias(dzial(), now=timezone.now(), actor=None),
            "alias set dzial@firma.example jan@poczta.example", "dzial@firma.example is not an alias",
        ),
    ],
    ids=["mailbox", "an alias and a mailbox", "a mailbox and an alias", "domain", "customer", "gone"],
)  # fmt: skip
def test_who_comes_second_is_told_in_one_line(does: Callable[[], object], command: str, words: str) -> None:
    with somebody(does), pytest.raises(CommandError) as told:
        said(*command.split())
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_two_mailboxes_in_a_domain_that_each_makes_are_both_there() -> None:
    with somebody(lambda: services.add_mailbox("jan@nowa.example", create_domain=True)):
        assert "added" in said("mailbox", "add", "ewa@nowa.example", "--create-domain")
    assert Mailbox.objects.filter(domain="nowa.example").count() == 2


def test_two_who_wait_for_each_other_both_get_there() -> None:
    """The database ends the wait of one; whichever it is, the command does its work."""
    boss = User.objects.create_user("szefowa@elsewhere.example")

    def cross() -> None:
        with transaction.atomic():
            User.objects.select_for_update().get(pk=boss.pk)
            holds.set()
            while not over.is_set() and not is_waited_for():
                time.sleep(0.01)
            Customer.objects.select_for_update().get(number="K-1")

    def other() -> None:
        try:
            races.twice(cross)
        finally:
            connections.close_all()

    holds, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    holds.wait()
    try:
        said("customer", "set", "K-1", "--name", "Firma po zmianie", "--administrator", boss.email)
    finally:
        over.set()
        thread.join()
    assert list(Customer.objects.get(number="K-1").administrators.all()) == [boss]


def test_a_file_whose_line_another_makes_meanwhile_goes_on_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, passwords = tmp_path / "rows.csv", tmp_path / "passwords.csv"
    rows.write_text("address,name\njan@firma.example,Jan\newa@firma.example,Ewa\n")
    command = ["fromfile", "addresses", str(rows), "--passwords", str(passwords)]
    step = fromfile._step

    def after_another(*arguments: Any) -> None:
        monkeypatch.setattr(fromfile, "_step", step)
        services.add_mailbox("jan@firma.example")
        step(*arguments)

    monkeypatch.setattr(fromfile, "_step", after_another)
    with pytest.raises(CommandError) as told:
        said(*command)
    assert "0 of 2 were made, go on with --go-on: jan@firma.example is a mailbox already" in str(told.value)
    assert "1 of 1 made" in said(*command, "--go-on")
    assert [row[0] for row in csv.reader(passwords.read_text().splitlines())][-1] == "ewa@firma.example"


def test_a_step_of_a_file_that_the_database_ended_is_made_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("address,targets\nbiuro@firma.example,anna@firma.example\n")
    step, errors = fromfile._step, [deadlock()]

    def at_first_in_vain(*arguments: Any) -> None:
        step(*arguments)
        if errors:
            Alias.objects.get(address="biuro@firma.example").delete()
            raise errors.pop()

    monkeypatch.setattr(fromfile, "_step", at_first_in_vain)
    assert "1 of 1 made" in said("fromfile", "addresses", str(rows))
    assert Alias.objects.filter(address="biuro@firma.example").count() == 1
