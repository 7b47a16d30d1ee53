"""Domains, aliases and the life of a mailbox in the panel, as a customer's administrator and as staff."""

import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from mailboxes import hosting, services, tasks
from mailboxes.models import Alias, AppPassword, Customer, Domain, LogLine, Mailbox, User
from responders.services import database_now
from tests.conftest import PASSWORD
from tests.web.test_company import as_boss, boss, company

__all__ = ["as_boss", "boss", "company"]  # fixtures


@pytest.fixture
def domain(mailbox: Mailbox) -> str:
    return reverse("domain", args=["firma.example"])


def targets(alias: Alias) -> list[str]:
    return services.targets_of(alias)


# --- Aliases ---


def test_she_makes_changes_and_deletes_an_alias(as_boss: Client, boss: User, domain: str) -> None:
    new = reverse("alias_new", args=["firma.example"])
    typed = {"local_part": "Biuro", "targets": "anna@firma.example\njan@elsewhere.example", "is_active": "on"}
    assert as_boss.post(new, typed)["Location"] == domain
    alias = Alias.objects.get()
    assert (alias.address, targets(alias)) == ("biuro@firma.example", ["anna@firma.example", "jan@elsewhere.example"])
    assert "biuro@firma.example" in as_boss.get(domain).text
    page = reverse("alias_edit", args=[alias.pk])
    alias.targets.filter(mailbox__isnull=False).update(is_own_address=True)
    as_boss.post(page, {"targets": "anna@firma.example, ewa@elsewhere.example"})
    alias.refresh_from_db()
    assert (targets(alias), alias.is_active) == (["anna@firma.example", "ewa@elsewhere.example"], False)
    assert alias.targets.get(mailbox__isnull=False).is_own_address  # what the owner said stays
    as_boss.post(page, {"delete": "1"})
    assert not Alias.objects.exists()
    assert LogLine.objects.filter(actor=boss).count() == 5


def test_what_she_deleted_is_undone_by_a_button(as_boss: Client, mailbox: Mailbox, domain: str) -> None:
    alias = services.add_alias("biuro@firma.example", [mailbox.address])
    page = as_boss.post(reverse("alias_edit", args=[alias.pk]), {"delete": "1"}, follow=True)
    undo = reverse("alias_restore", args=[alias.pk])
    assert page.text.count(f'action="{undo}"') == 2  # in the message, and among what was deleted
    assert as_boss.get(undo)["Location"] == domain  # a GET changes nothing
    assert not Alias.objects.exists()
    assert "is back, with its targets" in as_boss.post(undo, follow=True).text
    assert targets(Alias.objects.get()) == ["anna@firma.example"]
    assert as_boss.post(undo).status_code == 404  # twice


def test_an_address_that_is_taken_is_told_kindly(as_boss: Client, mailbox: Mailbox, domain: str) -> None:
    alias = services.add_alias("biuro@firma.example", [mailbox.address])
    as_boss.post(reverse("alias_edit", args=[alias.pk]), {"delete": "1"})
    services.add_mailbox("biuro@firma.example")
    page = as_boss.post(reverse("alias_restore", args=[alias.pk]), follow=True)
    assert "was given to somebody else meanwhile" in page.text
    assert not Alias.objects.exists()


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"local_part": "anna"}, "local_part"), ({"local_part": "żółw"}, "local_part"),
        ({"local_part": "a b"}, "local_part"), ({"targets": ""}, "targets"), ({"targets": "nikt"}, "targets"),
        ({"targets": "nikt@firma.example"}, "targets"), ({"targets": "x@autoreply.invalid"}, "targets"),
        ({"targets": "a@b.example " * 201}, "targets"), ({"targets": " ,; "}, "targets"),
    ],
)  # fmt: skip
def test_a_mistake_stands_beside_its_field(as_boss: Client, domain: str, typed: dict[str, str], field: str) -> None:
    answer = as_boss.post(
        reverse("alias_new", args=["firma.example"]),
        {"local_part": "biuro", "targets": "anna@firma.example", "is_active": "on"} | typed,
    )
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {field}
    assert not Alias.objects.exists()


