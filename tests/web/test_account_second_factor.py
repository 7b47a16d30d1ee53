"""The second factor: set up, asked for, removed; staff need one."""

import json

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from mailboxes import adapters
from mailboxes.models import LogLine, Mailbox, User
from tests import second_factor
from tests.conftest import PASSWORD

INDEX = "/account/second-factor/"


@pytest.fixture
def with_app(anna: User) -> list[str]:
    """The owner has an app; its recovery codes."""
    return second_factor.give_app(anna)


@pytest.fixture
def staff_need_one(settings: Settings) -> None:
    """As outside DEBUG."""
    settings.REQUIRE_STAFF_MFA = True


@pytest.fixture
def administrator(db: None) -> User:
    """Without a second factor yet."""
    return User.objects.create_superuser("admin@hosting.example", PASSWORD)


def first_step(client: Client, address: str = "anna@firma.example", to: str = "/") -> str:
    typed = {"login": address, "password": PASSWORD, "next": to}
    return client.post(reverse("account_login"), typed)["Location"]


def second_step(client: Client, code: str) -> int:
    return client.post(reverse("mfa_authenticate"), {"code": code}).status_code


def set_up(client: Client) -> None:
    """As a person does with an app."""
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    page = client.post(reverse("mfa_activate_totp"), {"code": second_factor.code(secret)})
    assert page["Location"] == reverse("mfa_view_recovery_codes")


# --- Signing in ---------------------------------------------------------------------------------------


def test_the_password_alone_does_not_open_the_panel(client: Client, with_app: list[str]) -> None:
    assert first_step(client) == reverse("mfa_authenticate")
    assert client.get("/")["Location"].startswith(reverse("account_login"))
    assert second_step(client, second_factor.wrong_code()) == 200
    assert client.get("/").status_code == 302
    assert second_step(client, second_factor.code()) == 302
    assert client.get("/").status_code == 200


def test_it_leads_to_where_one_wanted_to_go(client: Client, with_app: list[str], mailbox: Mailbox) -> None:
    first_step(client, to=reverse("mailbox", args=[mailbox.pk]))
    page = client.post(reverse("mfa_authenticate"), {"code": second_factor.code()})
    assert page["Location"] == reverse("mailbox", args=[mailbox.pk])


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_clock_that_is_half_a_minute_off_does_not_matter(client: Client, with_app: list[str], steps: int) -> None:
    first_step(client)
    assert second_step(client, second_factor.code(steps=steps)) == 302


def test_a_code_counts_once(client: Client, with_app: list[str]) -> None:
    code = second_factor.code(steps=1)
    for expected in (302, 200):
        client.logout()
        first_step(client)
        assert second_step(client, f" {code[:3]} {code[3:]} ") == expected


def test_a_recovery_code_counts_once(client: Client, with_app: list[str]) -> None:
    for expected in (302, 200):
        client.logout()
        first_step(client)
        assert second_step(client, with_app[0]) == expected


def test_codes_cannot_be_tried_without_end(client: Client, with_app: list[str]) -> None:
    first_step(client)
    for _attempt in range(5):
        second_step(client, second_factor.wrong_code())
    page = client.post(reverse("mfa_authenticate"), {"code": second_factor.code()}, headers={"accept-language": "pl"})
    assert "Zbyt wiele nieudanych prób" in page.text
    assert client.get("/").status_code == 302


def test_the_second_step_alone_is_no_way_in(client: Client, with_app: list[str]) -> None:
    assert client.get(reverse("mfa_authenticate"))["Location"] == reverse("account_login")
    assert client.post(reverse("mfa_authenticate"), {"code": second_factor.code()}).status_code == 302
    assert client.get("/").status_code == 302


