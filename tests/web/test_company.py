"""A customer's own administrator: that company's mailboxes, owners and responders, nobody else's."""

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mailboxes import hosting, services
from mailboxes.models import Alias, Customer, Domain, LogLine, Mailbox, User
from responders.models import ResponderEvent
from tests.conftest import PASSWORD
from tests.web.test_responder_form import TYPED

MADE = {"local_part": "Jan.Nowak", "domain": "firma.example", "name": "Jan Nowak", "language": "pl"}


@pytest.fixture
def company(mailbox: Mailbox, somebody_elses: Mailbox) -> Customer:
    """Of Anna's domain and nobody else's."""
    customer = Customer.objects.create(name="Firma", number="F1")
    Domain.objects.filter(name="firma.example").update(customer=customer)
    return customer


@pytest.fixture
def boss(company: Customer) -> User:
    person = User.objects.create_user("szefowa@firma.example", PASSWORD, name="Szefowa")
    company.administrators.add(person)
    return person


@pytest.fixture
def as_boss(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client


def settings_of(mailbox: Mailbox) -> str:
    return reverse("mailbox_settings", args=[mailbox.pk])


def password_on(page: str) -> str:
    found = re.search(r'<code class="fs-5">([a-z0-9-]+)</code>', page)
    assert found is not None
    return found[1]


def test_she_sees_and_searches_her_companys_mailboxes(as_boss: Client, mailbox: Mailbox) -> None:
    page = as_boss.get("/")
    assert mailbox.address in page.text
    assert "inna.example" not in page.text
    assert reverse("mailbox_new") in page.text
    assert [row.row for row in as_boss.get("/", {"q": "anna"}).context["mailboxes"]] == [mailbox]
    assert as_boss.get("/", {"q": "obcy"}).context["mailboxes"] == []


def test_she_writes_a_responder_of_a_mailbox_without_being_asked_why(as_boss: Client, mailbox: Mailbox) -> None:
    assert as_boss.post(reverse("responder_new", args=[mailbox.pk]), TYPED).status_code == 302
    event = ResponderEvent.objects.get()
    assert (str(event.actor), event.reason) == ("szefowa@firma.example", "")


def test_she_makes_a_mailbox_whose_owner_can_sign_in(as_boss: Client, boss: User, client: Client) -> None:
    page = as_boss.post(reverse("mailbox_new"), MADE)
    assert page["Cache-Control"] == "no-store"
    made = Mailbox.objects.get(address="jan.nowak@firma.example")
    assert (made.name, made.language, str(made.owner)) == ("Jan Nowak", "pl", "jan.nowak@firma.example")
    assert client.login(username="jan.nowak@firma.example", password=password_on(page.text))
    assert LogLine.objects.get().actor == boss


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"local_part": "anna"}, "local_part"),
        ({"local_part": "kontakt"}, "local_part"),
        ({"local_part": "szefowa"}, "local_part"),
        ({"local_part": "żółw"}, "local_part"),
        ({"local_part": "a b@c"}, "local_part"),
        ({"local_part": ""}, "local_part"),
        ({"domain": "inna.example"}, "domain"),
        ({"domain": "nigdzie.example"}, "domain"),
        ({"language": "xx"}, "language"),
    ],
)
def test_a_mistake_stands_beside_its_field_and_what_was_typed_stays(
    as_boss: Client, mailbox: Mailbox, typed: dict[str, str], field: str
) -> None:
    Alias.objects.create(domain=mailbox.domain, local_part="kontakt")
    page = as_boss.post(reverse("mailbox_new"), MADE | typed)
    assert page.status_code == 422
    assert list(page.context["form"].errors) == [field]
    assert 'value="Jan Nowak"' in page.text
    assert Mailbox.objects.count() == 2


def test_she_changes_a_mailbox_and_the_history_of_the_administration_tells(
    as_boss: Client, mailbox: Mailbox, boss: User
) -> None:
    assert settings_of(mailbox) in as_boss.get(reverse("mailbox", args=[mailbox.pk])).text
    as_boss.post(settings_of(mailbox), {"name": "Anna Żak", "language": "en"})
    mailbox.refresh_from_db()
    assert (mailbox.name, mailbox.language, mailbox.is_active) == ("Anna Żak", "en", False)
    entry = LogLine.objects.get()
    assert (entry.actor, entry.place, entry.way) == (boss, "127.0.0.1", "panel")
    assert entry.words == "name: Anna Nowak → Anna Żak; language: pl → en; is_active: True → False"
    as_boss.post(settings_of(mailbox), {"name": "Anna Żak", "language": "en"})
    assert LogLine.objects.count() == 1


def test_a_new_password_replaces_the_old_one_and_signs_the_owner_out(
    as_boss: Client, as_anna: Client, mailbox: Mailbox
) -> None:
    page = as_boss.post(settings_of(mailbox), {"give_password": "1"})
    assert page["Cache-Control"] == "no-store"
    assert as_anna.get("/").status_code == 302
    client = Client()
    assert not client.login(username="anna@firma.example", password=PASSWORD)
    assert client.login(username="anna@firma.example", password=password_on(page.text))
    assert password_on(page.text) not in LogLine.objects.get().words


