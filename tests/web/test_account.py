"""The account: password, language, time zone, devices."""

import re
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from mailboxes import devices, tasks
from mailboxes.models import LogLine, Mailbox, User
from responders.models import ResponderEvent
from tests.conftest import PASSWORD
from tests.web.test_acting import give_reason
from tests.web.test_responder_form import TYPED

NEW = "seven green umbrellas"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"


def sign_in(user: User, browser: str = FIREFOX, *, client: Client | None = None) -> Client:
    client = client or Client()
    client.defaults["HTTP_USER_AGENT"] = browser
    typed = {"login": user.email, "password": PASSWORD}
    assert client.post(reverse("account_login"), typed).status_code == 302
    return client


def is_signed_in(client: Client) -> bool:
    return client.get(reverse("account")).status_code == 200


def change_password(client: Client, new: str = NEW, **changes: str) -> str:
    typed = {"oldpassword": PASSWORD, "password1": new, "password2": new} | changes
    return client.post(reverse("account_change_password"), typed, follow=True, headers={"accept-language": "pl"}).text


def test_the_account_leads_to_each_of_its_parts(as_anna: Client, mailbox: Mailbox) -> None:
    page = as_anna.get(reverse("account")).text
    for name in ("account_change_password", "mfa_index", "usersessions_list"):
        assert f'href="{reverse(name)}"' in page
    assert f'href="{reverse("account_time_zone", args=[mailbox.pk])}"' in page
    assert f'href="{reverse("account")}"' in as_anna.get("/").text


def test_a_page_of_the_account_asks_the_same_number_of_questions_whatever_it_shows(
    anna: User, mailbox: Mailbox, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = sign_in(anna)
    for number in range(8):
        sign_in(anna)
        Mailbox.objects.create(domain=mailbox.domain, local_part=f"m{number}", owner=anna)
    for name in ("account", "usersessions_list", "mfa_index"):
        with django_assert_max_num_queries(12):
            assert client.get(reverse(name)).status_code == 200


# --- Password -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("passwords_cost_what_they_should")
def test_a_new_password_counts_and_signs_out_everywhere_else(anna: User) -> None:
    here, there = sign_in(anna), sign_in(anna)
    assert "Hasło zostało zmienione." in change_password(here)
    assert is_signed_in(here)
    assert not is_signed_in(there)
    anna.refresh_from_db()
    assert anna.check_password(NEW)
    assert anna.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert UserSession.objects.count() == 1
    assert Session.objects.filter(session_key=UserSession.objects.get().session_key).exists()


def test_a_new_password_of_ones_own_stands_in_the_log(anna: User) -> None:
    """Who, from where, by which door; of the passwords nothing."""
    change_password(sign_in(anna))
    line = LogLine.objects.get(model="mailboxes.user", words="password changed")
    assert (line.key, line.actor) == (str(anna.pk), anna)
    assert (line.place, line.way) == ("127.0.0.1", "panel")
    assert line.name == "anna@firma.example"


@pytest.mark.parametrize("others", [0, 1, 2])
def test_the_log_counts_the_other_devices_that_a_new_password_signs_out(anna: User, others: int) -> None:
    """Not the person's own session, which goes on under another key."""
    here = sign_in(anna)
    for _number in range(others):
        sign_in(anna)
    change_password(here)
    words = LogLine.objects.filter(words__startswith="signed out").values_list("words", flat=True)
    assert list(words) == ([f"signed out on all other devices: {others}"] if others else [])
    assert is_signed_in(here)
    assert UserSession.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"oldpassword": "wrong"}, "To nie jest Twoje obecne hasło."),
        ({"password2": "seven green umbrella"}, "Musisz wpisać za każdym razem to samo hasło."),
    ],
)
def test_a_slip_changes_nothing(as_anna: Client, anna: User, typed: dict[str, str], words: str) -> None:
    assert words in change_password(as_anna, **typed)
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("kot i pies", ""),
        ("za krótkie", ""),
        ("krotkie1", "za krótkie. Musi zawierać co najmniej 10 znaków"),
        ("anna@firma", "zbyt podobne"),
        ("nowak anna", "zbyt podobne"),
        ("qwertyuiop", "zgaduje się jako pierwsze"),
        ("Polska2026!", "zgaduje się jako pierwsze"),
        ("p@ssw0rd1234", "zgaduje się jako pierwsze"),
        ("haslohaslo", "zgaduje się jako pierwsze"),
        ("482604826048", "zgaduje się jako pierwsze"),
        ("k9#vT2qLw!x4", ""),
    ],
)
def test_a_password_that_is_guessed_first_is_refused_in_words(as_anna: Client, password: str, words: str) -> None:
    page = change_password(as_anna, password)
    assert words in page
    assert ("Hasło zostało zmienione." in page) == (not words)


