"""Django admin: every list opens, and responders are saved through the services."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import CompositePrimaryKey
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.functional import Promise

from mailboxes import hosting
from mailboxes.log import By, record
from mailboxes.models import (
    Customer,
    Delegation,
    Domain,
    DomainHealth,
    DomainRecord,
    DomainRecordChange,
    LogLine,
    Mailbox,
    SendingCount,
    User,
)
from responders.models import (
    DailyCount,
    Decision,
    DrawnBrake,
    HookSign,
    PreviousResponse,
    QuarantinedMessage,
    ReplyCount,
    Responder,
    ResponderEvent,
)
from responders.services import database_now
from tests.web.test_query_counts import grow

MODELS = [model for model in admin.site._registry if model._meta.app_label in {"mailboxes", "responders"}]


@pytest.fixture
def as_admin(client: Client, standing_reply: Responder) -> Client:
    """Signed in as an administrator, with something in the tables."""
    Decision.objects.create(
        mailbox=standing_reply.mailbox, decided_at=datetime.now().astimezone(), forward_path="x@y", reason="replied"
    )
    client.force_login(User.objects.create_superuser("admin@hosting.example"))
    return client


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_every_list_opens_and_searches(as_admin: Client, model: type) -> None:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")  # type: ignore[attr-defined]
    assert as_admin.get(address).status_code == 200
    assert as_admin.get(address, {"q": "anna"}).status_code == 200


@pytest.mark.parametrize(
    ("language", "wanted"), [("en", ["Alias targets", "Aliases"]), ("pl", ["Aliasy", "Cele aliasu"])]
)
def test_the_menu_is_in_the_readers_language_and_its_order(as_admin: Client, language: str, wanted: list[str]) -> None:
    apps_shown = as_admin.get(reverse("admin:index"), headers={"accept-language": language}).context["app_list"]
    (names,) = [[model["name"] for model in app["models"]] for app in apps_shown if app["app_label"] == "mailboxes"]
    assert names == sorted(names)
    assert names[: len(wanted)] == wanted
    assert {type(name) for name in names} == {str}, "a name that is translated when it is asked for costs a page much"


@pytest.mark.parametrize("model", [User, Mailbox, Responder, Decision], ids=lambda model: model._meta.model_name)
def test_a_row_opens(as_admin: Client, model: type) -> None:
    row = model.objects.first()  # type: ignore[attr-defined]
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    assert as_admin.get(address).status_code == 200


def test_a_responder_is_saved_through_the_services(as_admin: Client, mailbox: Mailbox) -> None:
    typed = {
        "mailbox": mailbox.pk, "type": "absence", "is_enabled": "on", "from_date": "2099-07-01T08:00", "to_date": "",
        "time_zone": "Europe/Warsaw", "subject": "x", "text_body": "y", "html_body": "", "interval_days": "7",
        "audience": "everyone", "case_form": "year", "hours_mode": "always",
        "office_days": ["0", "1", "4"], "office_opens": "08:00", "office_closes": "16:00",
    }  # fmt: skip
    address = reverse("admin:responders_responder_add")
    assert as_admin.post(address, typed).status_code == 302
    row = Responder.objects.get(subject="x")
    assert (row.state, row.from_date, row.position) == ("scheduled", datetime(2099, 7, 1, 8, 0), 1)
    assert row.office_days == [0, 1, 4]
    assert row.next_transition_at == row.from_utc
    event = ResponderEvent.objects.get(responder=row)
    assert (event.kind, event.actor and event.actor.email) == ("created", "admin@hosting.example")
    change = reverse("admin:responders_responder_change", args=[row.pk])
    shown = as_admin.get(change, headers={"accept-language": "pl"}).text
    days = re.findall(r'name="office_days" value="(\d)"[^>]*?( checked)?>\s*<span[^>]*>\s*(\S+)', shown)
    assert [(day, name, bool(is_on)) for day, is_on, name in days][:3] == [
        ("0", "pon.", True), ("1", "wt.", True), ("2", "śr.", False),
    ]  # fmt: skip
    page = as_admin.post(change, typed | {"from_date": "2099-03-29T02:30"})
    assert "does not exist" in page.text
    as_admin.post(change, typed | {"text_body": "z"})
    row.refresh_from_db()
    assert (row.text_revision, row.text_body) == (2, "z")
    as_admin.post(reverse("admin:responders_responder_delete", args=[row.pk]), {"post": "yes"})
    assert ResponderEvent.objects.filter(kind="deleted").count() == 1


def test_what_the_hook_wrote_cannot_be_changed(as_admin: Client) -> None:
    assert as_admin.get(reverse("admin:responders_decision_add")).status_code == 403


def test_an_owner_does_not_come_in(client: Client, anna: User) -> None:
    client.force_login(anna)
    assert client.get(reverse("admin:index")).status_code == 302


def act(
    client: Client, row: Mailbox | Domain | Customer | Responder | QuarantinedMessage, action: str, **more: str
) -> None:
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
    answer = client.post(address, {"action": action, "_selected_action": row.pk} | more)
    assert answer.status_code in {200, 302, 403}
    row.refresh_from_db()


def test_suspended_and_taken_back_by_actions(as_admin: Client, mailbox: Mailbox) -> None:
    for row in (mailbox, mailbox.domain):
        act(as_admin, row, "suspend")
        assert row.suspended_at is not None
        change = reverse(f"admin:mailboxes_{row._meta.model_name}_change", args=[row.pk])
        assert 'name="is_active"' not in as_admin.get(change).text
        act(as_admin, row, "resume")
        assert (row.suspended_at, row.is_active) == (None, True)


def test_a_domain_keeps_its_name_of_which_addresses_are_made(as_admin: Client, mailbox: Mailbox) -> None:
    page = reverse("admin:mailboxes_domain_change", args=[mailbox.domain.pk])
    assert 'name="name"' not in as_admin.get(page).text
    assert as_admin.post(page, {"name": "inna.example", "is_active": "on"}).status_code == 302
    assert Domain.objects.get().name == "firma.example"
    assert 'name="name"' in as_admin.get(reverse("admin:mailboxes_domain_add")).text


def test_a_customers_domains_are_suspended_by_an_action(as_admin: Client, mailbox: Mailbox) -> None:
    customer = Customer.objects.create(name="Firma", number="K-1")
    Domain.objects.filter(pk=mailbox.domain.pk).update(customer=customer)
    act(as_admin, customer, "suspend")
    assert Domain.objects.get().suspended_at is not None
    act(as_admin, customer, "resume")
    assert Domain.objects.get().is_active


def test_a_mailbox_deleted_here_may_be_brought_back(as_admin: Client, mailbox: Mailbox) -> None:
    page = reverse("admin:mailboxes_mailbox_delete", args=[mailbox.pk])
    assert as_admin.get(page).status_code == 200
    as_admin.post(page, {"post": "yes"})
    mailbox.refresh_from_db()
    assert mailbox.deleted_at is not None
    act(as_admin, mailbox, "restore")
    assert mailbox.is_active
    act(as_admin, mailbox, "delete_selected", post="yes")
    assert mailbox.deleted_at is not None


def test_responders_are_ended_and_moved_on_by_actions(as_admin: Client, standing_reply: Responder) -> None:
    act(as_admin, standing_reply, "end_now")
    assert not standing_reply.is_enabled
    assert ResponderEvent.objects.get().actor == User.objects.get(email="admin@hosting.example")
    past = database_now() - timedelta(minutes=5)
    Responder.objects.filter(pk=standing_reply.pk).update(
        is_enabled=True, type="absence", state="scheduled", next_transition_at=past, from_utc=past,
        from_date=past.replace(tzinfo=None),
    )  # fmt: skip
    other = Responder.objects.create(
        mailbox=standing_reply.mailbox, type="absence", subject="x", text_body="y", state="scheduled", position=1,
        next_transition_at=past, from_utc=past, from_date=past.replace(tzinfo=None),
    )  # fmt: skip
    act(as_admin, standing_reply, "move_on")
    other.refresh_from_db()
    assert (standing_reply.state, other.state) == ("active", "scheduled")
    line = LogLine.objects.get(words="brought in step with the clock: scheduled → active")
    assert (line.key, line.actor) == (str(standing_reply.pk), User.objects.get(email="admin@hosting.example"))


def test_a_stored_state_that_nothing_moves_any_more_is_put_right(as_admin: Client, standing_reply: Responder) -> None:
    Responder.objects.filter(pk=standing_reply.pk).update(state="ended", next_transition_at=None)
    act(as_admin, standing_reply, "move_on")
    assert standing_reply.state == "active"
    act(as_admin, standing_reply, "move_on")
    assert LogLine.objects.filter(model="responders.responder").count() == 1


PURGED: dict[str, Callable[[Responder], Mailbox | Decision | PreviousResponse]] = {
    "a deleted mailbox": lambda row: _deleted(row.mailbox),
    "a decision over its time": lambda row: Decision.objects.create(
        mailbox=row.mailbox, decided_at=database_now() - timedelta(days=200), forward_path="x@y", reason="spam"
    ),
    "a previous response": lambda row: PreviousResponse.objects.create(
        responder=row, text_revision=1, activation=1, reverse_path_key="jan@example.com", queue_id="q",
        claimed_at=database_now(), lease_until=database_now(),
    ),
}  # fmt: skip


def _deleted(mailbox: Mailbox) -> Mailbox:
    Mailbox.objects.filter(pk=mailbox.pk).update(deleted_at=database_now(), is_active=False)
    return mailbox


@pytest.mark.parametrize("what", PURGED)
def test_purging_asks_first_and_is_written_down(as_admin: Client, standing_reply: Responder, what: str) -> None:
    row = PURGED[what](standing_reply)
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
    chosen = {"action": "purge", "_selected_action": row.pk}
    page = as_admin.post(address, chosen)
    assert 'name="confirmed" value="yes"' in page.text
    assert str(row).replace("<", "&lt;").replace(">", "&gt;") in page.text
    assert type(row).objects.filter(pk=row.pk).exists()
    as_admin.post(address, chosen | {"confirmed": "yes"})
    assert not type(row).objects.filter(pk=row.pk).exists()
    line = LogLine.objects.filter(model=row._meta.label_lower).latest("pk")
    assert (line.way, line.actor) == ("administration", User.objects.get(email="admin@hosting.example"))
    assert "jan@example.com" not in line.words + line.name


def test_what_is_not_over_is_not_purged(as_admin: Client, mailbox: Mailbox) -> None:
    decision = Decision.objects.get()
    for row in (decision, mailbox):
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
        as_admin.post(address, {"action": "purge", "_selected_action": row.pk, "confirmed": "yes"})
        assert type(row).objects.filter(pk=row.pk).exists()


def test_every_model_of_the_project_is_in_the_administration() -> None:
    """But those that Django's administration cannot open: a key of several columns (counts, all of them)."""
    of_ours = [model for label in ("mailboxes", "responders") for model in apps.get_app_config(label).get_models()]
    missing = {model for model in of_ours if model not in admin.site._registry}
    assert {model.__name__ for model in missing} == {"SendingCount", "ReplyCount", "DailyCount"}
    assert all(isinstance(model._meta.pk, CompositePrimaryKey) for model in missing)
    assert {model.__name__ for model in missing} == set(COUNTS)


