"""A hosting company's first customer, in one story: everything is made on the panel's pages, tried on real servers."""

import imaplib
import re
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from html import unescape

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from mailboxes.models import Customer, DomainClaim, Mailbox, User
from tests.conftest import PASSWORD
from tests.dns.name_server import Nsd
from tests.mta.conftest import Hosting
from tests.mta.stack import Stack, message, until
from tests.mta.test_hosting import refusal
from tests.mta.test_signing import _write_there, keys, milter, signed_by, signing_stack
from tests.mta.test_who_may_send_what import submission
from tests.web.test_company import password_on

__all__ = ["_write_there", "keys", "milter", "signing_stack"]  # fixtures

REPLY = {
    "type": "standing", "subject": "Auto: {{ subject }}", "text_body": "Jestem poza biurem.", "html_body": "",
    "interval_days": "7", "is_enabled": "on", "from_date": "", "to_date": "",
}  # fmt: skip
Sign = tuple[str, str]  # address and password


@pytest.fixture(scope="module")
def name_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nsd]:
    """The authoritative one of every domain here: the panel and rspamd ask it, and whoever checks a signature."""
    server = Nsd(tmp_path_factory.mktemp("nsd"))
    yield server
    server.stop()


class Person:
    """Somebody in front of the panel, who signed in with address and password."""

    def __init__(self, address: str, password: str) -> None:
        self.client = Client()
        answer = self.client.post(reverse("account_login"), {"login": address, "password": password})
        assert answer.status_code == 302, address

    def fill_in(self, page: str, /, *arguments: object, **typed: object) -> str:
        """Send the form of a page; it must be taken. The page that comes."""
        answer = self.client.post(reverse(page, args=arguments), typed, follow=True)
        assert answer.status_code == 200, (page, answer.status_code)
        shown = answer.context or {}
        for form in (shown.get("form"), getattr(shown.get("adminform"), "form", None)):
            assert not getattr(form, "errors", None), (page, form.errors)
        return unescape(answer.text)


@dataclass
class Company:
    """A customer, who looks after it, and what it published in the DNS."""

    staff: Person
    boss: Person
    name_server: Nsd
    own: str
    partner: str
    published: list[str] = field(default_factory=list)

    def mailbox(self, local_part: str, domain: str) -> Sign:
        """Made by the customer's administrator; address and the password that the page shows."""
        page = self.boss.fill_in("mailbox_new", local_part=local_part, domain=domain, name=local_part, language="pl")
        return f"{local_part}@{domain}", password_on(page)

    def publish(self, *lines: str) -> None:
        self.published.extend(lines)
        self.name_server.publish("".join(f"{line}\n" for line in self.published))


