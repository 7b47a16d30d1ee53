"""A customer's administrator adds a domain: it is theirs once a record in its DNS says so, and not before."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from mailboxes import services, tasks
from mailboxes.domain_dns import claims
from mailboxes.domain_dns.claims import Outcome
from mailboxes.domain_dns.records import Answer
from mailboxes.models import Customer, Domain, DomainClaim, User
from responders.support import attention
from tests.dns.name_server import Nsd
from tests.dns.test_what_is_there import HOSTS

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _surroundings(plain_static_files: None, own_cache: None) -> None:
    """Pages name static files."""


def administrator(name: str) -> tuple[Customer, User, Client]:
    customer = Customer.objects.create(name=name, number=name)
    person = User.objects.create_user(f"{name}@konto.example", language="en")
    customer.administrators.add(person)
    client = Client()
    client.force_login(person)
    return customer, person, client


@pytest.fixture
def ours(db: None) -> tuple[Customer, User, Client]:
    return administrator("nasza")


@pytest.fixture
def theirs(db: None) -> tuple[Customer, User, Client]:
    return administrator("cudza")


def claimed(by: tuple[Customer, User, Client], name: str = "firma.example") -> DomainClaim:
    answer = by[2].post(reverse("domain_new"), {"name": name})
    assert answer.status_code == 302, answer.context["form"].errors
    return DomainClaim.objects.get(customer=by[0], name=name)


def proof(*rows: DomainClaim) -> str:
    return "".join(f'{record.name}. TXT "{record.value}"\n' for record in map(claims.record_of, rows))


def look(by: tuple[Customer, User, Client], row: DomainClaim) -> str:
    """What the page says after a click on "look"."""
    DomainClaim.objects.filter(pk=row.pk).update(asked_at=None)
    return by[2].post(reverse("domain_claim", args=[row.pk]), follow=True).text


def mail_knows(name: str) -> bool:
    """Whether Postfix takes mail for the domain."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM mail_domains WHERE domain = %s", [name])
        return bool(cursor.fetchone()[0])


def test_it_is_theirs_once_the_record_is_there(ours: tuple[Customer, User, Client], zone: Nsd) -> None:
    assert ours[2].post(reverse("domain_new"), {"name": " Firma.Example. "}).status_code == 302
    row = DomainClaim.objects.get(name="firma.example")
    page = ours[2].get(reverse("domain_claim", args=[row.pk])).text
    assert f"_webmail-panel.{row.name}" in page
    assert f"panel-verify={row.token}" in page
    zone.publish(HOSTS)
    assert "not there yet" in look(ours, row)
    assert not mail_knows("firma.example")
    with pytest.raises(services.MailboxesError, match="not a domain of this panel"):
        services.add_mailbox("anna@firma.example")
    zone.publish(HOSTS + proof(row))
    assert "Proven" in look(ours, row)
    assert Domain.objects.get().customer == ours[0]
    assert mail_knows("firma.example")
    assert not DomainClaim.objects.exists()


def test_the_task_finds_it_without_a_click(ours: tuple[Customer, User, Client], zone: Nsd) -> None:
    row = claimed(ours)
    zone.publish(HOSTS + proof(row))
    assert tasks.look_at_claims() == 0  # its turn is in an hour
    DomainClaim.objects.update(next_check_at=timezone.now())
    assert tasks.look_at_claims() == 1
    assert Domain.objects.get().customer == ours[0]


def test_nobody_blocks_another_by_claiming_first(
    ours: tuple[Customer, User, Client], theirs: tuple[Customer, User, Client], zone: Nsd
) -> None:
    first, second = claimed(theirs), claimed(ours)
    zone.publish(HOSTS + proof(second))
    assert "not there yet" in look(theirs, first)
    assert "Proven" in look(ours, second)
    assert Domain.objects.get().customer == ours[0]


