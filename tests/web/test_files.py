"""Customers, domains and mailboxes from CSV files: shown first, then all of it made, or nothing."""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mailboxes import customers
from mailboxes.domain_dns import claims
from mailboxes.files import address_files, customer_files, domain_files
from mailboxes.models import Customer, Domain, LogLine, Mailbox, User
from tests.conftest import PASSWORD
from tests.web.test_company import as_boss, boss, company

__all__ = ["as_boss", "boss", "company"]

CUSTOMERS = """number;name;max_mailboxes;administrators
K-1;Firma sp. z o.o.;20;anna@firma.example
K-2;Żółw i Syn;;
"""
DOMAINS = """domena;klient;quota_mb;max_mailboxes;replies_per_hour;total_quota_mb
Żółw.example;K-2;;;;
nowa.example;K-2;500;10;60;5000
trzecia.example;K-2;-;0;0;
niczyja.example;;;;;
"""
REST = "at most 10 mailboxes · at most 60 replies an hour"
Post = Callable[..., HttpResponse]


@pytest.fixture
def administrator(roles: None) -> User:
    """Of the panel, by the role; not a superuser."""
    person = User.objects.create_user("szef@hosting.example", PASSWORD, name="Szef")
    person.groups.add(Group.objects.get(name="administrator"))
    return person


@pytest.fixture
def as_administrator(administrator: User) -> Client:
    client = Client()
    client.force_login(administrator)
    return client


@pytest.fixture
def another(roles: None, mailbox: Mailbox) -> Customer:
    """With a domain that has limits."""
    customer = customers.add_customer("K-2", "Żółw i Syn")
    claims.add_domain(customer, "stara.example", actor=None, quota_mb=900, max_mailboxes=7)
    return customer


def shown(client: Client, page: str, text: str | bytes) -> HttpResponse:
    content = text.encode() if isinstance(text, str) else text
    return client.post(reverse(page), {"file": SimpleUploadedFile("a.csv", content)})


def made(client: Client, page: str, text: str) -> HttpResponse:
    return client.post(reverse(page), {"text": text, "make": "1"}, follow=True)


def problems(answer: HttpResponse) -> list[str]:
    return [line.problem for line in answer.context["planned"] if line.problem]


def test_customers_are_shown_then_made(as_administrator: Client, anna: User) -> None:
    answer = shown(as_administrator, "customer_import", CUSTOMERS)
    assert [line.would for line in answer.context["planned"]] == [
        "Firma sp. z o.o. · at most 20 mailboxes · anna@firma.example", "Żółw i Syn",
    ]  # fmt: skip
    assert not Customer.objects.exists()
    assert "2 lines of the file: made." in made(as_administrator, "customer_import", answer.context["text"]).text
    first, second = Customer.objects.order_by("number")
    assert (first.name, first.max_mailboxes, list(first.administrators.all())) == ("Firma sp. z o.o.", 20, [anna])
    assert (second.name, second.max_mailboxes) == ("Żółw i Syn", None)
    assert set(LogLine.objects.values_list("actor__email", "way")) == {("szef@hosting.example", "panel")}


def test_domains_are_shown_then_made_with_the_limits_of_the_customers_others(
    as_administrator: Client, another: Customer
) -> None:
    answer = shown(as_administrator, "domain_import", DOMAINS)
    assert [(line.key, line.would) for line in answer.context["planned"]] == [
        ("żółw.example", "customer K-2 · 900 MB for each mailbox · at most 7 mailboxes"),
        ("nowa.example", f"customer K-2 · 500 MB for each mailbox · 5000 MB for all mailboxes together · {REST}"),
        ("trzecia.example", "customer K-2 · at most 0 mailboxes"),
        ("niczyja.example", "of no customer"),
    ]  # fmt: skip
    assert Domain.objects.count() == 2
    Domain.objects.filter(name="stara.example").update(quota_mb=1)  # what was shown is made, whatever is usual by now
    made(as_administrator, "domain_import", answer.context["text"])
    rows = Domain.objects.values_list("name", "customer", "quota_mb", "max_mailboxes", "replies_per_hour")
    assert set(rows.filter(name__in=["xn--w-uga1v8h.example", "nowa.example", "trzecia.example"])) == {
        ("xn--w-uga1v8h.example", another.pk, 900, 7, None), ("nowa.example", another.pk, 500, 10, 60),
        ("trzecia.example", another.pk, None, 0, 0),
    }  # fmt: skip
    assert Domain.objects.get(name="niczyja.example").customer is None
    assert Domain.objects.get(name="nowa.example").total_quota_mb == 5000


