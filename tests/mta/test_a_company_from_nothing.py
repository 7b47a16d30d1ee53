"""A hosting company's first customer: everything is made on the panel's pages, everything is tried on real servers."""

import imaplib
import re
import smtplib
from dataclasses import dataclass
from email import message_from_bytes
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from mailboxes.models import Customer, Mailbox, User
from tests.conftest import PASSWORD
from tests.lmtp.name_server import NameServer
from tests.mta.conftest import Hosting
from tests.mta.stack import Stack, message, until
from tests.mta.test_hosting import refusal
from tests.mta.test_signing import _write_there, keys, milter, name_server, signed_by, signing_stack
from tests.mta.test_who_may_send_what import submission
from tests.web.test_company import password_on

__all__ = ["_write_there", "keys", "milter", "name_server", "signing_stack"]  # fixtures

REPLY = {
    "type": "standing", "subject": "Auto: {{ subject }}", "text_body": "Jestem poza biurem.", "html_body": "",
    "interval_days": "7", "is_enabled": "on", "from_date": "", "to_date": "",
}  # fmt: skip


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
    """Two domains of one customer, and who looks after them."""

    staff: Person
    boss: Person
    own: str
    partner: str

    def mailbox(self, local_part: str, domain: str) -> tuple[str, str]:
        """Made by the customer's administrator; address and the password that the page shows."""
        page = self.boss.fill_in("mailbox_new", local_part=local_part, domain=domain, name=local_part, language="pl")
        return f"{local_part}@{domain}", password_on(page)


@pytest.fixture
def company(
    hosting: Hosting, settings: Settings, name_server: NameServer, plain_static_files: None, own_cache: None
) -> Company:
    """Made by an administrator of the hosting company, whom `createsuperuser` made."""
    settings.DNS_SERVER = name_server.address
    User.objects.create_superuser(f"root@{hosting.domain}", PASSWORD)
    staff = Person(f"root@{hosting.domain}", PASSWORD)
    partner, boss = f"partner-{hosting.domain}", f"szefowa@elsewhere-{hosting.domain}"
    staff.fill_in(
        "admin:mailboxes_user_add", email=boss, usable_password="true", password1=PASSWORD, password2=PASSWORD
    )
    number = User.objects.get(email=boss).pk
    staff.fill_in("admin:mailboxes_customer_add", name="Firma", number=hosting.domain, administrators=number)
    customer = Customer.objects.get()
    for name in (hosting.domain, partner):
        staff.fill_in("admin:mailboxes_domain_add", name=name, customer=customer.pk, is_active="on")
    return Company(staff, Person(boss, PASSWORD), hosting.domain, partner)


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


def publish(server: NameServer, page: str) -> int:
    """Put the records that the page of keys shows into the DNS, as a zone file has them; return how many."""
    lines = re.findall(r"^.*<code>(\S+)\. 3600 IN TXT (\".*\")</code>", page, re.MULTILINE)
    server.zone.update(lines)
    return len(lines)


def test_what_staff_may_take_away(stack: Stack, company: Company, sender: str) -> None:
    staff = company.staff
    ewa, ewas = company.mailbox("ewa", company.partner)

    # No space left: told at the door, for good (RFC 3463 §3.3: 5.2.2).
    staff.fill_in("domain", company.partner, catch_all="", quota_mb="1")
    for number in range(1, 3):
        assert refusal(stack, sender, ewa, size=400_000) == (250, b"")
        stack.wait_until_stored(ewa, number)
    code, words = refusal(stack, sender, ewa, size=400_000)
    assert (code, words[:5]) == (552, b"5.2.2")
    staff.fill_in("domain", company.partner, catch_all="", quota_mb="")

    # Suspended: senders come again, the owner does not get in, and then all is as before.
    staff.fill_in("mailbox_suspend", number_of(ewa), suspend="1")
    assert refusal(stack, sender, ewa)[0] == 450
    with pytest.raises(imaplib.IMAP4.error):
        read(stack, ewa, ewas)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        submission(stack, ewa, ewas)
    staff.fill_in("mailbox_suspend", number_of(ewa), resume="1")
    assert refusal(stack, sender, ewa) == (250, b"")
    assert len(read(stack, ewa, ewas)) >= 2


Sign = tuple[str, str]  # address and password


def test_mail_of_a_company(signing_stack: Stack, company: Company, name_server: NameServer) -> None:
    stack = signing_stack
    anna, jan = company.mailbox("anna", company.own), company.mailbox("jan", company.own)
    ewa = company.mailbox("ewa", company.partner)
    from_one_domain_to_another_and_under_no_other_name(stack, ewa, anna, jan)
    aliases_groups_subaddresses_and_the_catch_all(stack, company, ewa, anna, jan)
    keys_whose_records_are_copied_from_the_page(company, name_server)
    the_owners_own_reply_is_signed(stack, company, name_server, ewa, anna)
    anna = a_changed_password_counts_at_once(stack, anna)
    the_old_address_is_an_alias_and_still_answers(stack, company, name_server, jan, anna)


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


def keys_whose_records_are_copied_from_the_page(company: Company, name_server: NameServer) -> None:
    boss, own = company.boss, company.own
    for algorithm in ("rsa", "ed25519"):
        boss.fill_in("domain_signing", own, make=algorithm)
    assert publish(name_server, boss.client.get(reverse("domain_signing", args=[own])).text.replace("&quot;", '"')) == 2
    assert "Every record is there." in boss.fill_in("domain_signing", own, look="1")


def the_owners_own_reply_is_signed(
    stack: Stack, company: Company, name_server: NameServer, ewa: Sign, anna: Sign
) -> None:
    """Read over IMAP by who wrote, with signatures that hold."""
    Person(*anna).fill_in("responder_new", number_of(anna[0]), **REPLY)
    write(stack, *ewa, anna[0], "Oferta")
    reply = wait_for(stack, *ewa, "Auto: Oferta")
    assert signed_by(reply, name_server) == [company.own, company.own]
    assert message_from_bytes(reply)["Return-Path"] == "<>"


def a_changed_password_counts_at_once(stack: Stack, anna: Sign) -> Sign:
    """And the old one no more."""
    address, old = anna
    new = "another horse battery staple"
    Person(*anna).fill_in("account_change_password", oldpassword=old, password1=new, password2=new)
    read(stack, address, new)
    with pytest.raises(imaplib.IMAP4.error):
        read(stack, address, old)
    return address, new


def the_old_address_is_an_alias_and_still_answers(
    stack: Stack, company: Company, name_server: NameServer, jan: Sign, anna: Sign
) -> None:
    old, password = anna
    company.boss.fill_in("mailbox_rename", number_of(old), local_part="anna.nowak")
    write(stack, *jan, old, "Stary adres")
    reply = wait_for(stack, *jan, "Auto: Stary adres")
    assert signed_by(reply, name_server) == [company.own, company.own]
    assert old in message_from_bytes(reply)["From"]
    wait_for(stack, f"anna.nowak@{company.own}", password, "Stary adres")