def test_the_proof_of_another_proves_nothing(
    ours: tuple[Customer, User, Client], theirs: tuple[Customer, User, Client], zone: Nsd
) -> None:
    mine, other = claimed(ours), claimed(theirs)
    zone.publish(
        HOSTS + proof(other) + f'_webmail-panel.firma TXT "panel-verify="\nfirma TXT "panel-verify={mine.token}"\n'
    )
    assert "not there yet" in look(ours, mine)
    assert not Domain.objects.exists()


def test_an_old_proof_counts_no_more(ours: tuple[Customer, User, Client], zone: Nsd) -> None:
    old = claimed(ours)
    zone.publish(HOSTS + proof(old))
    ours[2].post(reverse("domain_claim", args=[old.pk]), {"give_up": "1"})
    assert "not there yet" in look(ours, claimed(ours))


def test_a_domain_that_another_has_is_not_taken_but_staff_are_told(
    ours: tuple[Customer, User, Client], theirs: tuple[Customer, User, Client], zone: Nsd, settings: Settings
) -> None:
    settings.STAFF_NOTICES = ["staff@hosting.example"]
    Domain.objects.create(name="firma.example", customer=theirs[0])
    row = claimed(ours)  # not a word that somebody has it
    zone.publish(HOSTS + proof(row))
    assert "somebody else has the domain" in look(ours, row)
    assert Domain.objects.get().customer == theirs[0]
    assert tasks.look_at_claims() == 0
    assert tasks.look_at_claims() == 0
    [letter] = mail.outbox
    assert (letter.to, letter.subject) == (["staff@hosting.example"], "Two customers want firma.example")
    [listed] = attention.troubled_domains(timezone.now(), 20)
    assert (listed.what, listed.name, listed.customer) == ("disputed", "firma.example", "nasza")
    Domain.objects.update(customer=ours[0])  # what staff decided
    assert "Proven" in look(ours, row)
    assert not DomainClaim.objects.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "required"), ("a b", "not a domain name"), ("localhost", "whole domain"), ("192.0.2.1", "whole domain"),
        ("mail.example", "own"), ("x." * 140 + "pl", "not a domain name"), ("autoreply.invalid", "not a domain name"),
        ("firma.example", "yours already"), ("FIRMA.example", "yours already"), ("a..pl", "not a domain name"),
        ("<script>.pl", "not a domain name"), ("firma.pl\x00", "Null"),
        ("www.firma.pl", "write firma.pl"), ("https://www.firma.pl/", "write firma.pl"),
        ("https://", "not a domain name"),
    ],
)  # fmt: skip
def test_a_mistake_stands_beside_the_field(
    ours: tuple[Customer, User, Client], installed: Settings, name: str, words: str
) -> None:
    Domain.objects.create(name="firma.example", customer=ours[0])
    answer = ours[2].post(reverse("domain_new"), {"name": name})
    assert answer.status_code == 422
    assert words in str(answer.context["form"].errors["name"])
    assert not DomainClaim.objects.exists()


@pytest.mark.parametrize("name", ["https://firma.pl/oferta?x=1", "HTTP://Firma.PL:8080", " firma.pl# ", "firma.pl."])
def test_the_line_of_a_browser_is_taken_for_its_domain(ours: tuple[Customer, User, Client], name: str) -> None:
    assert ours[2].post(reverse("domain_new"), {"name": name}).status_code == 302
    assert DomainClaim.objects.get().name == "firma.pl"


def test_polish_letters_are_welcome(ours: tuple[Customer, User, Client]) -> None:
    answer = ours[2].post(reverse("domain_new"), {"name": "żółw.example"})
    assert answer.status_code == 302
    assert DomainClaim.objects.get().name == "xn--w-uga1v8h.example"


def test_she_finds_the_way_there_without_a_domain_yet(ours: tuple[Customer, User, Client]) -> None:
    assert reverse("domains") in ours[2].get("/").text
    assert reverse("domain_new") in ours[2].get(reverse("domains")).text
    assert Client().get(reverse("domain_new")).status_code == 302


def test_twice_is_once(ours: tuple[Customer, User, Client]) -> None:
    assert claimed(ours).pk == claimed(ours).pk