def test_a_larger_group_that_a_command_made_is_edited_and_grows_no_more(as_boss: Client, domain: str) -> None:
    people = [f"x{number}@elsewhere.example" for number in range(services.MAX_TARGETS + 2)]
    page = reverse("alias_edit", args=[services.add_alias("grupa@firma.example", people[:-1]).pk])
    assert as_boss.post(page, {"targets": "\n".join(people), "is_active": "on"}).status_code == 422
    assert as_boss.post(page, {"targets": "\n".join(people[:-1])}).status_code == 302
    assert not Alias.objects.get().is_active
    assert Alias.objects.get().targets.count() == services.MAX_TARGETS + 1


def test_an_alias_does_not_lead_to_an_alias(as_boss: Client, domain: str) -> None:
    services.add_alias("biuro@firma.example", ["anna@firma.example"])
    typed = {"local_part": "info", "targets": "biuro@firma.example", "is_active": "on"}
    assert as_boss.post(reverse("alias_new", args=["firma.example"]), typed).status_code == 422


def test_a_wrong_target_is_explained_in_the_readers_language(as_boss: Client, domain: str) -> None:
    typed = {"local_part": "info", "targets": "łąka", "is_active": "on"}
    answer = as_boss.post(reverse("alias_new", args=["firma.example"]), typed, headers={"accept-language": "pl"})
    assert answer.context["form"].errors["targets"] == ["łąka: adres ma postać nazwa@domena"]


@pytest.mark.parametrize("local_part", ["obcy", "nikt", "biuro", "dawny"])
def test_she_does_not_find_out_who_is_at_another_company(
    as_boss: Client, somebody_elses: Mailbox, domain: str, local_part: str
) -> None:
    """A mailbox, nobody, an alias, a deleted mailbox: all the same, as of any address elsewhere."""
    services.add_alias("biuro@inna.example", ["obcy@inna.example"])
    gone = Mailbox.objects.create(domain=somebody_elses.domain, local_part="dawny")
    hosting.delete_mailbox(gone, now=database_now(), actor=None)
    target = f"{local_part}@inna.example"
    new = reverse("alias_new", args=["firma.example"])
    assert as_boss.post(new, {"local_part": "do", "targets": target, "is_active": "on"})["Location"] == domain
    row = Alias.objects.get(address="do@firma.example").targets.get()
    assert (row.mailbox, row.outside_address) == (None, target)
    page = reverse("alias_edit", args=[row.alias_id])
    assert as_boss.get(page).context["form"]["targets"].value() == target
    assert as_boss.post(page, {"targets": f"{target} anna@firma.example", "is_active": "on"}).status_code == 302
    as_boss.post(reverse("address_import"), {"text": f"address;targets\nz@firma.example;{target}", "make": "1"})
    assert targets(Alias.objects.get(address="z@firma.example")) == [target]


def test_staff_and_her_own_company_are_told_of_a_slip(
    as_boss: Client, as_support: Client, company: Customer, somebody_elses: Mailbox, mailbox: Mailbox
) -> None:
    new = reverse("alias_new", args=["firma.example"])
    typed = {"local_part": "do", "is_active": "on"}
    assert as_support.post(new, typed | {"targets": "nikt@inna.example"}).status_code == 422
    own = Domain.objects.create(name="firma-dwa.example", customer=company)
    assert as_boss.post(new, typed | {"targets": "nikt@firma-dwa.example"}).status_code == 422
    there = Mailbox.objects.create(domain=own, local_part="jan")
    as_boss.post(new, typed | {"targets": "jan@firma-dwa.example"})
    assert Alias.objects.get().targets.get().mailbox == there


# --- Domains ---