# Where each table of counts is seen: the page, and what is made so that it stands there.
COUNTS: dict[str, Callable[[Responder, datetime], tuple[str, str]]] = {
    "SendingCount": lambda row, now: (
        reverse("admin:mailboxes_mailbox_change", args=[row.mailbox_id]),
        f": {SendingCount.objects.create(mailbox=row.mailbox, bucket=now, recipients=7193).recipients}",
    ),
    "ReplyCount": lambda row, now: (
        reverse("admin:responders_responder_change", args=[row.pk]),
        f": {ReplyCount.objects.create(key=f'm{row.mailbox_id}', bucket=now, replies=7193).replies}",
    ),
    "DailyCount": lambda row, now: (
        reverse("admin:responders_decision_changelist"),
        f"replied – {DailyCount.objects.create(day=now.date(), reason='replied', decisions=7193).decisions}",
    ),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_stand_on_the_page_of_what_they_count_for(
    as_admin: Client, standing_reply: Responder, name: str
) -> None:
    address, words = COUNTS[name](standing_reply, database_now())
    assert words in as_admin.get(address, headers={"accept-language": "pl"}).text


def test_counts_of_a_drawn_brake_stand_on_its_page(as_admin: Client, mailbox: Mailbox) -> None:
    now = database_now()
    brake = DrawnBrake.objects.create(
        key="dfirma.example", mailbox=mailbox, is_of_domain=True, replies_per_hour=5, drawn_at=now, last_at=now
    )
    ReplyCount.objects.create(key="dfirma.example", bucket=now, replies=7193)
    assert ": 7193" in as_admin.get(reverse("admin:responders_drawnbrake_change", args=[brake.pk])).text


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label_lower)
def test_every_list_is_searched_and_narrowed(as_admin: Client, model: type) -> None:
    """By date or by filters, and every choice of its filters opens."""
    site = admin.site._registry[model]
    assert site.search_fields
    assert site.date_hierarchy or site.list_filter
    dated = [field.name for field in model._meta.fields if field.name in {"created_at", "at", "sent_at"}]  # type: ignore[attr-defined]
    assert site.date_hierarchy or not dated
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")  # type: ignore[attr-defined]
    shown = as_admin.get(address).context["cl"]
    for chosen in shown.filter_specs:
        for choice in chosen.choices(shown):
            assert as_admin.get(address + choice.get("query_string", "")).status_code == 200, choice


