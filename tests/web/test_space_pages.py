"""The space of all mailboxes of a domain together, on the pages of staff and of a customer's administrator."""

import pytest
from django.test import Client
from django.urls import reverse

from mailboxes import services
from mailboxes.models import Domain, Mailbox, User
from tests.web.test_company import MADE, as_boss, boss, company
from tests.web.test_files import made, problems

__all__ = ["as_boss", "boss", "company"]  # fixtures

LIMITS = {"catch_all": "", "quota_mb": "400", "total_quota_mb": "1000", "max_mailboxes": ""}
WORDS = "MB are allotted to its mailboxes"


@pytest.fixture
def page(mailbox: Mailbox) -> str:
    return reverse("domain", args=["firma.example"])


@pytest.fixture
def limited(page: str) -> str:
    """Anna has four hundred of a thousand MB."""
    Domain.objects.filter(name="firma.example").update(quota_mb=400, total_quota_mb=1000)
    return page


@pytest.fixture
def as_admin(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin@hosting.example"))
    return client


def stored() -> tuple[int | None, int | None]:
    row = Domain.objects.get(name="firma.example")
    return row.quota_mb, row.total_quota_mb


def test_staff_set_it_and_everybody_who_manages_the_domain_sees_it(
    as_support: Client, as_boss: Client, page: str
) -> None:
    assert WORDS not in as_support.get(page).text
    assert as_support.post(page, LIMITS).status_code == 302
    assert stored() == (400, 1000)
    for client in (as_support, as_boss):
        assert f"400 of 1000 {WORDS}" in client.get(page).text


def test_a_customers_administrator_does_not_set_it(as_boss: Client, limited: str) -> None:
    assert 'name="total_quota_mb"' not in as_boss.get(limited).text
    assert as_boss.post(limited, LIMITS | {"total_quota_mb": "9"}).status_code == 302
    assert stored() == (400, 1000)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"quota_mb": ""}, "total_quota_mb"),
        ({"total_quota_mb": "0"}, "total_quota_mb"),
        ({"total_quota_mb": "much"}, "total_quota_mb"),
        ({"total_quota_mb": "9" * 30}, "total_quota_mb"),
    ],
    ids=["mailboxes without a limit", "none", "no number", "more than there is"],
)
def test_what_cannot_be_is_said_beside_the_field(
    as_support: Client, page: str, typed: dict[str, str], field: str
) -> None:
    answer = as_support.post(page, LIMITS | typed)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert stored() == (None, None)
    for name, value in (LIMITS | typed).items():
        assert (answer.context["form"][name].value() or "") == value


def test_more_for_each_than_there_is_is_refused_beside_that_field(as_support: Client, limited: str) -> None:
    answer = as_support.post(limited, LIMITS | {"quota_mb": "1001"})
    assert answer.status_code == 422
    assert "600 MB of that are left, and this takes 601 MB" in str(answer.context["form"].errors["quota_mb"])
    assert stored() == (400, 1000)


def test_a_total_below_what_is_allotted_is_shown_as_such(as_support: Client, limited: str) -> None:
    assert as_support.post(limited, LIMITS | {"total_quota_mb": "300"}).status_code == 302
    text = as_support.get(limited).text
    assert "nothing more is given until it fits" in text
    assert f"400 of 300 {WORDS}" in text


def test_a_new_mailbox_finds_no_room(as_boss: Client, limited: str) -> None:
    Domain.objects.update(total_quota_mb=700)
    told = as_boss.post(reverse("mailbox_new"), MADE)
    assert told.status_code == 422
    assert "300 MB of that are left, and this takes 400 MB" in str(told.context["form"].errors["local_part"])
    assert not Mailbox.objects.filter(local_part="jan.nowak").exists()
    Domain.objects.update(total_quota_mb=800)
    assert as_boss.post(reverse("mailbox_new"), MADE).status_code == 200
    assert Mailbox.objects.filter(local_part="jan.nowak").exists()


def test_another_space_of_a_mailbox_finds_no_room(as_support: Client, limited: str, mailbox: Mailbox) -> None:
    settings = reverse("mailbox_settings", args=[mailbox.pk])
    typed = {"name": "Anna", "language": "pl", "is_active": "on"}
    told = as_support.post(settings, typed | {"quota_mb": "1001"})
    assert told.status_code == 422
    assert "this takes 601 MB" in str(told.context["form"].errors["quota_mb"])
    assert Mailbox.objects.get(pk=mailbox.pk).name == "Anna Nowak"
    assert as_support.post(settings, typed | {"quota_mb": "1000"}).status_code == 302
    assert Mailbox.objects.get(pk=mailbox.pk).quota_mb == 1000


def test_a_file_says_which_lines_find_no_room(as_boss: Client, limited: str) -> None:
    """A customer's administrator may give less than the domain's space, not more than is left."""
    text = "address,quota_mb\njan@firma.example,\newa@firma.example,250\nola@firma.example,200\n"
    [told] = problems(made(as_boss, "address_import", text))
    assert told == (
        "All mailboxes of firma.example may have 1000 MB together; 200 MB of that are left, and this takes 250 MB."
    )
    assert Mailbox.objects.filter(domain__name="firma.example").count() == 1
    assert made(as_boss, "address_import", text.replace("250", "150").replace("200", "50")).context["made"]


def test_the_administration_keeps_it_too(as_admin: Client, limited: str, mailbox: Mailbox) -> None:
    domain = reverse("admin:mailboxes_domain_change", args=[mailbox.domain.pk])
    for typed, field in (
        ({"quota_mb": "1001", "total_quota_mb": "1000"}, "quota_mb"), ({"total_quota_mb": "1000"}, "quota_mb"),
        ({"quota_mb": "501", "total_quota_mb": "500"}, "total_quota_mb"), ({"total_quota_mb": "0"}, "total_quota_mb"),
    ):  # fmt: skip
        answer = as_admin.post(domain, {"is_active": "on"} | typed)
        assert answer.status_code == 200
        assert field in answer.context["adminform"].form.errors, typed
    assert stored() == (400, 1000)
    assert as_admin.post(domain, {"is_active": "on", "quota_mb": "500", "total_quota_mb": "900"}).status_code == 302
    assert stored() == (500, 900)


def test_in_the_administration_a_mailbox_moves_only_where_there_is_room(
    as_admin: Client, limited: str, mailbox: Mailbox
) -> None:
    other = services.add_domain("druga.example")
    Domain.objects.filter(pk=other.pk).update(quota_mb=50, total_quota_mb=100)
    box = services.add_mailbox("jan@druga.example", quota_mb=100)
    page = reverse("admin:mailboxes_mailbox_change", args=[box.pk])
    typed = {
        "domain": mailbox.domain.name, "local_part": "jan", "is_active": "on", "language": "pl", "name": "",
        "time_zone": "Europe/Warsaw", "quota_mb": "601",
    }  # fmt: skip
    answer = as_admin.post(page, typed)
    assert "this takes 601 MB" in str(answer.context["adminform"].form.errors["quota_mb"])
    assert as_admin.post(page, typed | {"quota_mb": "600"}).status_code == 302
    box.refresh_from_db()
    assert (box.address, box.quota_mb) == ("jan@firma.example", 600)
    new = as_admin.post(reverse("admin:mailboxes_mailbox_add"), typed | {"local_part": "ewa", "quota_mb": "1"})
    assert "0 MB of that are left" in str(new.context["adminform"].form.errors["quota_mb"])
