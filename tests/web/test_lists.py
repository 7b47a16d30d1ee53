"""Lists with filters that are links, in two orders, page by page, and as files."""

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mailboxes.files import csv_files
from mailboxes.models import Customer, Domain, Mailbox
from responders.mailbox_lists import ORDERS
from responders.models import Decision, Responder
from responders.services import database_now


@pytest.fixture
def several(mailbox: Mailbox, standing_reply: Responder) -> Mailbox:
    """Anna answers, Jan is to, Ola has no end, Ewa has nothing, Piotr receives no mail."""
    now = database_now()

    def add(name: str, **values: object) -> None:
        box = Mailbox.objects.create(domain=mailbox.domain, local_part=name, name=name.title())
        if values:
            fields = {"type": "absence", "subject": f"={name}", "text_body": "x"} | values
            Responder.objects.create(mailbox=box, **fields)

    later = now + timedelta(days=1)
    add("jan", from_utc=later, from_date=later.replace(tzinfo=None))
    add("ola", state="active")
    add("ewa")
    add("piotr")
    Mailbox.objects.filter(local_part="piotr").update(is_active=False)
    return mailbox


def names(client: Client, **asked: str) -> list[str]:
    page = client.get(reverse("mailbox_list"), asked)
    assert page.status_code == 200
    return [listed.row.local_part for listed in page.context["mailboxes"]]


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ("", "anna ewa jan ola piotr"), ("answering", "anna ola"), ("coming", "jan"), ("open-end", "ola"),
        ("none", "ewa piotr"), ("closed", "piotr"), ("' OR 1=1", "anna ewa jan ola piotr"),
    ],
)  # fmt: skip
def test_a_filter_is_a_link(as_support: Client, several: Mailbox, state: str, wanted: str) -> None:
    assert names(as_support, state=state) == wanted.split()


def test_the_newest_come_first_and_pages_follow_each_other(
    as_support: Client, several: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("responders.pages.list_views.PAGE_SIZE", 2)
    Mailbox.objects.create(domain=Domain.objects.create(name="biuro.example"), local_part="zofia")
    orders = {
        "": "anna ewa jan ola piotr zofia", "domain": "zofia anna ewa jan ola piotr",
        "newest": "zofia piotr ewa ola jan anna", "oldest": "anna jan ola ewa piotr zofia",
    }  # fmt: skip
    for order, wanted in orders.items():
        found, query = [], f"order={order}"
        while query:
            page = as_support.get(f"{reverse('mailbox_list')}?{query}")
            found += [listed.row.local_part for listed in page.context["mailboxes"]]
            query = page.context["further"]
        assert found == wanted.split()


@pytest.mark.parametrize("after", ["x" * 5_000, "\0", "-1", "99999999999999999999"])
def test_a_page_that_is_none_is_no_error(as_support: Client, several: Mailbox, after: str) -> None:
    for order in ORDERS:
        names(as_support, order=order, after=after)


def test_an_owner_has_a_plain_list(as_anna: Client, several: Mailbox) -> None:
    assert names(as_anna, state="none", q="nikt") == ["anna"]


def rows(client: Client, path: str, **asked: str) -> list[list[str]]:
    answer = client.get(path, asked, headers={"Accept-Language": "en"})
    assert answer.streaming
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_the_list_as_a_file_says_what_a_spreadsheet_may_take(as_support: Client, several: Mailbox) -> None:
    found = rows(as_support, reverse("mailbox_file"))
    assert [row[0].partition("@")[0] for row in found[1:]] == ["anna", "ewa", "jan", "ola", "piotr"]
    assert found[3][4] == "'=jan"  # no formula
    assert rows(as_support, reverse("mailbox_file"), state="closed")[1][3] == "no"


def test_a_companys_file_holds_the_company_alone(as_anna: Client, several: Mailbox, somebody_elses: Mailbox) -> None:
    assert as_anna.get(reverse("mailbox_file")).status_code == 404
    company = Customer.objects.create(name="Firma", number="1")
    company.administrators.add(Mailbox.objects.get(local_part="anna").owner)
    several.domain.customer = company
    several.domain.save()
    assert len(rows(as_anna, reverse("mailbox_file"))) == 6


def test_a_file_takes_as_many_questions_as_it_has_thousands(as_support: Client, several: Mailbox) -> None:
    Mailbox.objects.bulk_create(Mailbox(domain=several.domain, local_part=f"m{number}") for number in range(1_500))
    with CaptureQueriesContext(connection) as questions:
        assert len(rows(as_support, reverse("mailbox_file"))) == 1_506
    assert len(questions) < 15


def test_messages_as_a_file(as_support: Client, mailbox: Mailbox) -> None:
    for reason in ("replied", "spam"):
        Decision.objects.create(
            mailbox=mailbox, decided_at=database_now(), reverse_path="+1@jan.example",
            forward_path="anna@firma.example", reason=reason, evidence='=HYPERLINK("x")',
        )  # fmt: skip
    path = reverse("support_message_file")
    assert as_support.get(path).status_code == 404  # without a filter, everything would be too much
    found = rows(as_support, path, sender="+1@jan.example")
    assert [row[1] for row in found[1:]] == ["'+1@jan.example"] * 2
    assert found[1][5].startswith("'=")
    assert [row[3] for row in rows(as_support, path, sender="+1@jan.example", reason="silent")[1:]] == ["spam"]


@pytest.mark.parametrize("cell", ["=1+1", "+48 22", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert csv_files.harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["Anna", "", None, "a=b", "żółw"])
def test_plain_cells_stay_as_they_are(cell: str | None) -> None:
    assert csv_files.harmless(cell) == (cell or "")