def test_a_hook_that_is_not_heard_of_is_found(as_admin: Client) -> None:
    now = database_now()
    HookSign.objects.create(host="silent.example", at=now - timedelta(hours=1))
    HookSign.objects.create(host="heard.example", at=now)
    address = reverse("admin:responders_hooksign_changelist")
    found = {answer: as_admin.get(address, {"heard": answer}).context["cl"].queryset for answer in ("yes", "no")}
    assert {answer: [row.host for row in rows] for answer, rows in found.items()} == {
        "yes": ["heard.example"], "no": ["silent.example"],
    }  # fmt: skip


def test_customers_without_people_are_found(as_admin: Client, anna: User) -> None:
    Customer.objects.create(name="Bez ludzi", number="1")
    Customer.objects.create(name="Z ludźmi", number="2").administrators.add(anna)
    address = reverse("admin:mailboxes_customer_changelist")
    for answer, name in (("yes", "Z ludźmi"), ("no", "Bez ludzi")):
        assert [row.name for row in as_admin.get(address, {"people": answer}).context["cl"].queryset] == [name]


def test_the_log_is_read_in_the_language_of_the_page(as_admin: Client, mailbox: Mailbox, anna: User) -> None:
    record(mailbox, "name: a → b; is_active: True → False", By(anna, place="192.0.2.7", way="administration"))
    for address in (
        reverse("admin:mailboxes_mailbox_history", args=[mailbox.pk]),
        reverse("admin:mailboxes_logline_changelist"),
        reverse("admin:mailboxes_logline_change", args=[LogLine.objects.get().pk]),
    ):
        page = as_admin.get(address, headers={"accept-language": "pl"}).text
        assert "nazwa: a → b; odbiera pocztę: tak → nie" in page, address
        assert "192.0.2.7" in page


