"""A button that is pressed again before the answer to the first click is there."""

from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from mailboxes.models import Customer, Mailbox

# By the page itself: Playwright waits with each call until the page that comes is there. The last request tells that
# all clicks are over.
THREE_CLICKS = """
const click = (left) => {
  document.querySelector("[name=save]").click();
  if (left) setTimeout(click, 50, left - 1);
  else fetch("/healthz?clicked");
};
setTimeout(click, 0, 2);
"""


def test_it_is_sent_once_and_the_password_is_seen(open_panel: Callable[..., Page], mailbox: Mailbox) -> None:
    company = Customer.objects.create(name="Firma", number="1")
    company.administrators.add(mailbox.owner)
    type(mailbox.domain).objects.update(customer=company)
    page = open_panel(360, "pl-PL")
    page.goto("/mailboxes/new/")
    held: list[Route] = []

    def hold(route: Route) -> None:
        """No answer comes before it is let go."""
        held.append(route)

    page.route("**/mailboxes/new/", hold)
    page.fill("[name=local_part]", "jan")
    with page.expect_request("**/healthz?clicked"):
        page.evaluate(THREE_CLICKS)
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator("code.fs-5")).to_be_visible()
    assert Mailbox.objects.filter(local_part="jan").count() == 1
