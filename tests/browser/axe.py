"""Asks axe-core what is wrong with a page for people who cannot see it, or use no mouse (WCAG 2.2, levels A and AA)."""

from pathlib import Path

from playwright.sync_api import Page

SOURCE = (Path(__file__).parents[1] / "vendor" / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]


def violations(page: Page, *, but: tuple[str, ...] = ()) -> list[str]:
    """One line for each element that breaks a rule: the rule, the element, what to do. `but` names rules left out."""
    page.evaluate(SOURCE)  # by the debugging protocol: the page's content security policy stays as it is
    results = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS)
    return [
        f"{rule['id']}: {' '.join(node['html'].split())[:200]} ({node['failureSummary'].strip()})"
        for rule in results["violations"]
        if rule["id"] not in but
        for node in rule["nodes"]
    ]
