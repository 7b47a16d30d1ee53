"""What receivers make of our mail by SPF (RFC 7208), with the records that panel and docs/postfix.md say to publish.

pyspf evaluates, as a receiver would; a real name server answers.
"""

import re
from collections.abc import Callable

import pytest
from pytest_django import Settings

from mailboxes.domain_dns import spf_result
from mailboxes.domain_dns.asker import asker
from tests.dns.name_server import Nsd
from tests.dns.test_what_is_there import FIRMA, HOSTS, look, one, published_by_the_book
from tests.mta.stack import ROOT
from webmail_panel.doctor import host

OURS, OTHERS = ["192.0.2.1", "2001:db8::1"], ["192.0.2.99", "2001:db8::99", "203.0.113.7"]
HELO = "mail.example"
Evaluate = Callable[[str, str], str]


def told_for_the_server() -> str:
    """The record for the name in EHLO, as docs/postfix.md writes it, for our host."""
    document = (ROOT / "docs/postfix.md").read_text()
    (text,) = re.findall(r'^    mail\.example\.org\.\s+IN TXT\s+(".*")$', document, re.MULTILINE)
    return f"mail TXT {text}\n"


@pytest.fixture
def evaluate(zone: Nsd) -> Evaluate:
    """Everything is published as told; then: address and sender in the envelope → the receiver's result."""
    zone.publish(HOSTS)
    zone.publish(HOSTS + published_by_the_book() + told_for_the_server())

    def result(address: str, sender: str) -> str:
        return spf_result.result(address, sender, HELO, asker(zone.address))

    return result


@pytest.mark.parametrize("local_part", ["anna", "bounces=" + "a" * 40])
def test_a_letter_passes_from_our_addresses_and_from_no_other(evaluate: Evaluate, local_part: str) -> None:
    assert [evaluate(address, f"{local_part}@{FIRMA}") for address in OURS] == ["pass", "pass"]
    assert {evaluate(address, f"{local_part}@{FIRMA}") for address in OTHERS} == {"softfail"}


def test_a_domain_that_says_no_to_others_fails_them(evaluate: Evaluate, zone: Nsd) -> None:
    """What it had before stays, and we come in."""
    zone.publish(HOSTS + 'firma TXT "v=spf1 -all"\n')
    zone.publish(HOSTS + f"{look()['spf'].publish[0].zone_line}\n")
    assert [evaluate(address, f"anna@{FIRMA}") for address in OURS] == ["pass", "pass"]
    assert {evaluate(address, f"anna@{FIRMA}") for address in OTHERS} == {"fail"}


def test_a_reply_without_a_sender_passes_by_the_name_in_ehlo(evaluate: Evaluate) -> None:
    assert [evaluate(address, "") for address in OURS] == ["pass", "pass"]
    assert {evaluate(address, "") for address in OTHERS} == {"fail"}


def test_without_the_record_for_ehlo_a_reply_does_not_pass(evaluate: Evaluate, zone: Nsd) -> None:
    zone.publish(HOSTS)
    assert evaluate(OURS[0], "") == "none"


def test_one_record_for_all_is_included(zone: Nsd, installed: Settings) -> None:
    installed.SPF_INCLUDE = "spf.example"
    ours = 'spf TXT "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all"\n'
    zone.publish(HOSTS + ours)
    zone.publish(HOSTS + ours + published_by_the_book())
    ask = asker(zone.address)
    assert [spf_result.result(address, f"anna@{FIRMA}", HELO, ask) for address in OURS] == ["pass", "pass"]
    assert spf_result.result(OTHERS[0], f"anna@{FIRMA}", HELO, ask) == "softfail"


def test_doctor_looks_at_the_name_in_ehlo(zone: Nsd) -> None:
    zone.publish(HOSTS + told_for_the_server())
    assert host.check_spf(HELO).status == "ok"
    zone.publish(HOSTS)
    assert host.check_spf(HELO).status == "warn"
    zone.publish(HOSTS + told_for_the_server().replace("a -all", "ip4:192.0.2.1 -all"))
    finding = host.check_spf(HELO)
    assert (finding.status, "2001:db8::1: fail" in finding.seen) == ("warn", True)
    assert host.check_spf("nowhere.example").status == "unknown"


@pytest.mark.parametrize(
    ("text", "more", "wanted"),
    [
        ("v=spf1 exists:%{ir}.list.%{d} -all", "1.2.0.192.list.firma A 127.0.0.2", ("wrong", "without-us")),  # not IPv6
        ("v=spf1 exists:%{v}.%{d} -all", "in-addr.firma A 127.0.0.2\nip6.firma A 127.0.0.2", ("ok", "ok")),
        ("v=spf1 exists:%{h}.%{d2} -all", "mail.example.firma A 127.0.0.2", ("ok", "ok")),
        ("v=spf1 exists:nobody.%{d} -all", "", ("wrong", "without-us")),
        ("v=spf1 include:%{d1}.spf.example -all", 'example.spf TXT "v=spf1 a:mail.example -all"', ("ok", "ok")),
        ("v=spf1 redirect=_spf.%{d}", '_spf.firma TXT "v=spf1 a:mail.example -all"', ("ok", "ok")),
        ("v=spf1 a:%{d1r}.mail.example a:mail.example -all", "", ("ok", "ok")),
        ("v=spf1 ptr -all", "", ("wrong", "without-us")),  # no such record in this zone
        ("v=spf1 exists:%{l}.users.%{d} -all", "postmaster.users.firma A 127.0.0.2", ("wrong", "macros")),
        ("v=spf1 a:mail.example exists:%{l}.users.%{d} -all", "", ("ok", "ok")),  # whoever writes, we passed before
        ("v=spf1 exists:%{z}.x.example -all", "", ("wrong", "unreadable")),
        ("v=spf1 exists:%{d -all", "", ("wrong", "unreadable")),
    ],
)
def test_macros_ptr_and_exists_are_worked_out(zone: Nsd, text: str, more: str, wanted: tuple[str, str]) -> None:
    assert one(zone, f'firma TXT "{text}"\n{more}\n', "spf") == wanted


@pytest.mark.usefixtures("silence")
def test_a_name_server_that_says_nothing_is_a_trouble_of_the_moment() -> None:
    assert spf_result.result("192.0.2.1", f"anna@{FIRMA}", HELO, asker("127.0.0.1:9")) == "temperror"
