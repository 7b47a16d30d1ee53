"""A mailbox that shares its owner's password gets one of its own, and its owner goes on opening it."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mailboxes import access, hosting, services
from mailboxes.linking import link_notices, own_sign_ins
from mailboxes.models import Customer, Mailbox, MailboxLink, User
from mailboxes.services import MailboxesError, give_password
from tests.conftest import PASSWORD

NEW = "another horse battery staple"


@pytest.fixture
def info(mailbox: Mailbox) -> Mailbox:
    """info@firma.example: staff gave it to Anna, so it has her password."""
    return Mailbox.objects.create(domain=mailbox.domain, local_part="info", owner=mailbox.owner)


@pytest.fixture
def just_signed_in(anna: User) -> Client:
    client = Client()
    client.post(reverse("account_login"), {"login": anna.email, "password": PASSWORD})
    return client


def give(client: Client, mailbox: Mailbox, first: str = NEW, second: str = NEW) -> Any:
    path = reverse("own_sign_in", args=[mailbox.pk])
    return client.post(path, {"password1": first, "password2": second}, follow=True)


def test_the_owner_gives_it_a_password_and_goes_on_opening_it(
    just_signed_in: Client, anna: User, mailbox: Mailbox, info: Mailbox
) -> None:
    assert "Its password is the one of this sign-in" in just_signed_in.get(reverse("account_links")).text
    assert "has a password of its own now" in give(just_signed_in, info).text
    info.refresh_from_db()
    assert info.owner is not None
    assert (info.owner.email, info.owner.check_password(NEW)) == ("info@firma.example", True)
    assert access.is_linked(anna, info)
    its_own = Client()
    its_own.post(reverse("account_login"), {"login": "info@firma.example", "password": NEW})
    assert its_own.get(reverse("mailbox", args=[info.pk])).status_code == 200
    assert its_own.get(reverse("mailbox", args=[mailbox.pk])).status_code == 404
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)
    assert just_signed_in.get(reverse("mailbox", args=[info.pk])).status_code == 200


def test_a_new_password_for_the_one_is_none_for_the_other(
    just_signed_in: Client, anna: User, mailbox: Mailbox, info: Mailbox
) -> None:
    give(just_signed_in, info)
    given = give_password(Mailbox.objects.get(pk=info.pk), now=timezone.now(), actor=None)
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)
    assert User.objects.get(email="info@firma.example").check_password(given)
    assert not access.is_linked(anna, info)
    assert give_password(mailbox, now=timezone.now(), actor=None)
    assert User.objects.get(email="info@firma.example").check_password(given)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [("short", "short", "at least 10"), (NEW, "other horse battery", "differ"), ("", "", "required")],
)
def test_what_is_no_password_is_said_beside_the_field(
    just_signed_in: Client, anna: User, info: Mailbox, first: str, second: str, words: str
) -> None:
    page = give(just_signed_in, info, first, second)
    assert page.status_code == 422
    assert words in page.text
    info.refresh_from_db()
    assert info.owner == anna


def test_it_asks_for_the_password_first_and_is_for_the_owner_alone(
    as_anna: Client, info: Mailbox, mailbox: Mailbox
) -> None:
    assert "/sign-in/again/" in as_anna.get(reverse("own_sign_in", args=[info.pk]))["Location"]
    stranger = User.objects.create_user("obcy@inna.example", PASSWORD)
    client = Client()
    client.post(reverse("account_login"), {"login": stranger.email, "password": PASSWORD})
    assert give(client, info).status_code == 404


def test_the_mailbox_of_the_sign_in_itself_has_its_own_already(just_signed_in: Client, mailbox: Mailbox) -> None:
    assert give(just_signed_in, mailbox).redirect_chain[-1][0] == reverse("account_links")
    with pytest.raises(MailboxesError):
        own_sign_ins.part(mailbox, NEW, now=timezone.now(), actor=None)


def test_passwords_of_mail_programs_go_on(anna: User, info: Mailbox) -> None:
    made, _password = hosting.make_app_password(info, "Telefon", actor=anna)
    own_sign_ins.part(info, NEW, now=timezone.now(), actor=anna)
    assert list(hosting.app_passwords_of(info)) == [made]


def test_what_an_import_left_of_the_address_is_used_and_what_opens_something_is_not(
    anna: User, mailbox: Mailbox, info: Mailbox
) -> None:
    left = User.objects.create_user("info@firma.example", "the old imported one")
    third = Mailbox.objects.create(domain=mailbox.domain, local_part="trzecia", owner=left)
    with pytest.raises(MailboxesError, match="already"):
        own_sign_ins.part(info, NEW, now=timezone.now(), actor=anna)
    third.delete()
    own_sign_ins.part(info, NEW, now=timezone.now(), actor=anna)
    info.refresh_from_db()
    left.refresh_from_db()
    assert info.owner == left
    assert left.check_password(NEW)


def test_the_companys_administrator_gives_it_one_that_is_shown_once(
    boss: User, anna: User, mailbox: Mailbox, info: Mailbox, somebody_elses: Mailbox
) -> None:
    """Also where the owner opens another company's mailboxes, whose password is nothing for this company."""
    Mailbox.objects.filter(pk=somebody_elses.pk).update(owner=anna)
    client = Client()
    client.force_login(boss)
    path = reverse("mailbox_settings", args=[info.pk])
    assert client.post(path, {"give_password": "1"}).status_code == 403
    assert "Give it its own password" in client.get(path).text
    page = client.post(path, {"own_sign_in": "1"})
    assert "info@firma.example" in page.text
    assert "no-store" in page["Cache-Control"]
    assert MailboxLink.objects.get().user == anna
    assert client.post(path, {"own_sign_in": "1"}).status_code == 403
    assert client.post(reverse("mailbox_settings", args=[mailbox.pk]), {"own_sign_in": "1"}).status_code == 403
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)