@pytest.mark.parametrize(
    ("page", "line", "words"),
    [
        ("customer_import", "K-2;Inna;;", "Another customer has this number."),
        ("customer_import", "K-8;Inna;;\nK-8;Trzecia;;", "The number stands in the file twice."),
        ("customer_import", ";Inna;;", "The number of a customer has 1 to 50 characters."),
        ("customer_import", f"{'9' * 51};Inna;;", "The number of a customer has 1 to 50 characters."),
        ("customer_import", "K-8;;;", "The name of a customer has 1 to 200 characters."),
        ("customer_import", '"K-8\n9";Inna;;', "The number of a customer has 1 to 50 characters."),
        ("customer_import", "K-8;a\u202eb;;", "The name of a customer has 1 to 200 characters."),
        ("customer_import", "K-8;Inna;-1;", "max_mailboxes must be a number from 0 to 1000000."),
        ("customer_import", f"K-8;Inna;{'9' * 5000};", "max_mailboxes must be a number from 0 to 1000000."),
        ("customer_import", "K-8;Inna;٣;", "max_mailboxes must be a number from 0 to 1000000."),
        ("customer_import", "K-8;Inna;;nikt@x.example", "Nobody signs in with the address nikt@x.example."),
        ("domain_import", "stara.example;;;;", "The panel has this domain already."),
        ("domain_import", "żółw.example;;;;\nXN--w-uga1v8h.example;;;;", "The domain stands in the file twice."),
        ("domain_import", "a b;;;;", "“a b” is not a domain name."),
        ("domain_import", "=1+1;;;;", "“=1+1” is not a domain name."),
        ("domain_import", "pl;;;;", "Write the whole domain, for example firma.pl."),
        ("domain_import", ";K-2;;;", "“” is not a domain name."),
        ("domain_import", "x.example;K-0;;;", "No customer has this number."),
        ("domain_import", "x.example;;0;;", "quota_mb must be a number from 1 to 10000000."),
        ("domain_import", "x.example;;;many;", "max_mailboxes must be a number from 0 to 1000000."),
    ],
)  # fmt: skip
def test_nothing_is_made_while_a_line_cannot_be(
    as_administrator: Client, another: Customer, page: str, line: str, words: str
) -> None:
    text = {"customer_import": f"{CUSTOMERS.partition(chr(10))[0]}\nK-7;Dobra;;\n{line}\n",
            "domain_import": f"{DOMAINS.partition(chr(10))[0]}\ndobra.example;;;;\n{line}\n"}[page]  # fmt: skip
    answer = made(as_administrator, page, text)
    assert problems(answer) == [words]
    assert (Customer.objects.count(), Domain.objects.count()) == (1, 2)
    assert "1 line cannot be made." in answer.text


def test_problems_are_told_in_the_readers_language(as_administrator: Client, administrator: User) -> None:
    User.objects.filter(pk=administrator.pk).update(language="pl")
    answer = shown(as_administrator, "domain_import", "domena;klient\nx.example;K-0\n")
    assert problems(answer) == ["Żaden klient nie ma tego numeru."]
    assert "Domeny z pliku" in answer.text