def test_the_log_has_day_and_time_below_each_other_and_is_sorted_by_them(as_admin: Client, mailbox: Mailbox) -> None:
    record(mailbox, "made", None)
    record(mailbox, "name: a → b", None)
    address = reverse("admin:mailboxes_logline_changelist")
    page = as_admin.get(address, {"o": "0"}, headers={"accept-language": "pl"})
    for row in LogLine.objects.all():
        assert f"{row.at:%Y}<br>{row.at:%H:%M:%S}" in page.text
    assert page.context["cl"].queryset.query.order_by[0] == "at"
    assert "2 wiersze" in page.text


def test_the_first_page_is_named_in_proper_polish(as_admin: Client) -> None:
    page = as_admin.get(reverse("admin:index"), headers={"accept-language": "pl"}).text
    assert "Administracja" in page
    assert "Administracja stroną" not in page


def test_what_is_said_of_a_row_bends_no_name_in_polish(as_admin: Client, mailbox: Mailbox) -> None:
    as_admin.cookies["django_language"] = "pl"
    row = reverse("admin:mailboxes_mailbox_change", args=[mailbox.pk])
    pages = [as_admin.get(address).text for address in (row, reverse("admin:mailboxes_mailbox_add"))]
    deletion = as_admin.get(reverse("admin:mailboxes_mailbox_delete", args=[mailbox.pk])).text
    nowhere = as_admin.get(reverse("admin:mailboxes_domain_change", args=["nie-ma"]), follow=True).text
    assert "Czy na pewno usunąć: skrzynka „anna@firma.example”?" in deletion
    assert "Nie ma takiej pozycji: domena „nie-ma”." in nowhere
    for page in (*pages, deletion, nowhere):
        assert not re.search(r"\((?:-ne|-ło|-ta|go|a)\)|Usuń skrzynka|DatabaseDefault", page)
    assert re.search(r"/delete/[^>]*>\s*Usuń\s*<", pages[0])


