"""Nothing that is on the screen moves because a live part changed (Layout Instability, as Chromium measures it)."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from mailboxes.models import Mailbox, User
from responders.models import Responder

# Of what the eye can see, in parts of the window times parts of the distance: 0.1 is where web.dev calls it poor.
MOST = 0.003
MOST_OF_A_SEARCH = 0.01  # each answer has another length
WATCH = """
window.jumped = { much: 0, what: [] };
const place = ({ x, y, width, height }) => `${x},${y} ${width}x${height}`;
const told = ({ node, previousRect, currentRect }) =>
  `${node?.parentNode?.className} ${node?.nodeName}: ${place(previousRect)} -> ${place(currentRect)}`;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) {
    window.jumped.much += entry.value;
    window.jumped.what.push(...entry.sources.map(told));
  }
}).observe({ type: "layout-shift", buffered: true });
"""


SLOW = 6  # times slower than this machine: pages are seen half-built, as on an old telephone


def watched(page: Page) -> Page:
    """The page, slowed down and watched from its first paint on."""
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOW})
    page.add_init_script(WATCH)
    return page


def assert_nothing_moved(page: Page, most: float = MOST) -> None:
    page.wait_for_timeout(300)
    jumped = page.evaluate("window.jumped")
    assert jumped["much"] <= most, (page.url, jumped)


@pytest.mark.parametrize("width", [360, 1280])
def test_the_preview_moves_nothing(open_panel: Callable[..., Page], mailbox: Mailbox, width: int) -> None:
    page = watched(open_panel(width, "pl-PL"))
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.fill("[name=to_date]", "2099-12-31T17:00")
    expect(page.locator("#preview .letter-text")).to_contain_text("wracam 31 grudnia 2099")
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.fill("[name=text_body]", "Jeden wiersz.\n" * 12)
    expect(page.locator("#preview .letter-text")).to_contain_text("Jeden wiersz.")
    assert_nothing_moved(page)


@pytest.mark.parametrize("width", [360, 1280])
def test_a_page_that_is_being_built_moves_nothing(
    open_panel: Callable[..., Page], mailbox: Mailbox, standing_reply: Responder, width: int
) -> None:
    page = watched(open_panel(width, "pl-PL"))
    for path in (
        "/",
        f"/mailboxes/{mailbox.pk}/",
        f"/mailboxes/{mailbox.pk}/responders/new/",
        "/calendar/",
        "/account/",
    ):
        assert page.goto(path).ok, path  # type: ignore[union-attr]
        assert_nothing_moved(page)


@pytest.mark.parametrize("width", [360, 1280])
def test_a_switch_moves_nothing(
    open_panel: Callable[..., Page], mailbox: Mailbox, standing_reply: Responder, width: int
) -> None:
    page = watched(open_panel(width, "pl-PL"))
    page.goto(f"/mailboxes/{mailbox.pk}/")
    assert_nothing_moved(page)
    page.locator(f"#switch-{standing_reply.pk}").click()
    expect(page.locator(f"#switch-{standing_reply.pk}")).to_have_attribute("aria-checked", "false")


def test_what_is_found_moves_nothing(open_panel: Callable[..., Page], mailbox: Mailbox, support: User) -> None:
    page = open_panel(1280, "pl-PL", address=support.email)
    page.add_init_script(WATCH)
    page.goto("/support/")
    for asked in ("anna", "anna@", "anna@x", "anna"):
        with page.expect_response(lambda answer: "q=" in answer.url):
            page.fill("#id_q", asked)
    expect(page.locator("#found a").first).to_be_visible()
    assert_nothing_moved(page, MOST_OF_A_SEARCH)
