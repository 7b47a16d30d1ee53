"""Which addresses of django-allauth are open: those that are wanted, and no other."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from webmail_panel.urls import closed

WANTED = {
    "account": "account/",
    "account_change_password": "account/password/",
    "account_inactive": "sign-in/blocked/",
    "account_language": "account/language/",
    "account_login": "sign-in/",
    "account_logout": "sign-out/",
    "account_reauthenticate": "sign-in/again/",
    "address_import": "domains/import/",
    "domain_import": "domains/import/domains/",
    "customer_import": "domains/import/customers/",
    "alias_edit": "aliases/<int:pk>/",
    "alias_new": "domains/<str:name>/aliases/new/",
    "app_passwords": "mailboxes/<int:pk>/passwords/",
    "autoconfig": "mail/config-v1.1.xml",
    "autoconfig_well_known": ".well-known/autoconfig/mail/config-v1.1.xml",
    "autoconfig_mail_v1": ".well-known/mail-v1.xml",
    "autodiscover": "autodiscover/autodiscover.xml",
    "autodiscover_json": "autodiscover/autodiscover.json",
    "autodiscover_json_v1": "autodiscover/autodiscover.json/v1.0/<str:address>",
    "device_end": "account/devices/<int:pk>/end/",
    "device_end_others": "account/devices/end-others/",
    "domain": "domains/<str:name>/",
    "domain_claim": "domains/claims/<int:pk>/",
    "domain_dns": "domains/<str:name>/dns/",
    "domain_new": "domains/new/",
    "domain_signing": "domains/<str:name>/signing/",
    "domains": "domains/",
    "mailbox_delete": "mailboxes/<int:pk>/delete/",
    "mailbox_new": "mailboxes/new/",
    "mailbox_profile": "mailboxes/<int:pk>/programs/profile/",
    "mailbox_programs": "mailboxes/<int:pk>/programs/",
    "mailbox_rename": "mailboxes/<int:pk>/address/",
    "mailbox_restore": "mailboxes/<int:pk>/restore/",
    "mailbox_settings": "mailboxes/<int:pk>/settings/",
    "mailbox_suspend": "mailboxes/<int:pk>/suspend/",
    "mfa_activate_totp": "account/second-factor/app/",
    "mfa_add_webauthn": "account/second-factor/keys/add/",
    "mfa_authenticate": "sign-in/second-step/",
    "mfa_deactivate_totp": "account/second-factor/app/remove/",
    "mfa_download_recovery_codes": "account/second-factor/recovery-codes/file/",
    "mfa_edit_webauthn": "account/second-factor/keys/<int:pk>/",
    "mfa_generate_recovery_codes": "account/second-factor/recovery-codes/new/",
    "mfa_index": "account/second-factor/",
    "mfa_reauthenticate": "sign-in/again/code/",
    "mfa_reauthenticate_webauthn": "sign-in/again/key/",
    "mfa_remove_webauthn": "account/second-factor/keys/<int:pk>/remove/",
    "mfa_view_recovery_codes": "account/second-factor/recovery-codes/",
    "program_link": "programs/<str:token>/",
    "program_link_profile": "programs/<str:token>/profile/",
    "set_language": "language/",
    "usersessions_list": "account/devices/",
    "account_links": "account/mailboxes/",
    "link_second_step": "account/mailboxes/second-step/",
    "link_end": "account/mailboxes/links/<int:pk>/end/",
    "own_sign_in": "account/mailboxes/<int:pk>/password/",
    "link_end_by_mail": "linked/<str:token>/end/",
    "alias_restore": "aliases/<int:pk>/restore/",
}
# For everybody; a GET at least. What mail programs ask names no person, and a link of a phone is signed.
OPEN = {
    "account_login", "account_inactive", "account_logout", "autoconfig", "autoconfig_well_known",
    "autoconfig_mail_v1", "autodiscover", "autodiscover_json", "autodiscover_json_v1", "link_end_by_mail",
    "program_link", "program_link_profile", "set_language",
}  # fmt: skip
# Names that allauth's own views ask for; there is nothing behind them.
CLOSED = {"account_signup", "account_reset_password", "account_set_password"}


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every address of the project, the administration's aside."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route, pattern
        elif pattern.app_name != "admin":
            yield from patterns(pattern, route)


def is_of_the_account(pattern: URLPattern) -> bool:
    modules = ("allauth.", "mailboxes.", "django.views.i18n", "responders.pages.sign_out_views")
    return pattern.callback is closed or pattern.callback.__module__.startswith(modules)


def test_the_open_addresses_of_the_account_are_the_wanted_ones() -> None:
    found = {str(pattern.name): route for route, pattern in patterns(get_resolver()) if is_of_the_account(pattern)}
    assert {name: found.pop(name, "") for name in CLOSED}.keys() == CLOSED
    assert found == WANTED


def test_nothing_of_allauth_is_included_as_a_whole() -> None:
    def included(resolver: URLResolver) -> Iterator[str]:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                yield getattr(pattern.urlconf_name, "__name__", str(pattern.urlconf_name))
                yield from included(pattern)

    assert [name for name in included(get_resolver()) if "allauth" in name] == []


@pytest.mark.parametrize("name", sorted(CLOSED))
def test_what_is_closed_is_not_there_for_anybody(client: Client, as_anna: Client, name: str) -> None:
    for each in (Client(), as_anna):
        assert each.get(reverse(name)).status_code == 404
        assert each.post(reverse(name), {"email": "anna@firma.example"}).status_code == 404


@pytest.mark.parametrize(
    "path", ["email/", "confirm-email/x/", "login/code/", "password/reset/key/1-x/", "signup/", "login/"]
)
def test_the_addresses_that_allauth_would_have_are_not_there(as_anna: Client, path: str) -> None:
    for prefix in ("/", "/account/", "/accounts/", "/sign-in/"):
        assert as_anna.get(prefix + path).status_code == 404


@pytest.mark.parametrize("name", sorted(WANTED.keys() - OPEN))
def test_nobody_opens_a_page_of_the_account_without_signing_in(client: Client, db: None, name: str) -> None:
    arguments = [1] * (WANTED[name].count("<int:") + WANTED[name].count("<str:"))
    for page in (client.get(reverse(name, args=arguments)), client.post(reverse(name, args=arguments))):
        assert page.status_code == 405 or page["Location"].startswith(reverse("account_login"))