def test_administrators_are_asked_for_it_on_the_way_to_the_administration(client: Client, administrator: User) -> None:
    second_factor.give_app(administrator)
    page = client.get("/admin/", follow=True)
    assert page.redirect_chain[-1][0].startswith(reverse("account_login"))
    assert first_step(client, administrator.email, to="/admin/") == reverse("mfa_authenticate")
    assert client.get("/admin/").status_code == 302
    page = client.post(reverse("mfa_authenticate"), {"code": second_factor.code()})
    assert page["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


# --- Setting up and removing --------------------------------------------------------------------------


def test_it_is_set_up_with_the_first_code(client: Client, anna: User) -> None:
    first_step(client)
    set_up(client)
    page = client.get(reverse("mfa_view_recovery_codes"))
    assert len(page.context["unused_codes"]) == 10
    assert "no-store" in page["Cache-Control"]
    saved = client.get(reverse("mfa_download_recovery_codes"))
    assert saved.text.split() == page.context["unused_codes"]
    assert "attachment" in saved["Content-Disposition"]


def test_the_secret_stands_on_the_page_alone_and_encrypted_in_the_database(client: Client, anna: User) -> None:
    first_step(client)
    page = client.get(reverse("mfa_activate_totp"))
    assert "data:image/svg+xml;base64," in page.text
    assert "no-store" in page["Cache-Control"]
    assert "unsafe" not in page["Content-Security-Policy"]
    set_up(client)
    row = Authenticator.objects.get(user=anna, type="totp")
    secret = row.wrap().instance.data["secret"]
    assert adapters.SecondFactorAdapter().decrypt(secret) not in json.dumps(row.data)


def test_a_new_secret_key_keeps_second_factors_as_long_as_the_old_one_is_a_fallback(
    client: Client, with_app: list[str], settings: Settings
) -> None:
    settings.SECRET_KEY_FALLBACKS = [django_settings.SECRET_KEY]
    settings.SECRET_KEY = "another-" + "y" * 50
    first_step(client)
    assert second_step(client, second_factor.code()) == 302


def test_a_second_factor_under_a_lost_secret_key_lets_nobody_in(
    client: Client, with_app: list[str], settings: Settings
) -> None:
    settings.SECRET_KEY = "another-" + "y" * 50
    first_step(client)
    for code in (second_factor.code(), with_app[0], "", "000000"):
        assert second_step(client, code) == 200
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("name", ["mfa_activate_totp", "mfa_add_webauthn"])
def test_the_password_is_asked_for_again_before_a_factor_is_added(as_anna: Client, name: str) -> None:
    """A session that was not opened within the last five minutes."""
    page = as_anna.get(reverse(name))
    assert page["Location"] == f"{reverse('account_reauthenticate')}?next={reverse(name).replace('/', '%2F')}"
    assert as_anna.post(page["Location"], {"password": "wrong"}).status_code == 200
    assert as_anna.post(page["Location"], {"password": PASSWORD})["Location"] == reverse(name)
    assert as_anna.get(reverse(name)).status_code == 200


@pytest.mark.parametrize("name", ["mfa_deactivate_totp", "mfa_view_recovery_codes", "mfa_generate_recovery_codes"])
def test_it_is_asked_for_again_before_a_factor_is_shown_or_removed(
    as_anna: Client, with_app: list[str], name: str
) -> None:
    for ask in (as_anna.get, as_anna.post):
        page = ask(reverse(name))
        assert page.status_code == 405 or page["Location"].startswith(reverse("account_reauthenticate"))
    assert Authenticator.objects.filter(type="totp").exists()


def test_after_removing_it_the_password_is_enough_again(client: Client, with_app: list[str]) -> None:
    first_step(client)
    second_step(client, second_factor.code())
    page = client.post(reverse("mfa_deactivate_totp"), follow=True)
    assert "The app is removed." in page.text
    assert not Authenticator.objects.exists()
    client.logout()
    assert first_step(client) == "/"


def test_every_change_of_ones_own_second_factor_stands_in_the_log(
    client: Client, anna: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    """Who, from where, by which door; of secrets and codes nothing."""
    first_step(client)
    with django_capture_on_commit_callbacks(execute=True):
        set_up(client)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("mfa_generate_recovery_codes"))
    client.post(reverse("mfa_deactivate_totp"))
    lines = LogLine.objects.filter(model="mailboxes.user", key=str(anna.pk)).order_by("pk")
    words = [line.words for line in lines]
    assert words[0] == "second factor set up: app"
    assert "recovery codes made" in words
    assert words[-1] == "second factor removed: app"
    assert {(line.actor, line.place, line.way) for line in lines} == {(anna, "127.0.0.1", "panel")}


def test_new_recovery_codes_take_the_place_of_the_old(client: Client, with_app: list[str]) -> None:
    first_step(client)
    second_step(client, second_factor.code())
    page = client.post(reverse("mfa_generate_recovery_codes"), follow=True)
    assert not set(page.context["unused_codes"]) & set(with_app)


def test_another_persons_key_cannot_be_touched(client: Client, anna: User, somebody_elses: Mailbox) -> None:
    key = Authenticator.objects.create(
        user=somebody_elses.owner, type="webauthn", data={"name": "Theirs", "credential": {}}
    )
    first_step(client)
    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        address = reverse(name, args=[key.pk])
        assert client.get(address).status_code == 404
        assert client.post(address, {"name": "Mine"}).status_code == 404
    assert "Theirs" not in client.get(INDEX).text


def answer(**response: str) -> str:
    """In the form of a key's answer."""
    return json.dumps(
        {"id": "AA", "rawId": "AA", "type": "public-key", "response": response, "clientExtensionResults": {}}
    )


HOSTILE = [
    "", "null", "[]", "{}", "0", '"x"', "not json", '{"id": 1}', '{"id": "AA", "rawId": "AA", "type": "public-key"}',
    '{"response": null}', '{"id": {"id": {}}, "response": []}', "[" * 5_000, "[" * 50_000,
    '{"id": "\\u0000", "rawId": "\\u0000", "type": "\\u0000"}',
    answer(), answer(clientDataJSON="AA", attestationObject="AA", authenticatorData="AA", signature="AA"),
    answer(clientDataJSON="e30", attestationObject="oA", authenticatorData="AAAA", signature=""),
    answer(clientDataJSON="!!", attestationObject="żółw", authenticatorData="A" * 600, signature="A"),
    answer(clientDataJSON="eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiQUEiLCJvcmlnaW4iOiJodHRwOi8vdGVzdHNlcnZlciJ9",
           attestationObject="o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUA", authenticatorData="A" * 50, signature="AA"),
]  # fmt: skip


@pytest.mark.parametrize("credential", HOSTILE)
def test_hostile_answers_of_a_key_are_refused(client: Client, with_app: list[str], credential: str) -> None:
    first_step(client)
    client.get(reverse("mfa_authenticate"))
    assert client.post(reverse("mfa_authenticate"), {"credential": credential}).status_code == 200
    second_step(client, second_factor.code())
    for name in ("mfa_add_webauthn", "mfa_reauthenticate_webauthn"):
        client.get(reverse(name))
        assert client.post(reverse(name), {"credential": credential, "name": "x"}).status_code in {200, 302}
    assert not Authenticator.objects.filter(type="webauthn").exists()


@pytest.mark.parametrize("code", ["\x00", "ż" * 5000, "１２３４５６", "-1", "0" * 39])
def test_hostile_codes_are_refused(client: Client, with_app: list[str], code: str) -> None:
    first_step(client)
    assert second_step(client, code) == 200


# --- Staff --------------------------------------------------------------------------------------------


@pytest.fixture(params=["pomoc@hosting.example", "admin@hosting.example"])
def staff(request: pytest.FixtureRequest, support: User, administrator: User, staff_need_one: None) -> User:
    """A support agent, an administrator."""
    return User.objects.get(email=request.param)


def test_staff_without_one_are_led_to_set_it_up_before_anything_else(
    client: Client, staff: User, mailbox: Mailbox
) -> None:
    first_step(client, staff.email)
    for path in ("/", "/admin/", "/account/", reverse("mailbox", args=[mailbox.pk]), reverse("account_change_password"),
                 reverse("usersessions_list"), reverse("admin:mailboxes_user_changelist")):  # fmt: skip
        assert client.get(path)["Location"] == INDEX, path
        assert client.post(path)["Location"] == INDEX, path
    assert "your password alone is not enough" in client.get(INDEX).text
    set_up(client)
    assert client.get("/").status_code == 200
    assert client.get("/admin/").status_code == (200 if staff.is_staff else 302)


def test_staff_may_leave_and_read_in_their_language_before_that(client: Client, staff: User) -> None:
    first_step(client, staff.email)
    assert client.post(reverse("set_language"), {"language": "pl", "next": INDEX})["Location"] == INDEX
    assert "samo hasło nie wystarczy" in client.get(INDEX).text
    client.post(reverse("account_logout"))
    assert client.get("/")["Location"].startswith(reverse("account_login"))


def test_a_session_of_staff_that_was_opened_without_it_is_asked_for_it(client: Client, staff: User) -> None:
    first_step(client, staff.email)
    second_factor.give_app(staff)  # in another browser
    page = client.get("/?q=anna")
    assert page["Location"] == f"{reverse('mfa_reauthenticate')}?next=%2F%3Fq%3Danna"
    for path in (INDEX, reverse("mfa_activate_totp"), reverse("mfa_add_webauthn"), reverse("mfa_view_recovery_codes")):
        assert client.get(path)["Location"].startswith(reverse("mfa_reauthenticate")), path
    assert client.post(page["Location"], {"code": second_factor.code()})["Location"] == "/?q=anna"
    assert client.get("/?q=anna").status_code == 200


def test_the_password_again_does_not_do_for_staff(client: Client, staff: User) -> None:
    first_step(client, staff.email)
    second_factor.give_app(staff)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert client.get("/").status_code == 302


def test_staff_cannot_remove_the_last_one(client: Client, staff: User) -> None:
    second_factor.give_app(staff)
    first_step(client, staff.email)
    second_step(client, second_factor.code())
    assert "set up another one before" in client.get(reverse("mfa_deactivate_totp")).text
    client.post(reverse("mfa_deactivate_totp"))
    assert second_factor.has_app(staff)
    key = Authenticator.objects.create(user=staff, type="webauthn", data={"name": "Key", "credential": {}})
    client.post(reverse("mfa_deactivate_totp"))
    assert not second_factor.has_app(staff)
    page = client.post(reverse("mfa_remove_webauthn", args=[key.pk]), follow=True)
    assert "set up another one before" in page.text
    assert Authenticator.objects.filter(pk=key.pk).exists()


def test_owners_need_none(client: Client, anna: User, mailbox: Mailbox, staff_need_one: None) -> None:
    assert first_step(client) == "/"
    assert client.get("/").status_code == 200


def test_the_demo_asks_staff_for_none(client: Client, administrator: User, settings: Settings) -> None:
    settings.REQUIRE_STAFF_MFA = False
    first_step(client, administrator.email)
    assert client.get("/admin/").status_code == 200


# --- Lost ones ----------------------------------------------------------------------------------------


def test_an_administrator_takes_it_away_from_who_lost_it(client: Client, with_app: list[str], anna: User) -> None:
    annas = Client()
    first_step(annas)
    second_step(annas, second_factor.code())
    client.force_login(User.objects.create_superuser("admin@hosting.example"))
    chosen = {"action": "remove_second_factor", "_selected_action": [anna.pk]}
    page = client.post(reverse("admin:mailboxes_user_changelist"), chosen, follow=True)
    assert "At the next sign-in the password is enough" in page.text
    assert annas.get("/").status_code == 302
    assert first_step(annas) == "/"
    history = client.get(reverse("admin:mailboxes_user_history", args=[anna.pk]))
    assert "second factor removed" in history.text


def test_nobody_reads_secrets_or_session_keys_in_the_administration(client: Client, with_app: list[str]) -> None:
    client.force_login(User.objects.create_superuser("admin@hosting.example"))
    for path in ("/admin/mfa/authenticator/", "/admin/usersessions/usersession/"):
        assert client.get(path).status_code == 404


def test_the_command_tells_and_removes(with_app: list[str], anna: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("secondfactor", "Anna@Firma.example")
    call_command("secondfactor", "anna@firma.example", "--remove")
    call_command("secondfactor", "anna@firma.example")
    lines = [
        "anna@firma.example: totp",
        "anna@firma.example: 1 removed; signed out everywhere",
        "anna@firma.example: none",
    ]
    assert capsys.readouterr().out.splitlines() == lines
    assert not Session.objects.exists()
    with pytest.raises(CommandError, match="nobody who signs in here"):
        call_command("secondfactor", "nobody@firma.example")


def test_what_is_said_of_mail_programs_is_true_with_it_and_without(client: Client, anna: User) -> None:
    """With it they have passwords of their own, which a new password of hers does not end."""
    first_step(client)
    pages = [reverse("mfa_index"), reverse("account_change_password")]
    before = [client.get(address).text for address in pages]
    assert "from then on each one" in before[0]
    assert "use the same password" in before[1]
    set_up(client)
    after = [client.get(address).text for address in pages]
    assert "signs in with a password of its own." in after[0]
    assert "have passwords of their own, which stay" in after[1]
    assert "use the same password" not in after[1]