def test_she_sets_the_catch_all_and_no_limits(as_boss: Client, domain: str) -> None:
    assert as_boss.post(domain, {"catch_all": "anna", "quota_mb": "5", "max_mailboxes": "1"}).status_code == 302
    row = Domain.objects.get(name="firma.example")
    assert (str(row.catch_all), row.quota_mb, row.max_mailboxes) == ("anna@firma.example", None, None)
    assert as_boss.post(domain, {"catch_all": "nikt@firma.example"}).status_code == 422
    as_boss.post(domain, {"catch_all": ""})
    row.refresh_from_db()
    assert row.catch_all is None


def test_she_chooses_that_replies_have_a_bounce_address(as_boss: Client, boss: User, domain: str) -> None:
    assert not Domain.objects.get(name="firma.example").has_bounce_address
    as_boss.post(domain, {"catch_all": "", "has_bounce_address": "on"})
    assert Domain.objects.get(name="firma.example").has_bounce_address
    assert LogLine.objects.get(actor=boss).words == "has_bounce_address: False → True"
    assert re.search(r'name="has_bounce_address"[^>]*checked', as_boss.get(domain).text)
    as_boss.post(domain, {"catch_all": ""})
    assert not Domain.objects.get(name="firma.example").has_bounce_address


def test_staff_set_limits_that_hold(as_support: Client, as_boss: Client, domain: str) -> None:
    as_support.post(domain, {"catch_all": "", "quota_mb": "500", "max_mailboxes": "1"})
    assert Domain.objects.get(name="firma.example").quota_mb == 500
    made = {"local_part": "jan", "domain": "firma.example", "name": "", "language": "pl"}
    answer = as_boss.post(reverse("mailbox_new"), made)
    assert answer.status_code == 422
    assert "1" in str(answer.context["form"].errors)
    assert not Mailbox.objects.filter(local_part="jan").exists()


def test_only_staff_suspend(as_boss: Client, as_support: Client, mailbox: Mailbox, domain: str) -> None:
    as_boss.post(domain, {"suspend": "1"})
    assert Domain.objects.get(name="firma.example").suspended_at is None
    as_support.post(domain, {"suspend": "1"})
    assert not Domain.objects.get(name="firma.example").is_active
    assert "note-warning" in as_boss.get(domain).text
    as_support.post(domain, {"resume": "1"})
    assert Domain.objects.get(name="firma.example").is_active
    page = reverse("mailbox_suspend", args=[mailbox.pk])
    assert as_boss.post(page, {"suspend": "1"}).status_code == 404
    as_support.post(page, {"suspend": "1"})
    as_support.post(page, {"suspend": "1"})
    mailbox.refresh_from_db()
    assert mailbox.refuses_from is not None
    assert mailbox.suspended_at is not None
    assert mailbox.refuses_from - mailbox.suspended_at == timedelta(days=7)
    shown = as_boss.get(reverse("mailbox_settings", args=[mailbox.pk]))
    assert "is_active" not in shown.context["form"].fields
    as_support.post(page, {"resume": "1"})
    mailbox.refresh_from_db()
    assert (mailbox.is_active, mailbox.suspended_at) == (True, None)


def test_the_database_knows_no_suspended_mailbox_that_receives_mail(mailbox: Mailbox) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Mailbox.objects.filter(pk=mailbox.pk).update(suspended_at=database_now())


# --- Another address ---


def test_a_mailbox_gets_another_address_and_back(as_boss: Client, client: Client, mailbox: Mailbox) -> None:
    page, home = reverse("mailbox_rename", args=[mailbox.pk]), mailbox.home
    assert as_boss.post(page, {"local_part": "Anna.Nowak"}).status_code == 302
    mailbox.refresh_from_db()
    assert (mailbox.address, mailbox.home) == ("anna.nowak@firma.example", home)
    assert targets(Alias.objects.get(address="anna@firma.example")) == ["anna.nowak@firma.example"]
    assert client.login(username="anna.nowak@firma.example", password=PASSWORD)
    as_boss.post(page, {"local_part": "anna"})
    mailbox.refresh_from_db()
    assert mailbox.address == "anna@firma.example"
    assert [alias.address for alias in Alias.objects.all()] == ["anna.nowak@firma.example"]


