"""The help: its articles in both languages, the search, and what people say about it."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from mailboxes.models import User
from responders.models import HelpVote
from responders.pages import help as helping

TAG = re.compile(r"</?([a-z0-9]+)[^>]*>")


@pytest.mark.parametrize("slug", helping.SLUGS)
def test_every_article_says_the_same_in_both_languages(db: None, slug: str) -> None:
    """At least its parts do: the same headings, lists and paragraphs."""
    polish, english = (next(one for one in helping.articles(code) if one.slug == slug) for code in ("pl", "en"))
    assert TAG.findall(polish.text) == TAG.findall(english.text)
    assert polish.title != english.title
    for code, article in (("pl", polish), ("en", english)):
        page = Client().get(reverse("help_article", args=[slug]), headers={"accept-language": code})
        assert page.status_code == 200
        assert f"<h1>{article.title}</h1>" in page.text.replace("&#x27;", "'")
        assert "{%" not in article.text


@pytest.mark.parametrize(
    ("asked", "language", "slug"),
    [
        ("urlop", "pl", "what"),
        ("URLOPU", "pl", "what"),
        ("haslo", "pl", "account"),
        ("newsletter", "pl", "when-silent"),
        ("numer sprawy", "pl", "standing"),
        ("newsletters", "en", "when-silent"),
        ("time zone", "en", "dates"),
        ("password", "en", "account"),
    ],
)
def test_a_search_finds_other_forms_and_forgives_accents(asked: str, language: str, slug: str) -> None:
    assert slug in [article.slug for article in helping.search(asked, language)]


@pytest.mark.parametrize("asked", ["żyrafa", "%", "'; DROP TABLE", "x" * 5_000, "\0", "((((", "<script>"])
def test_what_is_not_there_is_not_found_and_nothing_breaks(client: Client, db: None, asked: str) -> None:
    page = client.get(reverse("help"), {"q": asked})
    assert page.status_code == 200
    assert page.context["articles"] == []
    assert "<script>" not in page.text.replace("<script src", "")


def test_everybody_reads_and_who_is_signed_in_answers_once(client: Client, as_anna: Client, anna: User) -> None:
    address = reverse("help_article", args=["what"])
    assert "Was this helpful?" not in Client().get(address).text
    assert Client().post(address, {"helped": "1"}).status_code == 302
    assert not HelpVote.objects.exists()
    as_anna.post(address, {"helped": "0", "comment": "Za mało o <b>aliasach</b>"})
    page = as_anna.get(address)
    assert "Za mało o &lt;b&gt;aliasach&lt;/b&gt;" in page.text
    as_anna.post(address, {"helped": "1", "comment": ""})
    vote = HelpVote.objects.get()
    assert (vote.user, vote.is_helpful, vote.comment) == (anna, True, "")


@pytest.mark.parametrize("typed", [{}, {"helped": "maybe"}, {"helped": "1", "comment": "x" * 1001}])
def test_an_answer_that_is_none_is_said(as_anna: Client, typed: dict[str, str]) -> None:
    page = as_anna.post(reverse("help_article", args=["what"]), typed, follow=True)
    assert "a comment has at most 1000 characters" in page.text
    assert not HelpVote.objects.exists()


def test_staff_read_what_was_said(as_anna: Client, as_support: Client) -> None:
    as_anna.post(reverse("help_article", args=["what"]), {"helped": "0", "comment": "Niejasne"})
    page = as_support.get(reverse("help_feedback"))
    assert "Niejasne" in page.text
    assert [row["no"] for _title, row in page.context["rows"]] == [1]
    assert as_anna.get(reverse("help_feedback")).status_code == 404


def test_an_article_that_is_not_there_is_404(client: Client, db: None) -> None:
    assert client.get("/help/nothing/").status_code == 404
