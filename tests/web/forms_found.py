"""The forms of a page, as a browser would find them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin


@dataclass
class FoundForm:
    """Where it is sent, how, and what stands in its fields: name → values; files by name only."""

    action: str
    method: str
    values: dict[str, list[str]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.forms: list[FoundForm] = []
        self.is_open = False
        self.list_name = self.text_name = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.forms.append(FoundForm(urljoin(self.path, have.get("action", "")), have.get("method", "get").lower()))
            self.is_open = True
        elif self.is_open and tag in {"input", "button", "select", "textarea"} and have.get("name"):
            self._field(tag, have)
        elif self.is_open and tag == "option" and self.list_name and "selected" in have:
            self.forms[-1].values[self.list_name].append(have.get("value", ""))

    def _field(self, tag: str, have: dict[str, str]) -> None:
        form, name = self.forms[-1], have["name"]
        if tag == "input" and have.get("type") == "file":
            form.files.add(name)
            return
        there = form.values.setdefault(name, [])
        if tag == "select":
            self.list_name = name
        elif tag == "textarea":
            self.text_name = name
        elif have.get("type") not in {"checkbox", "radio"} or "checked" in have:
            there.append(have.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self.text_name:
            self.forms[-1].values[self.text_name].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.is_open = False
        self.list_name = "" if tag == "select" else self.list_name
        self.text_name = "" if tag == "textarea" else self.text_name


def forms_of(html: str, path: str) -> list[FoundForm]:
    """Every form of the page at `path`."""
    reader = _Reader(path)
    reader.feed(html)
    return reader.forms