@pytest.fixture
def boss(mailbox: Mailbox) -> User:
    """The administrator of the company that the mailboxes are of."""
    boss, company = User.objects.create_user("szef@firma.example", PASSWORD), Customer.objects.create(number="1")
    company.administrators.add(boss)
    mailbox.domain.customer = company
    mailbox.domain.save()
    return boss


@pytest.mark.parametrize("guard", ["second factor", "blocked", "blocked staff"])
def test_the_companys_administrator_does_not_get_around_what_guards_the_owner(
    boss: User, anna: User, info: Mailbox, support: User, guard: str
) -> None:
    """A password alone would open a mailbox for which more was asked, or which was shut."""
    if guard == "second factor":
        Authenticator.objects.create(user=anna, type="totp", data={"secret": "x"})
    elif guard == "blocked":
        services.set_sign_in(info, allowed=False, actor=support)
    else:
        anna.groups.set(Group.objects.filter(name=access.SUPPORT_GROUP))
        User.objects.filter(pk=anna.pk).update(is_active=False)
    client = Client()
    client.force_login(boss)
    path = reverse("mailbox_settings", args=[info.pk])
    assert "Give it its own password" not in client.get(path).text
    assert client.post(path, {"own_sign_in": "1"}).status_code == 403
    assert Mailbox.objects.get(pk=info.pk).owner == anna
    assert access.may_part(support, Mailbox.objects.get(pk=info.pk))


@pytest.mark.usefixtures("roles")
def test_a_blocked_one_of_the_staff_opens_nothing_by_a_link_later(anna: User, info: Mailbox) -> None:
    anna.groups.add(Group.objects.get(name=access.SUPPORT_GROUP))
    User.objects.filter(pk=anna.pk).update(is_active=False)
    own_sign_ins.part(info, NEW, now=timezone.now(), actor=None)
    assert not MailboxLink.objects.exists()


def test_the_owner_is_told_by_mail_where_somebody_else_did_it(
    boss: User, anna: User, info: Mailbox, mailoutbox: list[Any]
) -> None:
    User.objects.filter(pk=anna.pk).update(language="en")
    own_sign_ins.part(info, NEW, now=timezone.now(), actor=boss)
    assert link_notices.tell(timezone.now()) == 1
    assert link_notices.tell(timezone.now()) == 0
    [notice] = mailoutbox
    assert notice.to == [anna.email]
    assert "gave it a password of its own" in notice.body
    assert "info@firma.example" in notice.body
    assert reverse("account_links") in notice.body


def test_who_did_it_is_not_told(anna: User, info: Mailbox, mailoutbox: list[Any]) -> None:
    own_sign_ins.part(info, NEW, now=timezone.now(), actor=anna)
    assert link_notices.tell(timezone.now()) == 0
    assert not mailoutbox


def test_a_mailbox_of_staff_is_parted_by_staff_alone(support: User, boss: User, info: Mailbox) -> None:
    Mailbox.objects.filter(pk=info.pk).update(owner=support)
    info.refresh_from_db()
    assert not access.may_part(boss, info)
    assert access.may_part(support, info)
    own_sign_ins.part(info, NEW, now=timezone.now(), actor=support)
    assert not MailboxLink.objects.exists()  # staff open it by their role