def test_the_form_of_a_mailbox_is_in_parts_and_lacks_nothing(as_admin: Client, mailbox: Mailbox) -> None:
    page = as_admin.get(reverse("admin:mailboxes_mailbox_change", args=[mailbox.pk]), headers={"accept-language": "pl"})
    shown = {name for _title, options in page.context["adminform"].fieldsets for name in options["fields"]}
    site = page.context["adminform"].model_admin
    assert shown == set(site.get_fields(page.wsgi_request, mailbox))
    assert "Właściciel dostaje e-mail" in page.text
    assert "Anna@firma.example" not in page.text
    new = as_admin.get(reverse("admin:mailboxes_mailbox_add"))
    shown = {name for _title, options in new.context["adminform"].fieldsets for name in options["fields"]}
    assert {"domain", "local_part", "notify_started"} <= shown
    assert "address" not in shown


def test_a_decision_says_in_words_what_was_found(as_admin: Client, mailbox: Mailbox) -> None:
    row = Decision.objects.create(
        mailbox=mailbox, decided_at=datetime(2026, 9, 28, tzinfo=UTC), forward_path=mailbox.address,
        reason="list-or-bulk", misses=["null-reverse-path", "of-another-version"],
    )  # fmt: skip
    page = as_admin.get(reverse("admin:responders_decision_change", args=[row.pk])).text
    assert "The message is from a mailing list" in page
    assert "The message has a sender to reply to." in page
    assert "of-another-version" not in page


def test_the_history_of_a_row_says_from_where(as_admin: Client, mailbox: Mailbox, anna: User) -> None:
    record(mailbox, "name: a → b", By(anna, place="192.0.2.7"))
    page = as_admin.get(reverse("admin:mailboxes_mailbox_history", args=[mailbox.pk])).text
    for words in ("name: a → b", "anna@firma.example", "192.0.2.7"):
        assert words in page


def test_a_previous_response_is_found_however_the_address_is_written(
    as_admin: Client, standing_reply: Responder
) -> None:
    PURGED["a previous response"](standing_reply)
    address = reverse("admin:responders_previousresponse_changelist")
    for asked, count in (("Jan@EXAMPLE.com", 1), ("anna@firma.example", 1), ("jan", 0), ("%", 0)):
        assert as_admin.get(address, {"q": asked}).context["cl"].result_count == count, asked


def test_a_quarantined_message_is_purged_by_whoever_may(as_admin: Client, roles: None) -> None:
    row = QuarantinedMessage.objects.create(received_at=database_now(), forward_path="x@y", traceback="x", content=b"x")
    lead = User.objects.create_user("lead@hosting.example", is_staff=True)
    lead.groups.add(Group.objects.get(name="support lead"))
    other = Client()
    other.force_login(lead)
    address = reverse("admin:responders_quarantinedmessage_changelist")
    other.post(address, {"action": "purge", "_selected_action": row.pk, "confirmed": "yes"})
    assert QuarantinedMessage.objects.exists()
    as_admin.post(address, {"action": "purge", "_selected_action": row.pk, "confirmed": "yes"})
    assert not QuarantinedMessage.objects.exists()
    [line] = LogLine.objects.all()
    assert (line.model, line.words, line.way, line.place) == (
        "responders.quarantinedmessage", f"purged: 1 ({row.pk})", "administration", "127.0.0.1",
    )  # fmt: skip


# --- Large tables ---


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_no_list_counts_everything_or_asks_for_each_row(as_admin: Client, model: type) -> None:
    name = f"{model._meta.app_label}_{model._meta.model_name}"  # type: ignore[attr-defined]
    address = reverse(f"admin:{name}_changelist")
    as_admin.get(address)
    with CaptureQueriesContext(connection) as asked:
        assert as_admin.get(address).status_code == 200
    statements = [one["sql"] for one in asked]
    table = model._meta.db_table  # type: ignore[attr-defined]
    counting = [sql for sql in statements if "COUNT(" in sql and f'FROM "{table}"' in sql]
    assert all("LIMIT 10000" in sql for sql in counting), counting
    assert not [sql for sql in statements if "DISTINCT" in sql and f'"{table}"' in sql]
    assert len(statements) <= 12


