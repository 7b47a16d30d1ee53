"""The pages of the help, for everybody; who is signed in may say whether an article helped."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from mailboxes import access
from responders import acting
from responders.models import HelpVote
from responders.pages import help as helping

COMMENTS_SHOWN = 100


class VoteForm(forms.Form):
    """Whether an article helped, and what was missing."""

    helped = forms.ChoiceField(choices=[("1", "yes"), ("0", "no")])
    comment = forms.CharField(max_length=1000, required=False)


@require_safe
def help_list(request: HttpRequest) -> HttpResponse:
    """Every article, or those that a search finds."""
    asked = request.GET.get("q", "").strip()[:200]
    found = helping.search(asked, _language()) if asked else helping.articles(_language())
    return render(request, "help/list.html", {"articles": found, "asked": asked, "is_support": _is_support(request)})


@require_http_methods(["GET", "HEAD", "POST"])
def help_article(request: HttpRequest, slug: str) -> HttpResponse:
    """One article; POST `helped` (1 or 0) and `comment` from who is signed in, once a person, changeable."""
    article = next((one for one in helping.articles(_language()) if one.slug == slug), None)
    if article is None:
        raise Http404
    if request.method == "POST":
        return login_required(_vote)(request, slug)
    vote = HelpVote.objects.filter(user__id=request.user.pk, slug=slug).first() if request.user.pk else None
    return render(request, "help/article.html", {"article": article, "vote": vote})


@require_safe
@login_required
def help_feedback(request: HttpRequest) -> HttpResponse:
    """What people said, for staff."""
    if not access.is_support(request.user):
        raise Http404
    titles = {article.slug: article.title for article in helping.articles(_language())}
    counts = HelpVote.objects.values("slug").annotate(
        yes=Count("pk", filter=Q(is_helpful=True)), no=Count("pk", filter=Q(is_helpful=False))
    )
    rows = sorted(((titles.get(row["slug"], row["slug"]), row) for row in counts), key=lambda pair: -pair[1]["no"])
    votes = HelpVote.objects.exclude(comment="").select_related("user").order_by("-at")[:COMMENTS_SHOWN]
    comments = [(vote, titles.get(vote.slug, vote.slug)) for vote in votes]
    return render(request, "help/feedback.html", {"rows": rows, "comments": comments})


def _vote(request: HttpRequest, slug: str) -> HttpResponse:
    form = VoteForm(request.POST)
    if form.is_valid():
        values = {"is_helpful": form.cleaned_data["helped"] == "1", "comment": form.cleaned_data["comment"]}
        HelpVote.objects.update_or_create(user=acting.person(request), slug=slug, defaults=values)
        messages.success(request, _("Thank you. We read every answer."))
    else:
        messages.error(request, _("Say yes or no; a comment has at most 1000 characters."))
    return redirect("help_article", slug)


def _is_support(request: HttpRequest) -> bool:
    return access.is_support(request.user)


def _language() -> str:
    return (get_language() or "en")[:2]