@pytest.mark.parametrize("local_part", ["ewa", "biuro", "żółw", "", "a" * 65, "a@b", "..", "szefowa"])
def test_an_address_that_cannot_be_had_is_refused(as_boss: Client, mailbox: Mailbox, local_part: str) -> None:
    Mailbox.objects.create(domain=mailbox.domain, local_part="ewa")
    services.add_alias("biuro@firma.example", ["ewa@firma.example"])
    answer = as_boss.post(reverse("mailbox_rename", args=[mailbox.pk]), {"local_part": local_part})
    assert answer.status_code == 422
    mailbox.refresh_from_db()
    assert mailbox.address == "anna@firma.example"


def test_who_opens_more_than_the_mailbox_keeps_the_name_to_sign_in_with(
    as_boss: Client, as_support: Client, mailbox: Mailbox, anna: User
) -> None:
    page = reverse("mailbox_rename", args=[mailbox.pk])
    User.objects.filter(pk=anna.pk).update(is_staff=True)
    refused = as_boss.post(page, {"local_part": "anna.nowak"})
    assert refused.status_code == 422
    assert list(refused.context["form"].errors) == ["local_part"]
    assert User.objects.get(pk=anna.pk).email == "anna@firma.example"
    assert as_support.post(page, {"local_part": "anna.nowak"}).status_code == 302
    assert User.objects.get(pk=anna.pk).email == "anna.nowak@firma.example"


def test_another_company_does_not_learn_the_new_address(
    as_boss: Client, mailbox: Mailbox, somebody_elses: Mailbox, domain: str
) -> None:
    """Its alias leads where it led: the old address is an alias now."""
    own = services.add_alias("my@inna.example", ["obcy@inna.example"])
    foreign = services.add_alias("wy@firma.example", ["obcy@inna.example", mailbox.address])
    hosting.rename(somebody_elses, "tajny", actor=None)
    assert targets(own) == ["tajny@inna.example"]
    assert targets(foreign) == ["anna@firma.example", "obcy@inna.example"]
    for page in (domain, reverse("alias_edit", args=[foreign.pk])):
        assert "obcy@inna.example" in (text := as_boss.get(page).text)
        assert "tajny" not in text
    with connection.cursor() as cursor:
        cursor.execute("SELECT target FROM mail_aliases WHERE address = 'obcy@inna.example'")
        assert cursor.fetchall() == [("tajny@inna.example",)]


def test_an_address_that_comes_back_gets_a_folder_of_its_own(mailbox: Mailbox) -> None:
    hosting.rename(mailbox, "anna.nowak", actor=None)
    Alias.objects.all().delete()
    other = services.add_mailbox("anna@firma.example")
    assert (mailbox.home, other.home) == ("firma.example/anna", "firma.example/anna::2")


# --- Deleted ---


def test_a_deleted_mailbox_is_gone_and_can_be_taken_back(
    as_boss: Client, as_anna: Client, mailbox: Mailbox, domain: str
) -> None:
    Domain.objects.update(catch_all=mailbox)
    page = reverse("mailbox_delete", args=[mailbox.pk])
    assert as_boss.get(page).status_code == 200
    mailbox.refresh_from_db()
    assert mailbox.deleted_at is None
    as_boss.post(page)
    assert as_anna.get(reverse("mailbox", args=[mailbox.pk])).status_code == 404
    assert as_boss.get(reverse("mailbox_settings", args=[mailbox.pk])).status_code == 404
    assert Domain.objects.get(name="firma.example").catch_all is None
    assert "anna@firma.example" in as_boss.get(domain).text
    assert as_anna.post(reverse("mailbox_restore", args=[mailbox.pk])).status_code == 404
    as_boss.post(reverse("mailbox_restore", args=[mailbox.pk]))
    assert as_anna.get(reverse("mailbox", args=[mailbox.pk])).status_code == 200


