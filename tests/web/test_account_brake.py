"""Wrong passwords: a guesser is stopped soon, the owner never for good, and nobody learns who has an account."""

import os
import subprocess
import sys

import pytest
from django.contrib.auth.hashers import get_hasher
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from mailboxes import brake
from mailboxes.models import Mailbox, User
from tests import second_factor
from tests.conftest import PASSWORD

STOPPED = "Too many wrong attempts"


def attempt(
    client: Client, password: str = "wrong", *, login: str = "anna@firma.example", place: str = "127.0.0.1"
) -> str:
    """What signing in leads to: the words of the page, or the address of the next one."""
    page = client.post(reverse("account_login"), {"login": login, "password": password}, REMOTE_ADDR=place)
    return page["Location"] if page.status_code == 302 else page.text


def attempts(count: int, **options: str) -> str:
    """From browsers that nobody knows; the last answer."""
    return [attempt(Client(), **options) for _number in range(count)][-1]


def known_browser(user: User) -> Client:
    """One in which the person has signed in before, and out."""
    client = Client()
    assert attempt(client, PASSWORD, login=user.email) == "/"
    client.post(reverse("account_logout"))
    return client


def test_six_wrong_passwords_stop_the_place_for_this_account_but_no_other(anna: User) -> None:
    other = User.objects.create_user("piotr@firma.example", PASSWORD)
    assert STOPPED not in attempts(5)
    assert STOPPED in attempts(1)
    assert STOPPED in attempt(Client(), PASSWORD)
    assert attempt(Client(), PASSWORD, login=other.email) == "/"


def test_an_account_is_open_from_other_places(anna: User) -> None:
    attempts(6)
    assert attempt(Client(), PASSWORD, place="192.0.2.7") == "/"


def test_spellings_of_an_address_are_one_account(anna: User) -> None:
    for login in (
        "anna@firma.example",
        "ANNA@firma.example",
        " anna@Firma.Example",
        "Anna@firma.example",
        "anna@FIRMA.example",
    ):
        attempt(Client(), login=login)
    assert STOPPED in attempt(Client(), PASSWORD, login="aNNa@firma.example")


def test_another_name_or_port_of_the_panel_is_no_way_around(anna: User) -> None:
    for port in range(8000, 8005):
        Client(SERVER_NAME="localhost", SERVER_PORT=str(port)).post(
            reverse("account_login"), {"login": anna.email, "password": "wrong"}, HTTP_HOST=f"localhost:{port}"
        )
    assert STOPPED in attempt(Client(), PASSWORD)


def test_the_owners_own_browser_comes_in_while_strangers_try_from_everywhere(anna: User) -> None:
    """However many strangers fill the limit of the account, and from the owner's own address too."""
    owners = known_browser(anna)
    for number in range(25):
        attempts(4, place=f"198.51.100.{number}")
    assert STOPPED in attempts(1, place="203.0.113.9", password=PASSWORD)
    attempts(11, login="nobody@firma.example")
    assert attempt(owners, PASSWORD) == "/"


def test_a_browser_that_is_known_is_stopped_as_well_and_by_itself(anna: User) -> None:
    guessers = known_browser(anna)
    for _attempt in range(10):
        assert STOPPED not in attempt(guessers)
    assert STOPPED in attempt(guessers, PASSWORD)
    assert attempt(Client(), PASSWORD) == "/"


def test_a_known_browser_is_known_to_its_own_account_alone(anna: User) -> None:
    other = User.objects.create_user("piotr@firma.example", PASSWORD)
    annas, piotrs = known_browser(anna), known_browser(other)
    [name] = [name for name in annas.cookies if name.startswith("known-")]
    [other_name] = [name for name in piotrs.cookies if name.startswith("known-")]
    piotrs.cookies[name] = piotrs.cookies[other_name].value
    attempts(5)
    assert STOPPED in attempt(piotrs, PASSWORD)