def test_twenty_at_a_time(ours: tuple[Customer, User, Client]) -> None:
    for number in range(claims.MAX_CLAIMS):
        claimed(ours, f"d{number}.example")
    answer = ours[2].post(reverse("domain_new"), {"name": "more.example"})
    assert answer.status_code == 422
    assert "Many domains wait" in answer.text


def test_who_administers_two_customers_chooses(ours: tuple[Customer, User, Client], theirs: object) -> None:
    second = Customer.objects.create(name="Druga", number="D")
    second.administrators.add(ours[1])
    other = Customer.objects.exclude(administrators=ours[1]).get()
    assert ours[2].post(reverse("domain_new"), {"name": "x.example", "customer": other.pk}).status_code == 422
    assert ours[2].post(reverse("domain_new"), {"name": "x.example", "customer": second.pk}).status_code == 302
    assert DomainClaim.objects.get().customer == second


def test_the_word_of_staff_is_enough(support: User, ours: tuple[Customer, User, Client]) -> None:
    client = Client()
    client.force_login(support)
    new = reverse("domain_new")
    assert client.post(new, {"name": "x.example", "number": "nobody"}).status_code == 422
    assert client.post(new, {"name": "x.example", "number": "nasza"})["Location"] == "/domains/x.example/dns/"
    assert Domain.objects.get().customer == ours[0]
    assert client.post(new, {"name": "X.example"}).status_code == 422
    assert client.post(new, {"name": "y.example"}).status_code == 302
    assert mail_knows("y.example")


def test_another_customers_claim_is_not_known_to_exist(
    ours: tuple[Customer, User, Client], theirs: tuple[Customer, User, Client]
) -> None:
    row = claimed(theirs)
    page = reverse("domain_claim", args=[row.pk])
    assert ours[2].get(page).status_code == ours[2].post(page, {"give_up": "1"}).status_code == 404
    assert "firma.example" not in ours[2].get(reverse("domains")).text
    assert "firma.example" in theirs[2].get(reverse("domains")).text


@pytest.mark.usefixtures("silence")
def test_a_silent_name_server_is_said_and_looked_at_again(ours: tuple[Customer, User, Client]) -> None:
    row = claimed(ours)
    assert "did not answer" in look(ours, row)
    row.refresh_from_db()
    assert row.next_check_at > timezone.now()


def test_clicking_and_clicking_asks_once_in_ten_seconds(ours: tuple[Customer, User, Client], zone: Nsd) -> None:
    row, now = claimed(ours), timezone.now()
    assert claims.look_again(row, now=now) is Outcome.NOT_THERE
    assert claims.look_again(row, now=now + timedelta(seconds=9)) is Outcome.TOO_SOON
    assert claims.look_again(row, now=now + timedelta(seconds=11)) is Outcome.NOT_THERE


def test_what_nobody_proved_in_thirty_days_is_forgotten(ours: tuple[Customer, User, Client], zone: Nsd) -> None:
    row = claimed(ours)
    claims.look_at_due(lambda: row.created_at + 29 * DAY)
    assert DomainClaim.objects.exists()
    claims.look_at_due(lambda: row.created_at + 31 * DAY)
    assert not DomainClaim.objects.exists()


def test_a_claim_given_up_while_it_is_looked_at_makes_no_domain(ours: tuple[Customer, User, Client]) -> None:
    row = claimed(ours)

    def ask(_name: str, _kind: str) -> Answer:
        DomainClaim.objects.all().delete()
        return Answer((claims.record_of(row).value,))

    assert claims.look(row, now=timezone.now(), ask=ask) is Outcome.NOT_THERE
    assert not Domain.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_prove_it_at_the_same_moment_one_has_it(
    ours: tuple[Customer, User, Client], theirs: tuple[Customer, User, Client]
) -> None:
    rows = [claimed(ours), claimed(theirs)]
    both = threading.Barrier(2)
    found: list[Outcome] = []

    def prove(row: DomainClaim) -> None:
        def ask(_name: str, _kind: str) -> Answer:
            both.wait(10)
            return Answer((claims.record_of(row).value,))

        found.append(claims.look(row, now=timezone.now(), ask=ask))
        connection.close()

    threads = [threading.Thread(target=prove, args=[row]) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.value for outcome in found) == ["disputed", "proven"]
    assert Domain.objects.count() == 1
    Domain.objects.all().delete()