def test_a_list_of_many_rows_asks_as_few_questions_as_one_of_few(as_admin: Client, mailbox: Mailbox) -> None:
    addresses = [reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in MODELS]
    for address in addresses:
        as_admin.get(address)  # what is remembered from then on is asked once
    few = {address: _questions(as_admin, address) for address in addresses}
    grow(mailbox, 30)
    many = {address: _questions(as_admin, address) for address in addresses}
    assert {address: (few[address], many[address]) for address in addresses if many[address] > few[address] + 1} == {}


def _questions(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        client.get(address)
    return len(asked)


def test_the_links_by_date_lead_to_months_and_days_that_hold_rows(as_admin: Client, mailbox: Mailbox) -> None:
    Decision.objects.all().delete()
    for moment in (
        datetime(2026, 2, 28, 23, tzinfo=UTC),
        datetime(2026, 11, 3, tzinfo=UTC),
        datetime(2026, 11, 30, 23, 59, tzinfo=UTC),
    ):
        Decision.objects.create(mailbox=mailbox, decided_at=moment, forward_path="x@y", reason="replied")
    address = reverse("admin:responders_decision_changelist")
    assert re.findall(r"decided_at__month=(\d+)", as_admin.get(address).text) == ["2", "11"]
    november = as_admin.get(address, {"decided_at__year": "2026", "decided_at__month": "11"}).text
    assert re.findall(r"decided_at__day=(\d+)", november) == ["3", "30"]
    Decision.objects.create(
        mailbox=mailbox, decided_at=datetime(2024, 2, 29, tzinfo=UTC), forward_path="x@y", reason="spam"
    )
    assert set(re.findall(r"decided_at__year=(\d+)", as_admin.get(address).text)) == {"2024", "2026"}


def test_decisions_are_found_by_what_an_index_finds(as_admin: Client, mailbox: Mailbox) -> None:
    for sender, message_id in (("jan@example.com", "<a@b>"), ("ewa@example.com", "<c@d>")):
        Decision.objects.create(
            mailbox=None, decided_at=database_now(), forward_path="x@y", reason="spam", reverse_path=sender,
            message_id=message_id,
        )  # fmt: skip
    address = reverse("admin:responders_decision_changelist")
    for asked, count in (("JAN@example.com", 1), ("<c@d>", 1), (mailbox.address, 1), ("nobody", 0)):
        assert as_admin.get(address, {"q": asked}).context["cl"].result_count == count, asked
    assert as_admin.get(address, {"reason": "spam"}).context["cl"].result_count == 2


def test_a_person_with_a_hash_of_another_system_opens(as_admin: Client, anna: User) -> None:
    User.objects.filter(pk=anna.pk).update(password="dovecot${SHA512-CRYPT}$6$saltsalt$" + "x" * 86)
    page = as_admin.get(reverse("admin:mailboxes_user_change", args=[anna.pk]))
    assert page.status_code == 200
    assert "x" * 86 not in page.text


def test_staff_give_a_new_password_and_the_log_does_not_hold_it(as_admin: Client, anna: User) -> None:
    new = "siedem-zielonych-krokodyli"
    address = reverse("admin:auth_user_password_change", args=[anna.pk])
    typed = {"usable_password": "true", "password1": new, "password2": new}
    assert as_admin.post(address, typed).status_code == 302
    anna.refresh_from_db()
    assert anna.check_password(new)
    [entry] = LogLine.objects.filter(key=str(anna.pk))
    assert "password" in entry.words
    assert new not in entry.words


def test_a_domain_that_goes_to_another_customer_parts_from_the_first(
    as_admin: Client, mailbox: Mailbox, anna: User
) -> None:
    """Who looked after a colleague's mailbox, and whose mail went to a colleague, are of two companies now."""
    first, second = (Customer.objects.create(name=name, number=name) for name in ("A", "B"))
    Domain.objects.update(customer=first)
    stays = Domain.objects.create(name="druga.example", customer=first)
    jan, ewa = (User.objects.create_user(f"{name}@druga.example") for name in ("jan", "ewa"))
    of_jan = Mailbox.objects.create(domain=stays, local_part="jan", owner=jan, successor=mailbox)
    of_ewa = Mailbox.objects.create(domain=stays, local_part="ewa", owner=ewa, successor=of_jan)
    biuro = Mailbox.objects.create(domain=mailbox.domain, local_part="biuro", owner=ewa, successor=of_jan)
    for row, person in ((mailbox, jan), (mailbox, ewa), (of_jan, anna), (of_jan, ewa)):
        Delegation.objects.create(mailbox=row, user=person)
    address = reverse("admin:mailboxes_domain_change", args=[mailbox.domain.pk])
    assert (
        as_admin.post(address, {"name": "firma.example", "customer": second.pk, "is_active": "on"}).status_code == 302
    )
    left = [(row.mailbox.address, row.user.email) for row in Delegation.objects.order_by("pk")]
    assert left == [("anna@firma.example", "ewa@druga.example"), ("jan@druga.example", "ewa@druga.example")]
    for row in (of_jan, of_ewa, biuro):
        row.refresh_from_db()
    assert [row.successor for row in (of_jan, of_ewa, biuro)] == [None, of_jan, None]
    assert LogLine.objects.filter(words="jan@druga.example looks after it no more", way="administration").exists()


def test_a_new_password_by_staff_ends_those_of_mail_programs(as_admin: Client, mailbox: Mailbox, anna: User) -> None:
    hosting.make_app_password(mailbox, "Telefon", actor=None)
    address = reverse("admin:auth_user_password_change", args=[anna.pk])
    for second, left in (("another-one", 1), ("siedem-zielonych-krokodyli", 0)):
        as_admin.post(
            address, {"usable_password": "true", "password1": "siedem-zielonych-krokodyli", "password2": second}
        )
        assert anna.app_passwords.count() == left
        anna.refresh_from_db()
        assert (anna.password_given_at is None) is bool(left)
    assert LogLine.objects.filter(words="password of a mail program ended: Telefon", way="administration").exists()


@pytest.mark.parametrize("group", ["support lead", "support"])
def test_whoever_may_only_look_has_no_action(as_admin: Client, roles: None, mailbox: Mailbox, group: str) -> None:
    lead = User.objects.create_user("lead@hosting.example", is_staff=True)
    lead.groups.add(Group.objects.get(name=group))
    request = RequestFactory().get("/")
    request.user = lead
    offered = {model.__name__: list(admin.site._registry[model].get_actions(request)) for model in MODELS}
    assert {name: actions for name, actions in offered.items() if actions} == {}
    as_admin.force_login(lead)
    act(as_admin, mailbox, "suspend")
    assert mailbox.suspended_at is None


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_every_field_that_is_shown_has_a_name_in_each_language(
    as_admin: Client, admin_request: Any, model: Any
) -> None:
    """Django makes one of the attribute's where there is none: English in every language."""
    page = admin.site._registry[model]
    shown = {*flatten_fieldsets(page.get_fieldsets(admin_request)), *page.get_list_display(admin_request)}
    fields = [field for field in model._meta.fields if field.name in shown and not field.primary_key]
    nameless = [field.name for field in fields if not isinstance(field.verbose_name, Promise)]
    assert nameless in ([], ["message_id"])  # a Message-ID is one everywhere


@pytest.fixture
def admin_request(as_admin: Client) -> Any:
    """What pages of the administration are asked with."""
    request = RequestFactory().get("/admin/")
    request.user = User.objects.get(email="admin@hosting.example")
    return request


def test_rights_read_in_polish(as_admin: Client) -> None:
    person = User.objects.get(email="admin@hosting.example")
    for address in (reverse("admin:auth_group_add"), reverse("admin:mailboxes_user_change", args=[person.pk])):
        page = as_admin.get(address, headers={"accept-language": "pl"}).text
        assert "Autorespondery: decyzja – podgląd" in page
        assert "Can view" not in page


def test_the_dns_of_a_domain_reads_as_on_its_page(as_admin: Client, mailbox: Mailbox) -> None:
    health = DomainHealth.objects.create(domain=mailbox.domain, next_check_at=database_now())
    known: dict[str, Any] = {"health": health, "state": "missing", "reason": "none", "found": []}
    row = DomainRecord.objects.create(**known, item="srv:_imaps._tcp", place=1, last_state="missing", wanted="x")
    DomainRecordChange.objects.create(**known, item="mx", at=database_now())
    addresses = {
        reverse("admin:mailboxes_domainrecord_changelist"): "Inne programy ustawiają się same (SRV) · _imaps._tcp",
        reverse("admin:mailboxes_domainrecord_change", args=[row.pk]): "Programy, które o to pytają, nie znajdują",
        reverse("admin:mailboxes_domainrecordchange_changelist"): "Kto przyjmuje pocztę (MX)",
    }
    for address, words in addresses.items():
        page = as_admin.get(address, headers={"accept-language": "pl"}).text
        assert words in page
        assert not re.search(r">\s*missing\s*<", page)