@pytest.fixture
def company(
    hosting: Hosting,
    settings: Settings,
    name_server: Nsd,
    plain_static_files: None,
    own_cache: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Company:
    """Made by an administrator of the hosting company, whom `createsuperuser` made. It has no domain yet."""
    settings.DNS_SERVER = name_server.address
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", interactive=False, email=f"root@{hosting.domain}", verbosity=0)
    staff = Person(f"root@{hosting.domain}", PASSWORD)
    boss = f"szefowa@elsewhere-{hosting.domain}"
    staff.fill_in(
        "admin:mailboxes_user_add", email=boss, usable_password="true", password1=PASSWORD, password2=PASSWORD
    )
    number = User.objects.get(email=boss).pk
    staff.fill_in("admin:mailboxes_customer_add", name="Firma", number=hosting.domain, administrators=number)
    assert Customer.objects.get().administrators.get().email == boss
    return Company(staff, Person(boss, PASSWORD), name_server, hosting.domain, f"partner-{hosting.domain}")


def number_of(address: str) -> int:
    return Mailbox.objects.get(address=address).pk


def read(stack: Stack, address: str, password: str) -> list[bytes]:
    """What a mail program finds in the inbox."""
    with stack.imap(address, password) as imap:
        imap.select()
        _ok, [numbers] = imap.search(None, "ALL")
        return [imap.fetch(number, "(RFC822)")[1][0][1] for number in numbers.decode().split()]


def wait_for(stack: Stack, address: str, password: str, subject: str) -> bytes:
    """The letter of that subject in the inbox, once it is there."""

    def found() -> bytes:
        letters = read(stack, address, password)
        return next((letter for letter in letters if message_from_bytes(letter)["Subject"] == subject), b"")

    return until(found, f"“{subject}” in the inbox of {address}")


def write(stack: Stack, sender: str, password: str, to: str, subject: str) -> None:
    with submission(stack, sender, password) as smtp:
        smtp.send_message(message(sender, to, subject), sender, [to])


def test_mail_of_a_company(signing_stack: Stack, company: Company, sender: str) -> None:
    stack = signing_stack
    nobody_takes_mail_for_a_domain_before_its_proof(stack, company, sender)
    anna, jan = company.mailbox("anna", company.own), company.mailbox("jan", company.own)
    ewa = company.mailbox("ewa", company.partner)
    mail_of_the_world_comes_in_and_is_read(stack, sender, anna, ewa)
    from_one_domain_to_another_and_under_no_other_name(stack, ewa, anna, jan)
    aliases_groups_subaddresses_and_the_catch_all(stack, company, ewa, anna, jan)
    keys_whose_records_are_copied_from_the_page(company)
    the_owners_own_reply_is_signed(stack, company, ewa, anna)
    anna = a_changed_password_counts_at_once(stack, anna)
    the_old_address_is_an_alias_and_still_answers(stack, company, jan, anna)
    who_has_no_space_left_is_told_at_the_door(stack, company, sender, jan, ewa)
    who_is_suspended_gets_mail_later(stack, company, sender, ewa)


def nobody_takes_mail_for_a_domain_before_its_proof(stack: Stack, company: Company, sender: str) -> None:
    """The customer's administrator says that two domains are hers; whoever holds their DNS shows it."""
    boss, domains = company.boss, (company.own, company.partner)
    pages = [boss.fill_in("domain_new", name=name) for name in domains]
    claims = [DomainClaim.objects.get(name=name).pk for name in domains]
    assert "The record is not there yet." in boss.fill_in("domain_claim", claims[0])
    for name in domains:
        assert refusal(stack, sender, f"anna@{name}")[0] == 554
        typed = {"local_part": "anna", "domain": name, "language": "pl"}
        assert boss.client.post(reverse("mailbox_new"), typed).status_code == 404  # she has no domain yet
    company.publish(*map(record_on, pages))
    for claim in reversed(claims):  # whoever clicked a moment ago waits for ten seconds
        until(lambda claim=claim: "Proven: " in boss.fill_in("domain_claim", claim), "the proof seen")  # type: ignore[misc]
    for name in domains:  # of ours now, with nobody there yet
        until(lambda name=name: refusal(stack, sender, f"anna@{name}")[0] == 550, "a domain of ours")  # type: ignore[misc]


def record_on(page: str) -> str:
    """The record that a page asks for, as a zone file has it."""
    name, value = (re.search(rf'id="proof-record-{part}">([^<]+)</code>', page) for part in ("name", "value"))
    assert name is not None
    assert value is not None
    return f'{name[1]}. TXT "{value[1]}"'


def mail_of_the_world_comes_in_and_is_read(stack: Stack, sender: str, *mailboxes: Sign) -> None:
    for address, password in mailboxes:
        assert refusal(stack, sender, address) == (250, b"")
        wait_for(stack, address, password, "Pytanie")


def from_one_domain_to_another_and_under_no_other_name(stack: Stack, ewa: Sign, anna: Sign, jan: Sign) -> None:
    write(stack, *ewa, anna[0], "Pytanie")
    wait_for(stack, *anna, "Pytanie")
    with submission(stack, *ewa) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused, match="not owned by user"):
        smtp.sendmail(anna[0], [jan[0]], b"Subject: x\r\n\r\nx")


def aliases_groups_subaddresses_and_the_catch_all(
    stack: Stack, company: Company, ewa: Sign, anna: Sign, jan: Sign
) -> None:
    boss, own = company.boss, company.own
    boss.fill_in("alias_new", own, local_part="biuro", targets=anna[0], is_active="on")
    boss.fill_in("alias_new", own, local_part="zespol", targets=f"{anna[0]}\n{jan[0]}", is_active="on")
    boss.fill_in("domain", own, catch_all="jan")
    for local_part in ("biuro", "zespol", "anna+sklep", "nikt"):
        write(stack, *ewa, f"{local_part}@{own}", local_part)
    for who, subjects in [(anna, ["biuro", "zespol", "anna+sklep"]), (jan, ["zespol", "nikt"])]:
        for subject in subjects:
            wait_for(stack, *who, subject)
    assert len(read(stack, *jan)) == 2


