"""The short articles of the panel's help, in Polish and English: templates/help/LANGUAGE/SLUG.html."""

import html
import re
from dataclasses import dataclass
from functools import lru_cache

import nh3
from django.conf import settings
from django.template.loader import render_to_string

from responders.core.matching import folded

# In the order in which a newcomer reads them.
SLUGS = (
    "what", "what-to-write", "dates", "when-silent", "check", "texts", "standing", "colleagues", "notices", "account",
    "programs",
)  # fmt: skip
MAX_WORDS = 8
_TITLE = re.compile(r"<h1>(.*?)</h1>")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Article:
    """One article in one language. `text` is what stands below its title, as HTML."""

    slug: str
    title: str
    text: str

    @property
    def words(self) -> list[str]:
        return _WORD.findall(folded(html.unescape(nh3.clean(self.text, tags=set()))))


@lru_cache(maxsize=8)
def articles(language: str) -> tuple[Article, ...]:
    """All of them, in the language or, where the help has not got it, in the panel's own."""
    known = language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    return tuple(_article(slug, known) for slug in SLUGS)


def search(asked: str, language: str) -> list[Article]:
    """The articles with every word asked for, other forms of it too, those with a word in the title first."""
    stems = [_stem(word) for word in _WORD.findall(folded(asked[:200]))[:MAX_WORDS]]
    found = []
    for place, article in enumerate(articles(language)):
        title = _WORD.findall(folded(article.title))
        if stems and all(_holds([*title, *article.words], stem) for stem in stems):
            found.append((-sum(_holds(title, stem) for stem in stems), place, article))
    return [article for _rank, _place, article in sorted(found, key=lambda one: one[:2])]


def _article(slug: str, language: str) -> Article:
    content = render_to_string(f"help/{language}/{slug}.html")
    title = _TITLE.search(content)
    return Article(slug, html.unescape(title[1]) if title else slug, _TITLE.sub("", content, count=1).strip())


def _stem(word: str) -> str:
    """Without an ending of two letters, where enough is left: “urlopu” finds “urlop”."""
    return word[: max(4, len(word) - 2)]


def _holds(words: list[str], stem: str) -> bool:
    return any(word.startswith(stem) for word in words)