@pytest.mark.parametrize(
    "what", ["is_staff", "support", "another company", "a company without domains", "another mailbox", "herself"]
)
def test_she_opens_nothing_more_by_a_new_password(
    as_boss: Client, boss: User, mailbox: Mailbox, somebody_elses: Mailbox, roles: None, what: str
) -> None:
    anna = mailbox.owner
    assert anna is not None
    if what == "is_staff":
        User.objects.filter(pk=anna.pk).update(is_staff=True)
    elif what == "support":
        anna.groups.add(Group.objects.get(name="support"))
    elif what == "another company":
        other = Customer.objects.create(name="Inna", number="I")
        Domain.objects.filter(name="inna.example").update(customer=other)
        other.administrators.add(anna)
    elif what == "a company without domains":
        Customer.objects.create(name="Nowa", number="N").administrators.add(anna)
    elif what == "another mailbox":
        Mailbox.objects.filter(pk=somebody_elses.pk).update(owner=anna)
    else:
        Mailbox.objects.filter(pk=mailbox.pk).update(owner=boss)
    assert "give_password" not in as_boss.get(settings_of(mailbox)).text
    assert as_boss.post(settings_of(mailbox), {"give_password": "1"}).status_code == 403
    assert User.objects.get(pk=anna.pk).check_password(PASSWORD)


@pytest.mark.parametrize("what", ["blocked", "deleted", "blocked support"])
def test_nor_what_is_blocked_or_deleted_for_now(
    as_boss: Client, mailbox: Mailbox, somebody_elses: Mailbox, roles: None, what: str
) -> None:
    """It comes back, and whoever knows the password opens it then."""
    anna = mailbox.owner
    assert anna is not None
    if what == "blocked support":
        anna.groups.add(Group.objects.get(name="support"))
    else:
        Mailbox.objects.filter(pk=somebody_elses.pk).update(owner=anna)
    if what == "deleted":
        hosting.delete_mailbox(Mailbox.objects.get(pk=somebody_elses.pk), now=timezone.now(), actor=None)
    else:
        User.objects.filter(pk=anna.pk).update(is_active=False)
    assert "give_password" not in as_boss.get(settings_of(mailbox)).text
    assert as_boss.post(settings_of(mailbox), {"give_password": "1"}).status_code == 403
    as_boss.post(settings_of(mailbox), {"let_in": "1"})
    stored = User.objects.get(pk=anna.pk)
    assert (stored.is_active, stored.check_password(PASSWORD)) == (what == "deleted", True)


def test_only_staff_let_in_again_whom_staff_blocked(
    as_boss: Client, as_support: Client, mailbox: Mailbox, anna: User
) -> None:
    def let_in_by(client: Client) -> bool:
        client.post(settings_of(mailbox), {"let_in": "1"})
        return User.objects.get(pk=anna.pk).is_active

    administration = Client()
    administration.force_login(User.objects.create_superuser("admin@hosting.example", PASSWORD))
    administration.post(reverse("admin:mailboxes_user_change", args=[anna.pk]), {"email": anna.email, "name": "Anna"})
    assert not User.objects.get(pk=anna.pk).is_active
    assert "let_in" not in as_boss.get(settings_of(mailbox)).text
    assert [let_in_by(as_boss), let_in_by(as_support)] == [False, True]
    services.set_sign_in(Mailbox.objects.get(pk=mailbox.pk), allowed=False, actor=None)
    assert let_in_by(as_boss)


def test_a_mailbox_without_owner_gets_one_with_its_address(as_boss: Client, mailbox: Mailbox) -> None:
    alone = Mailbox.objects.create(domain=mailbox.domain, local_part="biuro")
    page = as_boss.post(settings_of(alone), {"give_password": "1"})
    assert Client().login(username="biuro@firma.example", password=password_on(page.text))
    alone.refresh_from_db()
    assert str(alone.owner) == "biuro@firma.example"


@pytest.mark.parametrize("way", ["has its address", "gets its address"])
def test_a_mailbox_without_owner_opens_no_account_of_staff(
    as_boss: Client, mailbox: Mailbox, support: User, way: str
) -> None:
    User.objects.filter(pk=support.pk).update(email="pomoc@firma.example")
    alone = Mailbox.objects.create(domain=mailbox.domain, local_part="biuro" if "gets" in way else "pomoc")
    if "gets" in way:
        as_boss.post(reverse("mailbox_rename", args=[alone.pk]), {"local_part": "pomoc"})
    assert "give_password" not in as_boss.get(settings_of(alone)).text
    assert as_boss.post(settings_of(alone), {"give_password": "1"}).status_code == 403
    assert User.objects.get(pk=support.pk).check_password(PASSWORD)


def test_support_gives_a_password_but_not_to_staff(as_support: Client, mailbox: Mailbox, support: User) -> None:
    assert as_support.post(settings_of(mailbox), {"give_password": "1"}).status_code == 200
    Mailbox.objects.filter(pk=mailbox.pk).update(owner=User.objects.create_user("inny@x.example", is_staff=True))
    assert as_support.post(settings_of(mailbox), {"give_password": "1"}).status_code == 403


def test_the_domain_in_polish_letters_works(as_boss: Client, company: Customer) -> None:
    Domain.objects.create(name="xn--bcher-kva.example", customer=company)
    as_boss.post(reverse("mailbox_new"), MADE | {"domain": "xn--bcher-kva.example"})
    assert Mailbox.objects.filter(address="jan.nowak@xn--bcher-kva.example").exists()