def keys_whose_records_are_copied_from_the_page(company: Company) -> None:
    boss, own = company.boss, company.own
    for algorithm in ("rsa", "ed25519"):
        boss.fill_in("domain_signing", own, make=algorithm)
    page = unescape(boss.client.get(reverse("domain_signing", args=[own])).text)
    lines = re.findall(r"<code>(\S+\. 3600 IN TXT \".*\")</code>", page)
    assert len(lines) == 2
    company.publish(*lines)
    assert "Every record is there." in boss.fill_in("domain_signing", own, look="1")


def the_owners_own_reply_is_signed(stack: Stack, company: Company, ewa: Sign, anna: Sign) -> None:
    """Read over IMAP by who wrote, with signatures that hold."""
    Person(*anna).fill_in("responder_new", number_of(anna[0]), **REPLY)
    write(stack, *ewa, anna[0], "Oferta")
    reply = wait_for(stack, *ewa, "Auto: Oferta")
    assert signed_by(reply, company.name_server) == [company.own, company.own]
    assert message_from_bytes(reply)["Return-Path"] == "<>"


def a_changed_password_counts_at_once(stack: Stack, anna: Sign) -> Sign:
    """And the old one no more, neither for reading nor for sending."""
    address, old = anna
    new = "another horse battery staple"
    Person(*anna).fill_in("account_change_password", oldpassword=old, password1=new, password2=new)
    read(stack, address, new)
    submission(stack, address, new).quit()
    with pytest.raises(imaplib.IMAP4.error):
        read(stack, address, old)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        submission(stack, address, old)
    return address, new


def the_old_address_is_an_alias_and_still_answers(stack: Stack, company: Company, jan: Sign, anna: Sign) -> None:
    old, password = anna
    company.boss.fill_in("mailbox_rename", number_of(old), local_part="anna.nowak")
    write(stack, *jan, old, "Stary adres")
    reply = wait_for(stack, *jan, "Auto: Stary adres")
    assert signed_by(reply, company.name_server) == [company.own, company.own]
    assert old in message_from_bytes(reply)["From"]
    wait_for(stack, f"anna.nowak@{company.own}", password, "Stary adres")


def who_has_no_space_left_is_told_at_the_door(
    stack: Stack, company: Company, sender: str, jan: Sign, ewa: Sign
) -> None:
    """For good (RFC 3463 §3.3: 5.2.2), a stranger as well as a neighbour who signed in."""
    staff, (full, _password) = company.staff, ewa
    staff.fill_in("domain", company.partner, catch_all="", quota_mb="1")
    before = len(stack.stored(full))
    for number in range(1, 3):
        assert refusal(stack, sender, full, size=400_000) == (250, b"")
        stack.wait_until_stored(full, before + number)
    code, words = refusal(stack, sender, full, size=400_000)
    assert (code, words[:5]) == (552, b"5.2.2")
    with submission(stack, *jan) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        smtp.send_message(message(jan[0], full, text="x" * 70 + "\n" + "y\n" * 200_000), jan[0], [full])
    code, words = refused.value.recipients[full]
    assert (code, words[:5]) == (552, b"5.2.2")
    staff.fill_in("domain", company.partner, catch_all="", quota_mb="")
    assert refusal(stack, sender, full, size=400_000) == (250, b"")


def who_is_suspended_gets_mail_later(stack: Stack, company: Company, sender: str, ewa: Sign) -> None:
    """Senders come again, the owner neither reads nor sends; and then all is as before."""
    address, password = ewa
    company.staff.fill_in("mailbox_suspend", number_of(address), suspend="1")
    assert refusal(stack, sender, address)[0] == 450
    with pytest.raises(imaplib.IMAP4.error):
        read(stack, address, password)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        submission(stack, address, password)
    company.staff.fill_in("mailbox_suspend", number_of(address), resume="1")
    write(stack, *ewa, address, "Znowu jestem")
    wait_for(stack, *ewa, "Znowu jestem")
