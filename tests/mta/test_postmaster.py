"""Every hosted domain has a postmaster (RFC 5321 §4.5.1) and an address for abuse (RFC 2142 §5), whoever reads it."""

import pytest
from django.utils import timezone

from mailboxes import hosting as services
from mailboxes.domain_dns.checking import unasked
from mailboxes.models import Domain, Mailbox
from tests.mta.conftest import Hosting
from tests.mta.stack import Stack, until
from tests.mta.test_hosting import refusal

POSTMASTER = "postmaster@klient.example"  # who is named in tests/mta/stack.py


@pytest.mark.parametrize("name", ["postmaster", "Abuse", "postmaster+dmarc", "abuse+X+y"])
def test_where_nobody_has_the_address_the_hosts_own_postmaster_reads_it(
    stack: Stack, hosting: Hosting, sender: str, name: str
) -> None:
    hosting.mailbox("anna")
    stack.send(sender, to := f"{name}@{hosting.domain}")
    until(lambda: to in [letter.message["To"] for letter in stack.sink.mail_for(POSTMASTER)], "it is read")
    assert stack.sink.mail_for(sender) == []


def test_who_gets_the_reports_that_the_dns_asks_for_is_there(stack: Stack, hosting: Hosting, sender: str) -> None:
    hosting.mailbox("anna")
    values = [record.value for seen in unasked(Domain.objects.get()) for record in seen.publish]
    asked = {value.rpartition("mailto:")[2] for value in values if "rua=mailto:" in value}
    assert asked == {f"postmaster@{hosting.domain}"}
    assert refusal(stack, sender, *asked) == (250, b"")


def test_a_mailbox_or_an_alias_of_that_name_comes_first(stack: Stack, hosting: Hosting, sender: str) -> None:
    postmaster = hosting.mailbox("postmaster")
    hosting.alias("abuse", anna := hosting.mailbox("anna"))
    for name, reader in (("postmaster", postmaster), ("abuse", anna)):
        stack.send(sender, f"{name}@{hosting.domain}")
        stack.wait_until_stored(reader)
        assert len(stack.stored(reader)) == 1
    stack.wait_for_empty_queue()
    assert hosting.domain not in str([letter.message["To"] for letter in stack.sink.mail_for(POSTMASTER)])


def test_a_sub_address_goes_where_the_address_without_it_does(stack: Stack, hosting: Hosting, sender: str) -> None:
    """Or to whoever has just that one."""
    postmaster, ewa = hosting.mailbox("postmaster"), hosting.mailbox("ewa")
    hosting.alias("abuse", anna := hosting.mailbox("anna"))
    hosting.alias("abuse+lists", ewa)
    for name, reader in (("postmaster+x", postmaster), ("abuse+x", anna), ("abuse+lists", ewa)):
        stack.send(sender, f"{name}@{hosting.domain}")
        stack.wait_until_stored(reader)
        assert len(stack.stored(reader)) == 1
    stack.wait_for_empty_queue()
    assert hosting.domain not in str([letter.message["To"] for letter in stack.sink.mail_for(POSTMASTER)])


def test_a_catch_all_comes_first(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.mailbox("anna")
    Domain.objects.update(catch_all=Mailbox.objects.get())
    stack.send(sender, f"postmaster@{hosting.domain}")
    stack.send(sender, f"abuse+x@{hosting.domain}")
    stack.wait_until_stored(anna, 2)


def test_a_domain_that_is_suspended_or_is_not_ours_has_none(stack: Stack, hosting: Hosting, sender: str) -> None:
    hosting.mailbox("anna")
    assert refusal(stack, sender, f"postmaster@x.{hosting.domain}")[0] == 554
    assert refusal(stack, sender, f"postmasters@{hosting.domain}")[0] == 550
    assert refusal(stack, sender, f"postmasters+x@{hosting.domain}")[0] == 550
    services.suspend(Domain.objects.get(), now=timezone.now(), actor=None)
    assert refusal(stack, sender, f"postmaster@{hosting.domain}")[0] == 450


def test_who_is_named_and_is_nobody_is_refused_and_goes_in_no_circle(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    hosting.mailbox("anna")
    own = f"postmaster@{hosting.domain}"
    file = stack.config / "pgsql-postmaster.cf"
    before = file.read_text()
    assert before.count(POSTMASTER) == 1
    file.write_text(before.replace(POSTMASTER, own))
    try:
        stack.reload_postfix()
        assert refusal(stack, sender, own)[0] == 550
        assert refusal(stack, sender, own.replace("@", "+x@"))[0] == 550
        assert stack.look_up("pgsql-postmaster.cf", f"abuse@{hosting.domain}") == own
    finally:
        file.write_text(before)
        stack.reload_postfix()
