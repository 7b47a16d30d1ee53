"""The link in a notice that ends an autoresponder."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from mailboxes.log import By, place
from mailboxes.models import Way
from responders import sentences, services
from responders.notices import responder_of


@require_http_methods(["GET", "HEAD", "POST"])
def responder_end(request: HttpRequest, token: str) -> HttpResponse:
    """The link of a notice: opening it (a scanner may) changes nothing, the button ends the autoresponder."""
    row = responder_of(token)
    if row is None:
        raise Http404
    now = services.database_now()
    if request.method == "POST":
        row = services.switch(row, on=False, actor=By(None, place=place(request), way=Way.LINK.value), now=now)
    context = {
        "responder": row, "state": row.state_at(now).value, "sentence": sentences.state_sentence(row, now),
        "is_over": not row.is_enabled,
    }  # fmt: skip
    return render(request, "responders/end.html", context)
