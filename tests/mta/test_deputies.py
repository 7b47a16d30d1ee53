"""A deputy's copies: made by Postfix while the absence lasts, and the hook has no part in them."""

from collections.abc import Callable
from datetime import timedelta

from responders.services import database_now
from tests.mta.conftest import Hosting
from tests.mta.stack import Stack

HOUR = timedelta(hours=1)


def absence(hosting: Hosting, address: str, deputy: str) -> None:
    now = database_now().replace(tzinfo=None)
    hosting.responder(
        address, type="absence", time_zone="UTC", from_date=now - HOUR, to_date=now + HOUR, deputy_address=deputy,
        deputy_gets_copy=True,
    )  # fmt: skip


def test_the_deputy_gets_a_copy_until_the_window_ends(
    stack: Stack, hosting: Hosting, clock: Callable[..., None], sender: str
) -> None:
    anna, ewa = hosting.mailbox("anna"), hosting.mailbox("ewa")
    office = hosting.alias("biuro", anna)
    absence(hosting, anna, ewa)
    now = database_now()
    stack.send(sender, anna)
    stack.send(sender, office)
    stack.wait_until_stored(anna, 2)
    stack.wait_until_stored(ewa, 2)
    clock(now + 2 * HOUR)
    stack.send(sender, anna)
    stack.wait_until_stored(anna, 3)
    stack.wait_for_empty_queue()
    assert len(stack.stored(ewa)) == 2


def test_the_deputys_copy_comes_with_the_hook_down_and_gets_no_reply_of_its_own(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    anna, ewa = hosting.mailbox("anna"), hosting.mailbox("ewa")
    absence(hosting, anna, ewa)
    hosting.responder(ewa)
    stack.stop_hook()
    stack.send(sender, anna)
    stack.wait_until_stored(ewa)
    stack.start_hook()
    stack.flush()
    [reply] = stack.sink.wait_for(sender)
    assert reply.message["From"].addresses[0].addr_spec == anna
    stack.wait_for_empty_queue()
    assert hosting.decisions(ewa) == []


def test_two_who_stand_in_for_each_other_get_each_message_once(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna, ewa = hosting.mailbox("anna"), hosting.mailbox("ewa")
    absence(hosting, anna, ewa)
    absence(hosting, ewa, anna)
    stack.send(sender, anna)
    stack.wait_until_stored(anna)
    stack.wait_until_stored(ewa)
    stack.wait_for_empty_queue()
    assert (len(stack.stored(anna)), len(stack.stored(ewa))) == (1, 1)