@pytest.mark.parametrize("page", ["customer_import", "domain_import"])
@pytest.mark.parametrize(
    "content",
    [
        b"", b"PK\x03\x04", b"name\nx\n", b"number,domain\n", b"\xff\x00" * 99, b"number,domain\n" + b"1,x\n" * 1_001,
        b"number,domain\n" + b"x" * (1024 * 1024), b'number,domain\n"' + b"x" * 200_000, b"\x00" * 9_999,
    ],
    ids=["empty", "zip", "no key", "no lines", "noise", "long", "large", "field", "nul"],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_in_words(as_administrator: Client, page: str, content: bytes) -> None:
    answer = shown(as_administrator, page, content)
    assert answer.status_code == 422
    assert answer.context["form"].errors
    assert not Customer.objects.exists()
    assert not Domain.objects.exists()


def test_what_a_spreadsheet_writes_is_read(as_administrator: Client) -> None:
    """Its own encoding, its separators, its mark, NULs that some leave behind."""
    for content in (
        "number;name\nK-1;Żółw".encode("cp1250"), "number\tname\nK-1\tŻółw".encode(),
        "\ufeffNumber,NAME\r\nK-1,Żółw".encode(),
        "numer klienta;nazwa\nK-1;Ż\0ółw".encode(),
    ):  # fmt: skip
        [line] = shown(as_administrator, "customer_import", content).context["planned"]
        assert (line.number, line.name, line.problem) == ("K-1", "Żółw", "")


def test_markup_and_formulas_are_text(as_administrator: Client) -> None:
    answer = shown(as_administrator, "customer_import", "number,name\n=1+1,<script>alert(1)</script>\n")
    assert "<script>alert(1)" not in answer.text
    made(as_administrator, "customer_import", answer.context["text"])
    assert Customer.objects.get().name == "<script>alert(1)</script>"


def test_whoever_is_second_is_told_line_by_line(
    as_administrator: Client, another: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the plan and the making somebody else makes one of them."""
    plan = domain_files.plan

    def planned_then_taken(rows: list[dict[str, str]]) -> list[domain_files.Line]:
        planned = plan(rows)
        Domain.objects.get_or_create(name="nowa.example")
        return planned

    monkeypatch.setattr(
        "mailboxes.pages.file_views.domain_files.KIND",
        domain_files.Kind(
            domain_files.COLUMNS,
            domain_files.KIND.order,
            9,
            planned_then_taken,
            domain_files.make,
            domain_files.in_turn,
        ),
    )
    answer = made(as_administrator, "domain_import", DOMAINS)
    assert answer.status_code == 422
    assert problems(answer) == ["The panel has this domain already."]
    assert "nowa.example: The panel has this domain already." in answer.text
    assert not Domain.objects.filter(name="niczyja.example").exists()


def test_what_was_made_is_not_made_twice(as_administrator: Client) -> None:
    made(as_administrator, "customer_import", CUSTOMERS.replace("anna@firma.example", ""))
    answer = made(as_administrator, "customer_import", CUSTOMERS.replace("anna@firma.example", ""))
    assert problems(answer) == ["Another customer has this number."] * 2
    assert Customer.objects.count() == 2


@pytest.mark.parametrize(("page", "kind"), [("customer_import", customer_files), ("domain_import", domain_files)])
def test_a_preview_asks_the_database_no_more_for_more_lines(
    as_administrator: Client, another: Customer, page: str, kind: object
) -> None:
    def count(lines: int) -> int:
        rows = "".join(f"N-{number},n{number}.example,x,K-2\n" for number in range(lines))
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert shown(as_administrator, page, f"number,domain,name,customer\n{rows}").status_code == 200
        return len(asked)

    count(1)
    assert count(1) == count(300)


@pytest.mark.parametrize("page", ["customer_import", "domain_import"])
def test_it_is_for_administrators_of_the_panel_alone(
    as_administrator: Client, as_support: Client, as_boss: Client, page: str
) -> None:
    for client, status in ((as_administrator, 200), (as_support, 404), (as_boss, 404), (Client(), 302)):
        assert client.get(reverse(page)).status_code == status
        if status != 200:
            assert client.post(reverse(page), {"text": CUSTOMERS, "make": "1"}).status_code == status
        assert (reverse(page) in client.get(reverse("domains")).text) == (status == 200)
    assert not Customer.objects.filter(number="K-2").exists()


def test_a_file_of_mailboxes_says_for_which_lines_there_is_no_room(
    as_boss: Client, company: Customer, mailbox: Mailbox
) -> None:
    text = "address,targets\n" + "".join(f"{name}@firma.example,\n" for name in ("jan", "ewa", "ola"))
    text += "biuro@firma.example,jan@firma.example\n"
    Domain.objects.filter(name="firma.example").update(max_mailboxes=2)
    assert problems(made(as_boss, "address_import", text)) == ["firma.example may have 2 mailboxes at most."] * 2
    Domain.objects.filter(name="firma.example").update(max_mailboxes=None)
    Customer.objects.filter(pk=company.pk).update(max_mailboxes=3)
    [told] = problems(made(as_boss, "address_import", text))
    assert re.search("may have 3 mailboxes at most, in all domains together", told)
    Customer.objects.filter(pk=company.pk).update(max_mailboxes=4)
    assert made(as_boss, "address_import", text).context["made"]


def test_the_page_says_from_how_many_lines_on_a_worker_makes_them(as_boss: Client) -> None:
    page = as_boss.get(reverse("address_import")).text
    assert f"Up to {address_files.MAX_ROWS} lines are made at once" in page
    assert reverse("batch_new", args=["make"]) in page


def test_who_looks_after_a_customer_sees_how_many_mailboxes_it_may_have(
    as_support: Client, as_boss: Client, company: Customer
) -> None:
    pages = [
        (as_support, reverse("support_customer", args=[company.pk])),
        (as_support, reverse("domain", args=["firma.example"])), (as_boss, reverse("domain", args=["firma.example"])),
        (as_support, reverse("domain", args=["inna.example"])),
    ]  # fmt: skip
    words = "mailboxes in all domains together"
    assert [words in client.get(page).text for client, page in pages] == [False] * 4
    Customer.objects.filter(pk=company.pk).update(max_mailboxes=30)
    assert [f"at most 30 {words}" in client.get(page).text for client, page in pages] == [True, True, True, False]