def test_the_administrations_own_way_to_change_a_password_leads_to_ours(client: Client, db: None) -> None:
    client.force_login(User.objects.create_superuser("admin@hosting.example"))
    page = client.get(reverse("admin:password_change"))
    assert page["Location"] == reverse("account_change_password")


def test_wrong_present_passwords_are_counted(as_anna: Client) -> None:
    for _attempt in range(5):
        change_password(as_anna, oldpassword="wrong")
    page = as_anna.post(reverse("account_change_password"), {"oldpassword": PASSWORD})
    assert page.status_code == 429


# --- Language and time zone ---------------------------------------------------------------------------


def test_the_language_chosen_wins_over_the_cookie_and_the_browser(as_anna: Client, anna: User) -> None:
    as_anna.post(reverse("account_language"), {"language": "pl"})
    as_anna.cookies["django_language"] = "en"
    page = as_anna.get(reverse("account"), headers={"accept-language": "en"})
    assert '<html lang="pl">' in page.text
    assert page["Content-Language"] == "pl"
    as_anna.post(reverse("account_language"), {"language": ""})
    assert '<html lang="en">' in as_anna.get(reverse("account")).text


def test_the_switch_at_the_foot_keeps_the_choice_of_who_is_signed_in(as_anna: Client, anna: User) -> None:
    as_anna.post(reverse("account_language"), {"language": "en"})
    page = as_anna.post(reverse("set_language"), {"language": "pl", "next": "/account/"}, follow=True)
    assert '<html lang="pl">' in page.text
    anna.refresh_from_db()
    assert anna.language == "pl"


@pytest.mark.parametrize("language", ["de", "pl\x00", "x" * 500])
def test_no_other_language_is_kept(as_anna: Client, anna: User, language: str) -> None:
    for name in ("account_language", "set_language"):
        assert as_anna.post(reverse(name), {"language": language}).status_code == 302
    anna.refresh_from_db()
    assert anna.language == ""


def test_the_switch_leads_nowhere_else(client: Client, db: None) -> None:
    page = client.post(reverse("set_language"), {"language": "pl", "next": "https://evil.example/"})
    assert page["Location"] == "/"


def test_the_owner_changes_the_zone_and_written_responders_keep_theirs(
    as_anna: Client, mailbox: Mailbox, anna: User
) -> None:
    row = mailbox.responders.create(type="standing", subject="x", text_body="x", time_zone="Europe/Warsaw")
    address = reverse("account_time_zone", args=[mailbox.pk])
    page = as_anna.get(address, headers={"accept-language": "pl"}).text
    assert '<option value="Europe/Warsaw" selected>Warszawa</option>' in page
    assert '<optgroup label="Europa">' in page
    assert as_anna.post(address, {"time_zone": "America/New_York"}).status_code == 302
    mailbox.refresh_from_db()
    row.refresh_from_db()
    assert (mailbox.time_zone, row.time_zone) == ("America/New_York", "Europe/Warsaw")
    event = ResponderEvent.objects.get()
    assert (event.actor, event.mailbox) == (anna, mailbox)
    assert event.changes == {"time_zone": ["Europe/Warsaw", "America/New_York"]}


def test_the_owner_says_whose_public_holidays_count(as_anna: Client, mailbox: Mailbox, anna: User) -> None:
    row = mailbox.responders.create(type="absence", subject="x", text_body="{{ absence.return_date }}", country="PL")
    address = reverse("account_time_zone", args=[mailbox.pk])
    page = as_anna.get(address, headers={"accept-language": "pl"}).text
    assert '<option value="" selected>Jak zwykle tutaj: Polska</option>' in page
    assert '<option value="DE">Niemcy</option>' in page
    assert as_anna.post(address, {"time_zone": "Europe/Warsaw", "holiday_country": "DE"}).status_code == 302
    mailbox.refresh_from_db()
    row.refresh_from_db()
    assert (mailbox.country, row.country) == ("DE", "DE")
    assert ResponderEvent.objects.get().changes == {"holiday_country": ["", "DE"]}
    typed = TYPED | {"from_date": "2099-09-28T08:00", "to_date": "2099-10-03T08:00", "preview": "1"}
    shown = as_anna.post(reverse("responder_new", args=[mailbox.pk]), typed, headers={"HX-Request": "true"}).text
    assert "German Unity Day" in shown
    calendar = as_anna.get(reverse("calendar"), {"month": "2099-10"}).text
    assert "German Unity Day" in calendar
    assert as_anna.post(address, {"time_zone": "Europe/Warsaw", "holiday_country": "XX"}).status_code == 422


def test_only_time_zones_are_taken(as_anna: Client, mailbox: Mailbox) -> None:
    page = as_anna.post(reverse("account_time_zone", args=[mailbox.pk]), {"time_zone": "Mars/Olympus"})
    assert page.status_code == 422
    mailbox.refresh_from_db()
    assert mailbox.time_zone == "Europe/Warsaw"


