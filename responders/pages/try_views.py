"""The page that says what would become of a message, with every rule in plain words. It changes nothing."""

import re
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.views.decorators.http import require_http_methods

from mailboxes.models import Mailbox
from responders import explanation, sentences, services
from responders.core import schedule
from responders.core.facts import Reason
from responders.pages.try_forms import TryForm
from responders.pages.views import Letter, read_letter, visible_mailbox
from responders.reasons import PASSED, SENTENCES

LATELY_SHOWN = 8
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class Told:
    """A rule in plain words. `decided`: the first that spoke against a reply; later ones would have, too."""

    sentence: str | Promise
    evidence: str
    is_hit: bool
    decided: bool


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def try_it(request: HttpRequest, pk: int) -> HttpResponse:
    """Type a sender and a moment, or bring a whole message, and see the verdict, every rule and the reply."""
    mailbox = visible_mailbox(request, pk)
    form = TryForm(initial=_initial(request, mailbox), mailbox=mailbox)
    context: dict[str, Any] = {"mailbox": mailbox, "zone": sentences.zone_name(mailbox.time_zone)}
    context["lately"] = mailbox.decisions.exclude(reverse_path="").order_by("-id")[:LATELY_SHOWN]
    if request.method == "POST":
        form = TryForm(request.POST, request.FILES, mailbox=mailbox)
        if form.is_valid():
            values = form.cleaned_data
            found = explanation.explain_for(
                mailbox, values["content"], values["sender"], values["recipient"],
                at=values["at"] or services.database_now(),
            )  # fmt: skip
            context |= {"found": found, "told": told(found), "letter": _letter(found)}
    return render(request, "responders/try.html", context | {"form": form}, status=422 if form.errors else 200)


def _initial(request: HttpRequest, mailbox: Mailbox) -> dict[str, Any]:
    """What a message of the log, or a sender, that the address names puts into the form."""
    number = request.GET.get("message", "")
    row = mailbox.decisions.filter(pk=int(number)).first() if NUMBER.fullmatch(number) else None
    if row is None:
        return {"sender": request.GET.get("sender", "")}
    at = schedule.to_local(row.decided_at, mailbox.time_zone).replace(microsecond=0)
    return {"sender": row.reverse_path, "recipient": row.forward_path, "at": at}


def told(found: explanation.Explanation) -> list[Told]:
    """Every rule in order, in the active language."""
    rows: list[Told] = []
    for name, outcome, evidence in found.rules:
        is_hit = outcome == "hit"
        words = (SENTENCES if is_hit else PASSED)[Reason(name)]
        rows.append(Told(words, evidence, is_hit, decided=is_hit and not any(row.is_hit for row in rows)))
    return rows


def _letter(found: explanation.Explanation) -> Letter | None:
    return read_letter(found.reply.encode()) if found.reply else None