@pytest.mark.parametrize(
    ("days", "language", "words"),
    [
        (1, "en", "It can be taken back for 1 day."), (30, "en", "It can be taken back for 30 days."),
        (1, "pl", "Można przywrócić przez 1 dzień."), (30, "pl", "Można przywrócić przez 30 dni."),
    ],
)  # fmt: skip
def test_the_message_says_for_how_long_it_can_be_taken_back(
    as_boss: Client, boss: User, mailbox: Mailbox, settings: Any, days: int, language: str, words: str
) -> None:
    settings.MAILBOX_GRACE_DAYS = days
    User.objects.filter(pk=boss.pk).update(language=language)
    assert words in as_boss.post(reverse("mailbox_delete", args=[mailbox.pk]), follow=True).text


def test_deleting_and_taking_back_lifts_no_suspension(as_boss: Client, as_support: Client, mailbox: Mailbox) -> None:
    as_support.post(reverse("mailbox_suspend", args=[mailbox.pk]), {"suspend": "1"})
    mailbox.refresh_from_db()
    before = (mailbox.suspended_at, mailbox.refuses_from, mailbox.is_active)
    as_boss.post(reverse("mailbox_delete", args=[mailbox.pk]))
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM mail_refused WHERE address = %s", [mailbox.address])
        assert cursor.fetchone() is None  # for senders there is no such mailbox
    as_boss.post(reverse("mailbox_restore", args=[mailbox.pk]))
    mailbox.refresh_from_db()
    assert (mailbox.suspended_at, mailbox.refuses_from, mailbox.is_active) == before
    as_support.post(reverse("mailbox_suspend", args=[mailbox.pk]), {"resume": "1"})
    mailbox.refresh_from_db()
    assert (mailbox.is_active, mailbox.refuses_from) == (True, None)


@pytest.mark.parametrize(
    "steps",
    [("delete", "restore"), ("suspend", "resume"), ("suspend", "delete", "restore", "resume")],
    ids="-".join,
)
@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_what_was_switched_off_by_hand_comes_back_as_it_was(
    as_support: Client, mailbox: Mailbox, steps: tuple[str, ...], on: bool
) -> None:
    settings = {"name": "Anna", "language": "pl"} | ({"is_active": "on"} if on else {})
    as_support.post(reverse("mailbox_settings", args=[mailbox.pk]), settings)
    for step in steps:
        mailbox.refresh_from_db()
        page = f"mailbox_{step}" if step in {"delete", "restore"} else "mailbox_suspend"
        answer = as_support.post(reverse(page, args=[mailbox.pk]), {step: "1"}, follow=True)
    assert ("It was switched off before" in answer.text) is (step == "resume" and not on)
    mailbox.refresh_from_db()
    assert (mailbox.suspended_at, mailbox.deleted_at, mailbox.is_active) == (None, None, on)


def test_a_domain_that_was_switched_off_comes_back_as_it_was(mailbox: Mailbox) -> None:
    domain = mailbox.domain
    hosting.set_domain(domain, actor=None, is_active=False)
    for _time in range(2):
        hosting.suspend(domain, now=database_now(), actor=None)
        hosting.resume(domain, actor=None)
        assert (domain.suspended_at, domain.is_active) == (None, False)


def test_what_was_suspended_after_it_was_deleted_comes_back_as_it_was_before(mailbox: Mailbox) -> None:
    """By two people at once."""
    hosting.delete_mailbox(mailbox, now=database_now(), actor=None)
    hosting.suspend(mailbox, now=database_now(), actor=None)
    hosting.resume(mailbox, actor=None)
    assert not mailbox.is_active
    hosting.restore_mailbox(mailbox, actor=None)
    assert mailbox.is_active


def test_who_gets_its_address_later_does_not_get_its_mail(mailbox: Mailbox) -> None:
    """The folder lies on Dovecot's host until somebody removes it."""
    for expected in ("firma.example/anna", "firma.example/anna::2", "firma.example/anna::3"):
        row = Mailbox.objects.get()
        assert row.home == expected
        hosting.delete_mailbox(row, now=database_now() - timedelta(days=31), actor=None)
        assert tasks.purge_deleted_mailboxes() == 1
        Domain.objects.all().delete()
        Domain.objects.create(name="firma.example", customer=Customer.objects.create(name="Nowa", number=expected))
        services.add_mailbox("anna@firma.example")