# --- The page of a domain ---


@pytest.fixture
def domain(ours: tuple[Customer, User, Client]) -> Domain:
    return Domain.objects.create(name="firma.example", customer=ours[0])


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """What was given to the worker."""
    given: list[int] = []
    monkeypatch.setattr(tasks.check_domain, "delay", given.append)
    return given


def test_the_page_says_what_to_publish_before_anybody_looked(
    ours: tuple[Customer, User, Client], domain: Domain, installed: Settings
) -> None:
    page = ours[2].get(reverse("domain_dns", args=["firma.example"])).text
    assert "Nobody has looked yet" in page
    assert "firma.example. 3600 IN MX 10 mail.example." in page


def test_a_click_has_it_looked_at_and_the_page_waits(
    ours: tuple[Customer, User, Client],
    domain: Domain,
    zone: Nsd,
    handed_over: list[int],
    django_capture_on_commit_callbacks: object,
) -> None:
    path = reverse("domain_dns", args=["firma.example"])
    zone.publish(HOSTS + "firma MX 10 other\n")
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        ours[2].post(path)
        assert "half a minute" in ours[2].post(path, follow=True).text
    assert handed_over == [domain.pk]
    waiting = ours[2].get(path, headers={"HX-Request": "true"}).text
    assert 'hx-trigger="every 2s"' in waiting
    tasks.check_domain(domain.pk)
    page = ours[2].get(path).text
    assert "every 2s" not in page
    assert "Mail goes to other servers and does not come to us." in page
    assert "10 other.example" in page
    assert re.search(r"Last looked at: \d", page)


def test_a_zone_that_means_harm_is_shown_as_text(
    ours: tuple[Customer, User, Client], domain: Domain, zone: Nsd
) -> None:
    zone.publish(HOSTS + 'firma TXT "v=spf1 <script>alert(1)</script> -all"\n')
    tasks.check_domain(domain.pk)
    page = ours[2].get(reverse("domain_dns", args=["firma.example"])).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_support_sees_it_on_the_domains_page(support: User, domain: Domain, zone: Nsd) -> None:
    client = Client()
    client.force_login(support)
    path = reverse("support_domain", args=["firma.example"])
    assert "Nobody has looked yet" in client.get(path).text
    zone.publish(HOSTS)
    tasks.check_domain(domain.pk)
    page = client.get(path).text
    assert "Nobody is told where mail goes" in page
    assert "Everything that is needed is right." not in page


# --- The policy of MTA-STS ---

POLICY = "/.well-known/mta-sts.txt"


def test_the_policy_is_served_under_the_domains_own_name(domain: Domain, installed: Settings) -> None:
    answer = Client().get(POLICY, headers={"host": "MTA-STS.firma.example"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    lines = answer.text.split("\r\n")
    assert lines == ["version: STSv1", "mode: testing", "mx: mail.example", "max_age: 86400", ""]


@pytest.mark.parametrize(
    "host", ["mta-sts.inna.example", "mta-sts.", "mta-sts.x\x00y", "mta-sts." + "x" * 300, "testserver"]
)
def test_there_is_none_of_other_domains(domain: Domain, installed: Settings, host: str) -> None:
    assert Client().get(POLICY, headers={"host": host}).status_code == 404


def test_nothing_else_is_served_there(domain: Domain, installed: Settings) -> None:
    assert Client().get("/", headers={"host": "mta-sts.firma.example"}).status_code == 400
    assert Client().post(POLICY, headers={"host": "mta-sts.firma.example"}).status_code == 405


def test_without_a_mode_there_is_none(domain: Domain, installed: Settings) -> None:
    installed.MTA_STS_MODE = ""
    assert Client().get(POLICY, headers={"host": "mta-sts.firma.example"}).status_code == 404