def test_the_mark_of_a_known_browser_is_kept_from_scripts_and_other_pages(anna: User, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = True
    client = Client()
    attempt(client, PASSWORD)
    [cookie] = [cookie for name, cookie in client.cookies.items() if name.startswith("known-")]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (
        True,
        True,
        "Lax",
        "/sign-in/",
    )
    assert "anna" not in cookie.key + cookie.value


def test_right_passwords_are_not_counted(anna: User) -> None:
    for _time in range(12):
        assert attempt(Client(), PASSWORD) == "/"


def test_it_lets_go_by_itself(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts(6)
    later = brake.ratelimit.time.time() + 301
    monkeypatch.setattr(brake.ratelimit.time, "time", lambda: later)
    assert attempt(Client(), PASSWORD) == "/"


def test_no_limit_lasts_longer_than_an_hour() -> None:
    for rates in brake.LIMITS.values():
        assert all(rate.duration <= 3600 for rate in brake.ratelimit.parse_rates(rates))


def test_whether_an_address_exists_is_not_told(client: Client, mailbox: Mailbox) -> None:
    """The same words, and the same number of passwords hashed, at the first attempt and after the last."""
    blocked = User.objects.create_user("blocked@firma.example", PASSWORD, is_active=False)
    without = User.objects.create_user("without@firma.example")
    logins = ["anna@firma.example", "nobody@firma.example", blocked.email, without.email, "nobody@elsewhere.example"]
    for number in range(7):
        answers = {login: _told(login, f"192.0.2.{number}") for login in logins}
        assert len(set(answers.values())) == 1, answers


def _told(login: str, place: str) -> tuple[str, int]:
    page, hashed = _count_hashes(login, place)
    return page.replace(login, "…"), hashed


def _count_hashes(login: str, place: str) -> tuple[str, int]:
    hasher = type(get_hasher())
    count = 0

    def counting(method):
        def counted(self, *args, **kwargs):
            nonlocal count
            count += 1
            return method(self, *args, **kwargs)

        return counted

    with pytest.MonkeyPatch.context() as patch:
        for name in ("encode", "verify"):
            patch.setattr(hasher, name, counting(getattr(hasher, name)))
        page = Client().post(reverse("account_login"), {"login": login, "password": "wrong"}, REMOTE_ADDR=place)
    return str(page.context["form"].non_field_errors()), count


ANOTHER_PROCESS = """
import sys, django
django.setup()
from django.conf import settings
from django.test import RequestFactory
from mailboxes import brake
settings.CACHES["default"]["KEY_PREFIX"] = sys.argv[1]
for _attempt in range(5):
    brake.consume(RequestFactory().post("/sign-in/"), "anna@firma.example")
"""


def test_processes_share_the_count_and_it_survives_them(anna: User, settings: Settings) -> None:
    prefix = settings.CACHES["default"]["KEY_PREFIX"]
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "webmail_panel.settings"}
    subprocess.run([sys.executable, "-c", ANOTHER_PROCESS, prefix], env=env, timeout=300, check=True)
    assert STOPPED in attempt(Client(), PASSWORD)


def test_the_password_again_has_the_same_brake(anna: User) -> None:
    client = Client()
    client.force_login(anna)
    for _attempt in range(5):
        client.post(reverse("account_reauthenticate"), {"password": "wrong"})
    assert STOPPED in client.post(reverse("account_reauthenticate"), {"password": PASSWORD}).text


def code_attempt(client: Client, code: str, place: str = "127.0.0.1") -> int:
    """The password is right."""
    attempt(client, PASSWORD, place=place)
    return client.post(reverse("mfa_authenticate"), {"code": code}, REMOTE_ADDR=place).status_code


def test_who_knows_the_password_stops_soon_at_the_codes_and_does_not_stop_the_owner(anna: User) -> None:
    owners = known_browser(anna)
    second_factor.give_app(anna)
    for number in range(24):
        code_attempt(Client(), second_factor.wrong_code(), place=f"198.51.100.{number}")
    assert code_attempt(Client(), second_factor.code(), place="203.0.113.9") == 200
    assert code_attempt(owners, second_factor.code()) == 302


def test_right_codes_are_not_counted(anna: User) -> None:
    recovery_codes = second_factor.give_app(anna)
    for code in recovery_codes[:8]:
        assert code_attempt(Client(), code) == 302
