"""A mailbox is not called as what mail servers take for a sub-address of another one; an alias may be."""

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from mailboxes import hosting, services
from mailboxes.files import address_files
from mailboxes.models import Alias, Domain, Mailbox
from mailboxes.services import MailboxesError

pytestmark = pytest.mark.django_db
WORDS = "such mail goes to “sklep”"


def test_no_mailbox_is_made_or_renamed_so(mailbox: Mailbox) -> None:
    with pytest.raises(MailboxesError, match=WORDS):
        services.add_mailbox("sklep+biuro@firma.example")
    with pytest.raises(MailboxesError, match=WORDS):
        hosting.rename(mailbox, "sklep+biuro", actor=None)
    with pytest.raises(ValidationError, match=WORDS):
        Mailbox(domain=mailbox.domain, local_part="sklep+biuro").full_clean(exclude=["address"])
    assert Mailbox.objects.get() == mailbox


def test_an_alias_is(mailbox: Mailbox) -> None:
    services.add_alias("sklep+biuro@firma.example", [mailbox.address])
    assert Alias.objects.get().address == "sklep+biuro@firma.example"


def test_without_a_delimiter_it_is_an_address_as_any_other(settings: Settings, mailbox: Mailbox) -> None:
    settings.RECIPIENT_DELIMITER = ""
    assert services.add_mailbox("sklep+biuro@firma.example").domain == mailbox.domain


def test_one_of_old_is_changed_and_renamed_as_ever(mailbox: Mailbox) -> None:
    Mailbox.objects.update(local_part="sklep+biuro")
    mailbox.refresh_from_db()
    mailbox.name = "Sklep"
    mailbox.full_clean(exclude=["address"])
    hosting.rename(mailbox, "sklep", actor=None)
    assert Alias.objects.get().address == "sklep+biuro@firma.example"


def test_a_file_says_so_of_the_line_of_a_mailbox_alone(mailbox: Mailbox) -> None:
    rows = [
        {"address": "sklep+biuro@firma.example"}, {"address": "sklep+anna@firma.example", "targets": mailbox.address}
    ]  # fmt: skip
    bad, good = address_files.plan(rows, Domain.objects.all(), sets_limits=True)
    assert (WORDS in bad.problem, good.problem) == (True, "")


@pytest.mark.parametrize("local_part", ["-f", "???", "a*b"])
def test_nor_as_what_mail_servers_take_for_something_else(mailbox: Mailbox, local_part: str) -> None:
    """An option of a command, or a mask of colleagues' names."""
    with pytest.raises(MailboxesError, match="for something else"):
        services.add_mailbox(f"{local_part}@firma.example")
    with pytest.raises(MailboxesError, match="for something else"):
        hosting.rename(mailbox, local_part, actor=None)
    [line] = address_files.plan([{"address": f"{local_part}@firma.example"}], Domain.objects.all(), sets_limits=True)
    assert "for something else" in line.problem
    services.add_alias(f"{local_part}@firma.example", [mailbox.address])
    Alias.objects.all().delete()
    Mailbox.objects.update(local_part=local_part)  # one of old is changed as ever
    mailbox.refresh_from_db()
    mailbox.full_clean(exclude=["address"])
