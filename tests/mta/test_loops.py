"""Mailboxes of one panel that answer each other, through real Postfix."""

from tests.mta.conftest import Hosting
from tests.mta.stack import Stack


def test_an_alias_that_leads_to_both_makes_no_more_of_it(stack: Stack, hosting: Hosting) -> None:
    anna, ewa = hosting.away("anna"), hosting.away("ewa")
    team = hosting.alias("zespol", anna, ewa, own=True)
    stack.send(anna, team)
    stack.wait_until_stored(ewa)
    stack.wait_until_stored(anna, 2)  # her own letter, and Ewa's reply
    stack.wait_for_empty_queue()
    assert sorted(hosting.decisions(team)) == ["own-address", "replied"]
    assert (len(stack.stored(anna)), len(stack.stored(ewa))) == (2, 1)