def test_the_zone_of_another_persons_mailbox_is_not_known_to_exist(as_anna: Client, somebody_elses: Mailbox) -> None:
    address = reverse("account_time_zone", args=[somebody_elses.pk])
    assert as_anna.get(address).status_code == 404
    assert as_anna.post(address, {"time_zone": "UTC"}).status_code == 404


def test_support_changes_the_zone_for_the_owner(as_support: Client, mailbox: Mailbox) -> None:
    give_reason(as_support, mailbox)
    page = as_support.post(reverse("account_time_zone", args=[mailbox.pk]), {"time_zone": "Europe/London"})
    assert page["Location"] == reverse("mailbox", args=[mailbox.pk])
    assert ResponderEvent.objects.get().actor.email == "pomoc@hosting.example"


# --- Devices ------------------------------------------------------------------------------------------


def test_devices_are_named_by_browser_and_address(anna: User) -> None:
    here = sign_in(anna)
    sign_in(anna, PHONE, client=Client(REMOTE_ADDR="2001:db8::7"))
    sign_in(anna, EDGE)
    text = re.sub(r"\s+", " ", here.get(reverse("usersessions_list")).text)
    for words in ("Firefox on Linux", "this one", "Safari on iPhone", "2001:db8::7", "Edge on Windows"):
        assert words in text
    assert text.index("Firefox on Linux") < text.index("Edge on Windows") < text.index("Safari on iPhone")


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (EDGE, "Edge on Windows"),
        ("Something Android", "Android"),
        ("curl/8", "An unknown program"),
        ("", "An unknown program"),
    ],
)
def test_a_browser_is_named(user_agent: str, name: str) -> None:
    assert devices.browser_name(user_agent) == name


def test_one_device_is_signed_out(anna: User) -> None:
    here, there, elsewhere = sign_in(anna), sign_in(anna), sign_in(anna)
    key = there.session.session_key
    row = UserSession.objects.get(session_key=key)
    assert here.get(reverse("device_end", args=[row.pk])).status_code == 302
    assert is_signed_in(there)
    here.post(reverse("device_end", args=[row.pk]))
    assert [is_signed_in(client) for client in (here, there, elsewhere)] == [True, False, True]
    assert not Session.objects.filter(session_key=key).exists()


def test_every_other_device_is_signed_out(anna: User) -> None:
    here, there, elsewhere = sign_in(anna), sign_in(anna), sign_in(anna)
    page = here.post(reverse("device_end_others"), follow=True)
    assert "Signed out on every other device." in page.text
    assert [is_signed_in(client) for client in (here, there, elsewhere)] == [True, False, False]


def test_nobody_ends_a_session_of_another_person_or_the_one_they_are_in(anna: User) -> None:
    other = User.objects.create_user("obcy@inna.example", PASSWORD)
    here, others = sign_in(anna), sign_in(other)
    for client in (here, others):
        row = UserSession.objects.get(session_key=client.session.session_key)
        assert here.post(reverse("device_end", args=[row.pk])).status_code == 404
    assert is_signed_in(here)
    assert is_signed_in(others)
    assert "obcy" not in here.get(reverse("usersessions_list")).text


def test_a_session_that_is_over_is_no_device(anna: User) -> None:
    here, expired, by_old_password = sign_in(anna), sign_in(anna), sign_in(anna)
    Session.objects.filter(session_key=expired.session.session_key).update(expire_date=timezone.now())
    Session.objects.filter(session_key=by_old_password.session.session_key).update(
        session_data=expired.session.encode({"_auth_user_id": str(anna.pk), "_auth_user_hash": "of an old password"})
    )
    page = here.get(reverse("usersessions_list"))
    assert [device.is_this for device in page.context["devices"]] == [True]
    assert UserSession.objects.count() == 1


def test_sessions_that_are_over_are_forgotten_with_their_addresses(anna: User) -> None:
    here, expired, ended = sign_in(anna), sign_in(anna), sign_in(anna)
    Session.objects.filter(session_key=expired.session.session_key).update(expire_date=timezone.now())
    Session.objects.filter(session_key=ended.session.session_key).delete()
    assert tasks.forget_ended_sessions() == 1
    assert UserSession.objects.get().session_key == here.session.session_key
    assert is_signed_in(here)


def test_a_device_was_last_seen_when_it_last_asked_for_a_page(anna: User) -> None:
    client = sign_in(anna)
    long_ago = timezone.now() - timedelta(hours=3)
    UserSession.objects.update(last_seen_at=long_ago, ip="192.0.2.1")
    devices._asked_lately.clear()  # a minute later
    client.get("/")
    row = UserSession.objects.get()
    assert row.last_seen_at > long_ago + timedelta(hours=2)
    with CaptureQueriesContext(connection) as asked:
        client.get("/")
    assert not [one for one in asked if "UPDATE" in one["sql"]]
    assert row.ip == "127.0.0.1"