def test_after_the_days_of_grace_it_is_gone_for_good(mailbox: Mailbox) -> None:
    services.add_alias("biuro@firma.example", ["anna@firma.example"])
    services.add_alias("info@firma.example", ["anna@firma.example", "jan@elsewhere.example"])
    hosting.delete_mailbox(mailbox, now=database_now() - timedelta(days=29), actor=None)
    assert tasks.purge_deleted_mailboxes() == 0
    Mailbox.objects.update(deleted_at=database_now() - timedelta(days=31))
    assert tasks.purge_deleted_mailboxes() == 1
    assert not Mailbox.objects.exists()
    assert [alias.address for alias in Alias.objects.all()] == ["info@firma.example"]


# --- Passwords of mail programs ---


@pytest.fixture
def passwords_page(mailbox: Mailbox, anna: User, client: Client) -> str:
    """Anna typed her password a moment ago."""
    client.post(reverse("account_login"), {"login": anna.email, "password": PASSWORD})
    return reverse("app_passwords", args=[mailbox.pk])


def test_she_makes_a_password_for_her_phone_and_ends_it(client: Client, passwords_page: str) -> None:
    page = client.post(passwords_page, {"name": "Telefon"})
    assert page["Cache-Control"] == "no-store"
    found = re.search(r'<code class="fs-5">([a-z0-9-]+)</code>', page.text)
    assert found is not None
    row = AppPassword.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("SELECT encode(sha256(%s), 'hex')", [found[1].encode()])
        assert cursor.fetchone() == (row.digest,)
    assert found[1] not in client.get(passwords_page).text
    client.post(passwords_page, {"end": str(row.pk)})
    assert not AppPassword.objects.exists()


def test_there_is_an_end_to_them(client: Client, mailbox: Mailbox, passwords_page: str) -> None:
    for number in range(hosting.MAX_APP_PASSWORDS):
        hosting.make_app_password(mailbox, str(number), actor=None)
    assert client.post(passwords_page, {"name": "x"}).status_code == 422


def test_the_password_alone_opens_no_mail_where_there_is_a_second_factor(mailbox: Mailbox, anna: User) -> None:
    def password() -> str | None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT password FROM mail_accounts WHERE address = %s", [mailbox.address])
            return cursor.fetchone()[0]

    assert (password() or "").startswith("{ARGON2ID}")
    Authenticator.objects.create(user=anna, type=Authenticator.Type.RECOVERY_CODES, data={})
    assert password() is not None
    Authenticator.objects.create(user=anna, type=Authenticator.Type.WEBAUTHN, data={})
    assert password() is None


def opens(mailbox: Mailbox, password: str) -> bool:
    """Whether Dovecot takes it for the password of a mail program."""
    with connection.cursor() as cursor:
        digest = hashlib.sha256(password.encode()).hexdigest()
        cursor.execute("SELECT password FROM mail_lookup_sign_in(%s, %s)", [mailbox.address, digest])
        [(found,)] = cursor.fetchall()
    return str(found).startswith("{SHA256.HEX}")


def test_they_end_with_the_owner_who_made_them(mailbox: Mailbox, client: Client, passwords_page: str) -> None:
    _row, password = hosting.make_app_password(mailbox, "Telefon Anny", actor=None)
    assert opens(mailbox, password)
    assert "Telefon Anny" in client.get(passwords_page).text
    successor = User.objects.create_user("jan@firma.example", PASSWORD)
    Mailbox.objects.filter(pk=mailbox.pk).update(owner=successor)
    assert not opens(mailbox, password)
    client.post(reverse("account_logout"))
    client.post(reverse("account_login"), {"login": successor.email, "password": PASSWORD})
    page = client.get(passwords_page)
    assert page.status_code == 200
    assert "Telefon Anny" not in page.text


