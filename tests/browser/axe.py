"""Asks axe-core what is wrong with a page for people who cannot see it, or use no mouse (WCAG 2.2, levels A and AA)."""

from pathlib import Path

from playwright.sync_api import Page

SOURCE = (Path(__file__).parents[1] / "vendor" / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
OF_COLOURS = ["color-contrast", "link-in-text-block"]


def violations(page: Page, *, only_colours: bool = False) -> list[str]:
    """One line for each element that breaks a rule: the rule, the element, what to do.

    `only_colours` is for a page that was looked at and is shown again in other colours: no other rule sees them.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(SOURCE)  # by the debugging protocol: the page's content security policy stays as it is
    chosen = {"type": "rule", "values": OF_COLOURS} if only_colours else {"type": "tag", "values": TAGS}
    results = page.evaluate("chosen => axe.run(document, {runOnly: chosen, resultTypes: ['violations']})", chosen)
    return [
        f"{rule['id']}: {' '.join(node['html'].split())[:200]} ({node['failureSummary'].strip()})"
        for rule in results["violations"]
        for node in rule["nodes"]
    ]
