"""A person adds another mailbox to their sign-in by its own address and password, and both sides can end it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from mailboxes import access, hosting, second_factor, services
from mailboxes.linking import link_notices, links
from mailboxes.models import Customer, Domain, LogLine, Mailbox, MailboxLink, User
from responders import calendars
from responders.models import Responder
from responders.services import database_now
from tests import refusing_mail
from tests import second_factor as app
from tests.conftest import PASSWORD

OTHER = "another horse battery staple"
WRONG = "The address or the password is not right."


@pytest.fixture
def shop(mailbox: Mailbox) -> Mailbox:
    """sklep@sklep.example, of another customer, with a sign-in and a password of its own."""
    customer = Customer.objects.create(name="Sklep", number="2")
    domain = Domain.objects.create(name="sklep.example", customer=customer)
    owner = User.objects.create_user("sklep@sklep.example", OTHER)
    return Mailbox.objects.create(domain=domain, local_part="sklep", owner=owner, language="en")


def owner_of(mailbox: Mailbox) -> User:
    assert mailbox.owner is not None
    return User.objects.get(pk=mailbox.owner_id)


def add(client: Client, email: str = "sklep@sklep.example", password: str = OTHER, **extra: Any) -> Any:
    return client.post(reverse("account_links"), {"email": email, "password": password}, follow=True, **extra)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def opens(user: User, mailbox: Mailbox) -> bool:
    """By a fresh look, as a request has it."""
    found = signed_in(user).get(reverse("mailbox", args=[mailbox.pk])).status_code
    return {200: True, 404: False}[found]


def test_one_sign_in_opens_both_with_the_rights_of_an_owner(as_anna: Client, anna: User, shop: Mailbox) -> None:
    assert not opens(anna, shop)
    page = add(as_anna, " Sklep@SKLEP.example ")
    assert "sklep@sklep.example is among your mailboxes now" in page.text
    listed = as_anna.get("/").text
    assert "anna@firma.example" in listed
    assert "sklep@sklep.example" in listed
    for name in ("mailbox", "notices", "responder_new", "mailbox_programs", "account_time_zone"):
        assert as_anna.get(reverse(name, args=[shop.pk])).status_code == 200, name


def test_a_link_does_nothing_that_outlives_it(as_anna: Client, anna: User, shop: Mailbox) -> None:
    """It hands the care of the mailbox to nobody, and sends nobody copies of the mail; the page says who may."""
    add(as_anna)
    page = as_anna.get(reverse("mailbox", args=[shop.pk])).text
    assert "You added this mailbox to your sign-in." in page
    assert reverse("mailbox_programs", args=[shop.pk]) in page
    assert reverse("delegations", args=[shop.pk]) not in page
    assert as_anna.get(reverse("delegations", args=[shop.pk])).status_code == 404
    assert as_anna.get(reverse("responder_new", args=[shop.pk])).context["form"].fields["deputy_gets_copy"].disabled
    own = signed_in(owner_of(shop))
    assert "You added this mailbox" not in own.get(reverse("mailbox", args=[shop.pk])).text
    assert own.get(reverse("delegations", args=[shop.pk])).status_code == 200
    assert not own.get(reverse("responder_new", args=[shop.pk])).context["form"].fields["deputy_gets_copy"].disabled


def test_a_link_opens_neither_what_makes_passwords_nor_what_a_manager_does(
    as_anna: Client, anna: User, shop: Mailbox
) -> None:
    just_signed_in = Client()
    just_signed_in.post(reverse("account_login"), {"login": anna.email, "password": PASSWORD})
    add(just_signed_in)
    for name in ("app_passwords", "mailbox_settings", "mailbox_rename", "mailbox_delete", "own_sign_in"):
        assert just_signed_in.get(reverse(name, args=[shop.pk])).status_code == 404, name
    owner_of(shop).administers.add(Customer.objects.get())
    assert just_signed_in.get(reverse("domain", args=["sklep.example"])).status_code == 404


def test_the_linked_mailboxs_own_sign_in_opens_that_mailbox_only(
    as_anna: Client, mailbox: Mailbox, shop: Mailbox
) -> None:
    add(as_anna)
    assert opens(owner_of(shop), shop)
    assert not opens(owner_of(shop), mailbox)
    assert Client().login(email="sklep@sklep.example", password=OTHER)
    assert not Client().login(email="sklep@sklep.example", password=PASSWORD)


def test_a_link_leads_no_further_to_what_its_owner_linked(as_anna: Client, anna: User, shop: Mailbox) -> None:
    third = User.objects.create_user("trzeci@sklep.example", OTHER)
    box = Mailbox.objects.create(domain=shop.domain, local_part="trzeci", owner=third)
    add(signed_in(owner_of(shop)), "trzeci@sklep.example")
    add(as_anna)
    assert opens(owner_of(shop), box)
    assert not opens(anna, box)


@pytest.mark.parametrize(
    "change",
    [
        lambda shop: shop.owner.__class__.objects.filter(pk=shop.owner_id).update(is_active=False),
        lambda shop: hosting.suspend(shop, now=database_now(), actor=None),
        lambda shop: hosting.suspend(shop.domain, now=database_now(), actor=None),
        lambda shop: hosting.delete_mailbox(shop, now=database_now(), actor=None),
        lambda shop: Mailbox.objects.filter(pk=shop.pk).update(owner=None),
        lambda shop: User.objects.get(pk=shop.owner_id).set_unusable_password(),
    ],
    ids=["blocked", "suspended", "domain suspended", "deleted", "without owner", "as it was"],
)
def test_nobody_learns_what_exists(as_anna: Client, shop: Mailbox, change: Any) -> None:
    """The same words for every reason why not; for the right password only where it opens the mailbox by IMAP."""
    is_as_it_was = (
        change(shop) is None
        and Mailbox.objects.filter(pk=shop.pk, is_active=True, owner__is_active=True, domain__is_active=True).exists()
    )
    answers = [add(as_anna, "nikt@sklep.example"), add(as_anna, password="wrong"), add(as_anna, "nonsense")]
    if not is_as_it_was:
        answers.append(add(as_anna))
    assert {answer.status_code for answer in answers} == {422}
    assert all(WRONG in answer.text for answer in answers)
    told = {re.sub(r'value="[^"]*"', "", answer.text) for answer in answers}
    assert len(told) == 1
    assert not MailboxLink.objects.exists()


def test_wrong_passwords_have_the_brake_of_the_sign_in(as_anna: Client, shop: Mailbox) -> None:
    for _attempt in range(5):
        assert WRONG in add(as_anna, password="wrong").text
    assert "Too many wrong attempts" in add(as_anna).text
    at_sign_in = Client().post(reverse("account_login"), {"login": "sklep@sklep.example", "password": OTHER})
    assert "Too many wrong attempts" in at_sign_in.text  # it is one account of what was tried
    assert not MailboxLink.objects.exists()


def test_several_mailboxes_with_one_password_are_not_several_tries(as_anna: Client, shop: Mailbox) -> None:
    for name in ("info", "zakupy", "reklamacje"):
        Mailbox.objects.create(domain=shop.domain, local_part=name, owner=shop.owner)
    for name in ("info", "zakupy", "reklamacje", "sklep", "info"):
        assert WRONG in add(as_anna, f"{name}@sklep.example", password="wrong").text
    assert "Too many wrong attempts" in add(as_anna, "zakupy@sklep.example").text
    at_sign_in = Client().post(reverse("account_login"), {"login": "sklep@sklep.example", "password": OTHER})
    assert "Too many wrong attempts" in at_sign_in.text


def test_one_person_does_not_try_without_end_from_everywhere(as_anna: Client) -> None:
    words = [
        add(as_anna, f"n{number}@sklep.example", "wrong", REMOTE_ADDR=f"192.0.2.{number}").text for number in range(31)
    ]
    assert all(WRONG in text for text in words[:30])
    assert "Too many wrong attempts" in words[30]


def test_what_was_typed_stays_but_the_password(as_anna: Client, shop: Mailbox) -> None:
    page = add(as_anna, password="wrong")
    assert 'value="sklep@sklep.example"' in page.text
    assert 'value="wrong"' not in page.text


@pytest.mark.parametrize(("by", "why"), [("anna", "linker"), ("shop", "owner")])
def test_either_side_ends_it(as_anna: Client, anna: User, shop: Mailbox, by: str, why: str) -> None:
    add(as_anna)
    link = MailboxLink.objects.get()
    client = as_anna if by == "anna" else signed_in(owner_of(shop))
    assert ("sklep@sklep.example" if by == "anna" else anna.email) in client.get(reverse("account_links")).text
    assert client.get(reverse("link_end", args=[link.pk])).status_code == 302
    assert opens(anna, shop)  # a GET changes nothing
    client.post(reverse("link_end", args=[link.pk]))
    link.refresh_from_db()
    assert (link.end, opens(anna, shop)) == (why, False)
    assert client.post(reverse("link_end", args=[link.pk])).status_code == 404


def test_nobody_else_ends_it(as_anna: Client, shop: Mailbox, somebody_elses: Mailbox) -> None:
    add(as_anna)
    end = reverse("link_end", args=[MailboxLink.objects.get().pk])
    assert signed_in(owner_of(somebody_elses)).post(end).status_code == 404
    assert Client().post(end)["Location"].startswith(reverse("account_login"))
    assert MailboxLink.objects.get().ended_at is None


def test_the_administrator_of_the_mailboxs_company_sees_it_and_ends_it(
    as_anna: Client, anna: User, shop: Mailbox
) -> None:
    boss = User.objects.create_user("szef@sklep.example", PASSWORD)
    Customer.objects.get().administrators.add(boss)
    add(as_anna)
    settings = reverse("mailbox_settings", args=[shop.pk])
    assert anna.email in signed_in(boss).get(settings).text
    answer = signed_in(boss).post(reverse("link_end", args=[MailboxLink.objects.get().pk]))
    assert answer["Location"] == settings
    assert not opens(anna, shop)
    assert MailboxLink.objects.get().end == "manager"


def test_a_password_that_the_company_or_support_gives_ends_it(as_anna: Client, anna: User, shop: Mailbox) -> None:
    add(as_anna)
    services.give_password(shop, now=timezone.now(), actor=None)
    assert not opens(anna, shop)
    assert MailboxLink.objects.get().end == "password"


def test_whoever_gets_a_new_password_for_the_linker_gets_nothing_of_what_was_linked(
    as_anna: Client, anna: User, mailbox: Mailbox, shop: Mailbox
) -> None:
    """Or the administrator of the one company could look into a mailbox of another."""
    ours = Customer.objects.create(name="Nasza", number="1")
    boss = User.objects.create_user("szef@firma.example", PASSWORD)
    ours.administrators.add(boss)
    mailbox.domain.customer = ours
    mailbox.domain.save()
    add(as_anna)
    assert access.may_give_password(boss, anna)
    signed_in(boss).post(reverse("mailbox_settings", args=[mailbox.pk]), {"give_password": "1"})
    assert not opens(User.objects.get(pk=anna.pk), shop)
    assert MailboxLink.objects.get().end == "linkers-password"


def test_a_mailbox_that_is_made_for_somebody_brings_the_company_nothing_of_what_they_linked(
    as_anna: Client, anna: User, mailbox: Mailbox, shop: Mailbox
) -> None:
    add(as_anna)
    mailbox.delete()
    services.add_mailbox("anna@firma.example", password="brand new horse staple")
    assert not opens(User.objects.get(pk=anna.pk), shop)


@pytest.mark.parametrize("keeps", [False, True])
def test_a_password_that_the_owner_changes_ends_it_unless_they_say_otherwise(
    as_anna: Client, anna: User, shop: Mailbox, keeps: bool
) -> None:
    add(as_anna)
    client = Client()
    client.post(reverse("account_login"), {"login": "sklep@sklep.example", "password": OTHER})
    change = reverse("account_change_password")
    assert anna.email in client.get(change).text
    new = {"oldpassword": OTHER, "password1": "third horse battery 12", "password2": "third horse battery 12"}
    assert client.post(change, new | ({"keep_links": "on"} if keeps else {})).status_code == 302
    assert opens(anna, shop) is keeps


def test_the_linkers_own_new_password_ends_nothing(as_anna: Client, anna: User, shop: Mailbox) -> None:
    client = Client()
    client.post(reverse("account_login"), {"login": anna.email, "password": PASSWORD})
    add(client)
    assert "keep_links" not in client.get(reverse("account_change_password")).text
    new = {"oldpassword": PASSWORD, "password1": "third horse battery 12", "password2": "third horse battery 12"}
    client.post(reverse("account_change_password"), new)
    assert opens(User.objects.get(pk=anna.pk), shop)


def test_a_mailbox_that_goes_to_another_owner_is_not_open_any_more(as_anna: Client, anna: User, shop: Mailbox) -> None:
    add(as_anna)
    former, new = owner_of(shop), User.objects.create_user("nowy@sklep.example", OTHER)
    Mailbox.objects.filter(pk=shop.pk).update(owner=new)  # by whatever way
    assert not opens(anna, shop)
    shop.refresh_from_db()
    services.change_mailbox(shop, actor=None, owner=new)
    services.change_mailbox(shop, actor=None, owner=former)
    Mailbox.objects.filter(pk=shop.pk).update(owner=former)
    services.change_mailbox(Mailbox.objects.get(pk=shop.pk), actor=None, owner=new)
    services.change_mailbox(Mailbox.objects.get(pk=shop.pk), actor=None, owner=former)
    assert not opens(anna, shop)  # nor when it comes back
    assert MailboxLink.objects.get().end == "moved"


def test_who_is_blocked_keeps_it_from_the_linker_too_and_it_comes_back(
    as_anna: Client, anna: User, shop: Mailbox
) -> None:
    add(as_anna)
    services.set_sign_in(shop, allowed=False, actor=None)
    assert not opens(anna, shop)
    assert "Not open now" in as_anna.get(reverse("account_links")).text
    services.set_sign_in(Mailbox.objects.get(pk=shop.pk), allowed=True, actor=None)
    assert opens(anna, shop)


def test_a_linker_who_is_blocked_opens_nothing(as_anna: Client, anna: User, shop: Mailbox) -> None:
    add(as_anna)
    User.objects.filter(pk=anna.pk).update(is_active=False)
    anna.refresh_from_db()
    assert not access.mailboxes_visible_to(anna).exists()
    assert not access.is_linked(anna, shop)


def test_a_deleted_mailbox_is_gone_and_a_deleted_owner_takes_the_link_along(
    as_anna: Client, anna: User, shop: Mailbox
) -> None:
    add(as_anna)
    hosting.delete_mailbox(shop, now=database_now(), actor=None)
    assert not opens(anna, shop)
    assert "sklep@sklep.example" not in as_anna.get(reverse("account_links")).text
    hosting.restore_mailbox(shop, actor=None)
    assert opens(anna, shop)
    owner_of(shop).delete()
    assert not opens(anna, shop)
    assert not MailboxLink.objects.exists()


def test_a_second_factor_is_asked_for_and_the_linker_needs_one_too(as_anna: Client, anna: User, shop: Mailbox) -> None:
    app.give_app(owner_of(shop))
    assert "Set up one for your own sign-in first" in add(as_anna).text
    Authenticator.objects.create(user=anna, type="totp", data={"secret": "x"})
    page = add(as_anna)
    step = reverse("link_second_step")
    assert page.redirect_chain[-1][0] == step
    assert not opens(anna, shop)
    assert as_anna.post(step, {"code": app.wrong_code()}).status_code == 422
    assert not MailboxLink.objects.exists()
    code = app.code()
    assert "among your mailboxes now" in as_anna.post(step, {"code": code}, follow=True).text
    assert opens(anna, shop)
    assert MailboxLink.objects.get().with_second_factor
    # What was shown once counts no more, and proves nothing about this session.
    assert as_anna.post(step, {"code": code})["Location"] == reverse("account_links")
    assert not [one for one in as_anna.session.get("account_authentication_methods", []) if one["method"] == "mfa"]


def test_a_recovery_code_does_as_well_and_once(as_anna: Client, anna: User, shop: Mailbox) -> None:
    codes = app.give_app(owner_of(shop))
    Authenticator.objects.create(user=anna, type="totp", data={"secret": "x"})
    add(as_anna)
    as_anna.post(reverse("link_second_step"), {"code": codes[0]})
    assert opens(anna, shop)
    as_anna.post(reverse("link_end", args=[MailboxLink.objects.get().pk]))
    add(as_anna)
    assert as_anna.post(reverse("link_second_step"), {"code": codes[0]}).status_code == 422


def test_the_second_step_ends_with_the_password_and_with_time(
    as_anna: Client, anna: User, shop: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.give_app(owner_of(shop))
    Authenticator.objects.create(user=anna, type="totp", data={"secret": "x"})
    step = reverse("link_second_step")
    add(as_anna)
    services.give_password(shop, now=timezone.now(), actor=None)
    assert as_anna.post(step, {"code": app.code()})["Location"] == reverse("account_links")
    owner = owner_of(shop)
    owner.set_password(OTHER)
    owner.save()
    add(as_anna)
    monkeypatch.setattr("mailboxes.pages.link_views.WAITS_FOR", -1)
    assert as_anna.post(step, {"code": app.code()})["Location"] == reverse("account_links")
    assert not opens(anna, shop)


def test_wrong_codes_have_a_brake(as_anna: Client, anna: User, shop: Mailbox) -> None:
    app.give_app(owner_of(shop))
    Authenticator.objects.create(user=anna, type="totp", data={"secret": "x"})
    add(as_anna)
    texts = [as_anna.post(reverse("link_second_step"), {"code": app.wrong_code()}).text for _time in range(7)]
    assert "Too many wrong" in texts[-1]
    assert "Too many wrong" in as_anna.post(reverse("link_second_step"), {"code": app.code()}).text


def test_a_second_factor_that_comes_later_closes_what_was_linked_without(
    as_anna: Client, anna: User, shop: Mailbox
) -> None:
    add(as_anna)
    app.give_app(owner_of(shop))
    assert not opens(anna, shop)
    second_factor.remove(owner_of(shop), actor=None)
    assert opens(anna, shop)


def test_a_linker_whose_second_factor_is_taken_away_is_no_way_around_the_mailboxs(
    as_anna: Client, anna: User, shop: Mailbox
) -> None:
    app.give_app(owner_of(shop))
    Authenticator.objects.create(user=anna, type="totp", data={"secret": "x"})
    add(as_anna)
    as_anna.post(reverse("link_second_step"), {"code": app.code()})
    assert opens(anna, shop)
    second_factor.remove(anna, actor=None)
    assert not opens(anna, shop)


def test_staff_link_nothing_and_nobody_links_theirs(
    as_support: Client, support: User, as_anna: Client, shop: Mailbox
) -> None:
    assert as_support.post(reverse("account_links"), {"email": "x", "password": "x"}).status_code == 404
    assert "Add another mailbox" not in as_support.get(reverse("account_links")).text
    Mailbox.objects.filter(pk=shop.pk).update(owner=support)
    assert "works here" in add(as_anna, password=PASSWORD).text
    assert not MailboxLink.objects.exists()


def test_who_becomes_staff_acts_for_owners_as_staff_do(
    as_anna: Client, anna: User, shop: Mailbox, support: User
) -> None:
    add(as_anna)
    anna.groups.set(support.groups.all())
    anna = User.objects.get(pk=anna.pk)
    assert access.acts_for_owner(anna, shop)
    assert not access.is_linked(anna, shop)
    assert shop not in access.mailboxes_of(anna)


@pytest.mark.parametrize("role", ["support group", "staff", "superuser"])
def test_the_mailbox_of_who_becomes_staff_is_not_open_any_more(
    as_anna: Client, anna: User, shop: Mailbox, support: User, role: str
) -> None:
    add(as_anna)
    assert opens(anna, shop)
    if role == "support group":
        owner_of(shop).groups.set(support.groups.all())
    else:
        User.objects.filter(pk=shop.owner_id).update(**{"is_staff" if role == "staff" else "is_superuser": True})
    assert not opens(anna, shop)


@pytest.mark.parametrize("change", [{"is_staff": True}, {"is_active": False}, {"password_given_at": timezone.now()}])
def test_a_linker_who_was_changed_meanwhile_links_nothing(
    anna: User, mailbox: Mailbox, shop: Mailbox, change: dict[str, Any]
) -> None:
    """As a request read them, and as they are when it comes to it."""
    User.objects.filter(pk=anna.pk).update(**change)
    shown = owner_of(shop).get_session_auth_hash()
    with pytest.raises(links.LinkError, match="sign in again"):
        links.link(anna, shop, shown=shown, with_second_factor=False, now=timezone.now(), actor=anna)


def test_ones_own_mailbox_is_not_added(as_anna: Client, mailbox: Mailbox) -> None:
    assert "yours already" in add(as_anna, "anna@firma.example", PASSWORD).text
    assert not MailboxLink.objects.exists()


def test_the_same_mailbox_twice_is_one_link(as_anna: Client, shop: Mailbox) -> None:
    add(as_anna)
    add(as_anna)
    assert MailboxLink.objects.filter(ended_at=None).count() == 1
    assert [row.end for row in MailboxLink.objects.order_by("pk")] == ["anew", ""]


def test_a_password_changed_while_somebody_links_is_not_the_one_that_was_shown(anna: User, shop: Mailbox) -> None:
    shown = owner_of(shop).get_session_auth_hash()
    services.give_password(shop, now=timezone.now(), actor=None)
    with pytest.raises(links.LinkError):
        links.link(anna, shop, shown=shown, with_second_factor=False, now=timezone.now(), actor=anna)


def test_the_mailbox_is_told_by_mail_who_and_how_to_end_it(
    as_anna: Client, anna: User, shop: Mailbox, mailoutbox: list[Any]
) -> None:
    add(as_anna, REMOTE_ADDR="192.0.2.9")
    assert link_notices.tell(timezone.now()) == 1
    assert link_notices.tell(timezone.now()) == 0
    [notice] = mailoutbox
    assert notice.to == ["sklep@sklep.example"]
    assert anna.email in notice.body
    assert "192.0.2.9" in notice.body
    assert notice.extra_headers["Auto-Submitted"] == "auto-generated"
    found = re.search(r"https?://[^/\s]+(/linked/\S+)", notice.body)
    assert found is not None
    stranger = Client()
    assert stranger.get(found[1]).status_code == 200
    assert opens(anna, shop)
    assert "It is ended." in stranger.post(found[1]).text
    assert not opens(anna, shop)
    assert MailboxLink.objects.get().end == "notice"
    assert link_notices.tell(timezone.now()) == 1
    assert mailoutbox[1].to == [anna.email]


def test_the_link_in_a_notice_is_void_for_a_mailbox_that_is_anothers_now(as_anna: Client, shop: Mailbox) -> None:
    add(as_anna)
    path = reverse("link_end_by_mail", args=[links.end_link(MailboxLink.objects.get()).split("/")[-3]])
    assert Client().get(path).status_code == 200
    new = User.objects.create_user("nowy@sklep.example", OTHER)
    Mailbox.objects.filter(pk=shop.pk).update(owner=new)
    assert Client().get(path).status_code == 404
    assert Client().get(path.replace("/linked/", "/linked/x")).status_code == 404


def test_who_ended_it_is_not_told_the_other_side_is(
    as_anna: Client, anna: User, shop: Mailbox, mailoutbox: list[Any]
) -> None:
    add(as_anna)
    link_notices.tell(timezone.now())
    as_anna.post(reverse("link_end", args=[MailboxLink.objects.get().pk]))
    link_notices.tell(timezone.now())
    assert [one.to for one in mailoutbox] == [["sklep@sklep.example"]] * 2
    assert "no more" in mailoutbox[1].body


def test_what_ended_is_forgotten_after_a_while(as_anna: Client, shop: Mailbox) -> None:
    add(as_anna)
    links.end(MailboxLink.objects.get(), links.End.LINKER, actor=None)
    assert links.forget_ended(timezone.now()) == 0
    assert links.forget_ended(timezone.now() + links.KEPT + timedelta(minutes=1)) == 1


def test_the_log_tells_who_linked_and_who_ended(as_anna: Client, anna: User, shop: Mailbox) -> None:
    add(as_anna)
    links.end(MailboxLink.objects.get(), links.End.LINKER, actor=anna)
    words = list(LogLine.objects.filter(key=str(shop.pk)).order_by("pk").values_list("words", "actor__email"))
    assert words == [
        ("opened by another sign-in, too: anna@firma.example", anna.email),
        ("opened by another sign-in no more: anna@firma.example", anna.email),
    ]


def test_the_calendar_feed_has_linked_absences_while_the_link_is_there(
    as_anna: Client, anna: User, shop: Mailbox
) -> None:
    Responder.objects.create(
        mailbox=shop, type="absence", subject="Urlop w sklepie", text_body="x", state="active",
        from_utc=database_now(), from_date=database_now().replace(tzinfo=None),
    )  # fmt: skip
    token = calendars.make_feed(anna)
    path = reverse("calendar_feed", args=[token])
    assert b"VEVENT" not in Client().get(path).content
    add(as_anna)
    assert b"VEVENT" in Client().get(path).content
    links.end(MailboxLink.objects.get(), links.End.OWNER, actor=None)
    assert b"VEVENT" not in Client().get(path).content


def test_another_site_cannot_have_a_mailbox_added(anna: User, shop: Mailbox) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(anna)
    assert add(client).status_code == 403
    assert not MailboxLink.objects.exists()


def test_a_person_with_links_is_deleted_in_the_administration(as_anna: Client, anna: User, shop: Mailbox) -> None:
    add(as_anna)
    chief = User.objects.create_superuser("szef@hosting.example", PASSWORD)
    page = reverse("admin:mailboxes_user_delete", args=[shop.owner_id])
    assert "post" in signed_in(chief).get(page).text
    signed_in(chief).post(page, {"post": "yes"})
    assert not User.objects.filter(pk=shop.owner_id).exists()
    assert not opens(anna, shop)


def test_the_company_is_told_of_a_sign_in_from_outside_and_of_no_other(
    as_anna: Client, anna: User, shop: Mailbox, mailoutbox: list[Any]
) -> None:
    boss = User.objects.create_user("szef@biuro.example", PASSWORD, language="en")
    Customer.objects.get().administrators.add(boss)
    add(as_anna)
    link_notices.tell(timezone.now())
    assert [one.to for one in mailoutbox] == [["sklep@sklep.example"], [boss.email]]
    assert anna.email in mailoutbox[1].body
    assert reverse("mailbox_settings", args=[shop.pk]) in mailoutbox[1].body
    colleague = User.objects.create_user("kasia@sklep.example", PASSWORD)
    Mailbox.objects.create(domain=shop.domain, local_part="kasia", owner=colleague)
    add(signed_in(colleague))
    link_notices.tell(timezone.now())
    assert [one.to for one in mailoutbox[2:]] == [["sklep@sklep.example"]]


def test_a_full_mailbox_keeps_nobody_elses_notice_back(
    as_anna: Client, anna: User, shop: Mailbox, settings: Settings, mailoutbox: list[Any]
) -> None:
    settings.EMAIL_BACKEND = refusing_mail.BACKEND
    refusing_mail.full.add("sklep@sklep.example")
    try:
        add(as_anna)
        other = User.objects.create_user("inny@sklep.example", OTHER)
        Mailbox.objects.create(domain=shop.domain, local_part="inny", owner=other)
        add(as_anna, "inny@sklep.example")
        assert link_notices.tell(timezone.now()) == 1
        assert [one.to for one in mailoutbox] == [["inny@sklep.example"]]
        assert link_notices.tell(timezone.now()) == 0
    finally:
        refusing_mail.full.clear()