def test_they_end_when_somebody_else_sets_the_owners_password(as_boss: Client, mailbox: Mailbox, anna: User) -> None:
    """Whoever knew the old one may have made them, to come back."""
    other = Mailbox.objects.create(domain=mailbox.domain, local_part="biuro", owner=anna)
    made = [hosting.make_app_password(row, "Telefon", actor=None)[1] for row in (mailbox, other)]
    as_boss.post(reverse("mailbox_settings", args=[mailbox.pk]), {"give_password": "1"})
    assert [opens(row, password) for row, password in zip((mailbox, other), made, strict=True)] == [False, False]
    ended = LogLine.objects.filter(words="password of a mail program ended: Telefon")
    assert sorted(line.name for line in ended) == ["anna@firma.example", "biuro@firma.example"]


# --- A file ---

FILE = """adres;nazwa;quota_mb;cele
jan@firma.example;Jan Kowalski;500;
biuro@firma.example;;;jan@firma.example anna@firma.example
"""


def test_mailboxes_and_aliases_from_a_file(as_boss: Client, mailbox: Mailbox, client: Client) -> None:
    page = reverse("address_import")
    shown = as_boss.post(page, {"file": SimpleUploadedFile("a.csv", FILE.encode("cp1250"))})
    assert shown.status_code == 200
    assert not Mailbox.objects.filter(local_part="jan").exists()
    made = as_boss.post(page, {"text": shown.context["text"], "make": "1"})
    row = Mailbox.objects.get(local_part="jan")
    assert (row.name, row.quota_mb) == ("Jan Kowalski", 500)
    assert targets(Alias.objects.get()) == ["anna@firma.example", "jan@firma.example"]
    [password] = re.findall(r"<code>([a-z0-9-]+)</code>", made.text)
    assert client.login(username="jan@firma.example", password=password)


@pytest.mark.parametrize(
    "line",
    [
        "anna@firma.example", "x@inna.example", "żółw@firma.example", "nobody", "jan@firma.example;;many",
        "jan@firma.example;;0", "jan@firma.example\njan@firma.example", "biuro@firma.example;;;nikt@firma.example",
        "szefowa@firma.example", "jan@firma.example;;99999999999999999999",
    ],
)  # fmt: skip
def test_nothing_is_made_while_one_line_cannot_be(as_boss: Client, mailbox: Mailbox, line: str) -> None:
    text = f"address;name;quota_mb;targets\nok@firma.example\n{line}\n"
    answer = as_boss.post(reverse("address_import"), {"text": text, "make": "1"})
    assert answer.context["has_problems"]
    assert not Mailbox.objects.filter(local_part="ok").exists()


def test_a_file_gives_no_more_space_than_the_domain_has(as_boss: Client, as_support: Client, mailbox: Mailbox) -> None:
    """The page of a mailbox lets her set none at all."""
    Domain.objects.update(quota_mb=500)
    answer = as_boss.post(reverse("address_import"), {"text": "address;quota_mb\njan@firma.example;501", "make": "1"})
    assert answer.context["has_problems"]
    assert "Mailboxes of this domain have 500 MB at most." in answer.text
    assert not Mailbox.objects.filter(local_part="jan").exists()
    for client, line in ((as_boss, "jan@firma.example;500"), (as_support, "ewa@firma.example;501")):
        client.post(reverse("address_import"), {"text": f"address;quota_mb\n{line}", "make": "1"})
    assert sorted(Mailbox.objects.exclude(quota_mb=None).values_list("quota_mb", flat=True)) == [500, 501]


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"name\nx\n", b"address\n", b"\xff\x00" * 99, b"address\n" * 400]
)
def test_a_file_that_is_none_is_refused_in_words(as_boss: Client, content: bytes) -> None:
    answer = as_boss.post(reverse("address_import"), {"file": SimpleUploadedFile("a.csv", content)})
    assert answer.status_code == 422
    assert answer.context["form"].errors


def test_who_manages_no_domain_has_no_such_page(as_anna: Client, company: Customer) -> None:
    assert as_anna.get(reverse("address_import")).status_code == 404
