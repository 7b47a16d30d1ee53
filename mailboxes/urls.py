"""Addresses of the account of the person who is signed in.

Those of django-allauth one by one under the names it asks for: what is not here is not open.
"""

from allauth.account import views as account
from allauth.mfa.base import views as factors
from allauth.mfa.recovery_codes import views as codes
from django.urls import path

from mailboxes.pages import (
    company_views,
    dns_views,
    file_views,
    hosting_views,
    link_views,
    programs_views,
    signing_views,
    views,
)

RECOVERY_CODES = "account/second-factor/recovery-codes/"

urlpatterns = [
    path("mailboxes/new/", company_views.mailbox_new, name="mailbox_new"),
    path("mailboxes/<int:pk>/settings/", company_views.mailbox_settings, name="mailbox_settings"),
    path("mailboxes/<int:pk>/address/", hosting_views.mailbox_rename, name="mailbox_rename"),
    path("mailboxes/<int:pk>/delete/", hosting_views.mailbox_delete, name="mailbox_delete"),
    path("mailboxes/<int:pk>/restore/", hosting_views.mailbox_restore, name="mailbox_restore"),
    path("mailboxes/<int:pk>/suspend/", hosting_views.mailbox_suspend, name="mailbox_suspend"),
    path("mailboxes/<int:pk>/passwords/", hosting_views.app_passwords, name="app_passwords"),
    path("mailboxes/<int:pk>/programs/", programs_views.mailbox_programs, name="mailbox_programs"),
    path("mailboxes/<int:pk>/programs/profile/", programs_views.mailbox_profile, name="mailbox_profile"),
    path("programs/<str:token>/", programs_views.program_link, name="program_link"),
    path("programs/<str:token>/profile/", programs_views.program_link_profile, name="program_link_profile"),
    # What mail programs ask for, in lower case: webmail_panel/hosted_names.py turns other ways of writing it into this.
    path("mail/config-v1.1.xml", programs_views.autoconfig, name="autoconfig"),
    path(".well-known/autoconfig/mail/config-v1.1.xml", programs_views.autoconfig, name="autoconfig_well_known"),
    path(".well-known/mail-v1.xml", programs_views.autoconfig, name="autoconfig_mail_v1"),
    path("autodiscover/autodiscover.xml", programs_views.autodiscover, name="autodiscover"),
    path("autodiscover/autodiscover.json", programs_views.autodiscover_json, name="autodiscover_json"),
    path(
        "autodiscover/autodiscover.json/v1.0/<str:address>",
        programs_views.autodiscover_json,
        name="autodiscover_json_v1",
    ),
    path("domains/", hosting_views.domain_list, name="domains"),
    path("domains/new/", dns_views.domain_new, name="domain_new"),
    path("domains/claims/<int:pk>/", dns_views.domain_claim, name="domain_claim"),
    path("domains/import/", file_views.address_import, name="address_import"),
    path("domains/import/domains/", file_views.domain_import, name="domain_import"),
    path("domains/import/customers/", file_views.customer_import, name="customer_import"),
    path("domains/<str:name>/", hosting_views.domain_page, name="domain"),
    path("domains/<str:name>/dns/", dns_views.domain_dns, name="domain_dns"),
    path("domains/<str:name>/aliases/new/", hosting_views.alias_new, name="alias_new"),
    path("domains/<str:name>/signing/", signing_views.signing, name="domain_signing"),
    path("aliases/<int:pk>/", hosting_views.alias_edit, name="alias_edit"),
    path("aliases/<int:pk>/restore/", hosting_views.alias_restore, name="alias_restore"),
    path("language/", views.set_language, name="set_language"),
    path("sign-in/second-step/", views.second_step, name="mfa_authenticate"),
    path("sign-in/again/", account.reauthenticate, name="account_reauthenticate"),
    path("sign-in/again/code/", factors.reauthenticate, name="mfa_reauthenticate"),
    path("sign-in/again/key/", views.KeyAgain.as_view(), name="mfa_reauthenticate_webauthn"),
    path("account/", views.overview, name="account"),
    path("account/password/", views.change_password, name="account_change_password"),
    path("account/language/", views.language, name="account_language"),
    path("account/devices/", views.device_list, name="usersessions_list"),
    path("account/devices/<int:pk>/end/", views.device_end, name="device_end"),
    path("account/devices/end-others/", views.device_end_others, name="device_end_others"),
    path("account/mailboxes/", link_views.account_links, name="account_links"),
    path("account/mailboxes/second-step/", link_views.link_second_step, name="link_second_step"),
    path("account/mailboxes/links/<int:pk>/end/", link_views.link_end, name="link_end"),
    path("account/mailboxes/<int:pk>/password/", link_views.own_sign_in, name="own_sign_in"),
    path("linked/<str:token>/end/", link_views.link_end_by_mail, name="link_end_by_mail"),
    path("account/second-factor/", views.factor_list, name="mfa_index"),
    path("account/second-factor/app/", views.set_up_app, name="mfa_activate_totp"),
    path("account/second-factor/app/remove/", views.remove_app, name="mfa_deactivate_totp"),
    path("account/second-factor/keys/add/", views.add_key, name="mfa_add_webauthn"),
    path("account/second-factor/keys/<int:pk>/", views.rename_key, name="mfa_edit_webauthn"),
    path("account/second-factor/keys/<int:pk>/remove/", views.remove_key, name="mfa_remove_webauthn"),
    path(RECOVERY_CODES, views.recovery_codes, name="mfa_view_recovery_codes"),
    path(f"{RECOVERY_CODES}new/", codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path(f"{RECOVERY_CODES}file/", codes.download_recovery_codes, name="mfa_download_recovery_codes"),
]
