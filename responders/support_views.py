"""Support's pages: find anything, see what became of a message and why, what needs a look."""

import re
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from mailboxes.models import Customer, Domain, Mailbox
from responders import refusals, services, support_search
from responders.core.facts import Reason
from responders.models import Decision, DrawnBrake, QuarantinedMessage, Responder
from responders.reasons import PASSED, SENTENCES
from responders.staff_views import for_staff

PAGE_SIZE = 50
SHOWN = 20
LONG = timedelta(days=60)
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@for_staff
def support_search_page(request: HttpRequest) -> HttpResponse:
    """One box for an address, a name, a domain, a customer, a sender, a Message-ID, a case."""
    asked = request.GET.get("q", "")
    groups = support_search.search(request.user, asked)
    context = {"asked": asked[: support_search.MAX_ASKED], "groups": groups}
    name = "support/found.html" if request.headers.get("HX-Request") else "support/search.html"
    return render(request, name, context)


@for_staff
def support_customer(request: HttpRequest, pk: int) -> HttpResponse:
    """A customer's domains with how many mailboxes each has, and its administrators."""
    customer = get_object_or_404(Customer, pk=pk)
    domains = customer.domains.annotate(mailboxes=Count("mailbox")).order_by("name")[:PAGE_SIZE]
    context = {"customer": customer, "domains": domains, "administrators": customer.administrators.all()[:SHOWN]}
    return render(request, "support/customer.html", context)


@for_staff
def support_domain(request: HttpRequest, name: str) -> HttpResponse:
    """A domain's mailboxes, by address, a page at a time, and its aliases."""
    domain = get_object_or_404(Domain.objects.select_related("customer"), name=name)
    after = request.GET.get("after", "")[:320].replace("\0", "")
    rows = Mailbox.objects.filter(domain=domain, address__gt=after).select_related("owner").order_by("address")
    page = list(rows[: PAGE_SIZE + 1])
    context = {
        "domain": domain, "mailboxes": page[:PAGE_SIZE],
        "after": page[PAGE_SIZE - 1].address if len(page) > PAGE_SIZE else "",
        "aliases": domain.alias_set.order_by("address").prefetch_related("targets__mailbox")[:PAGE_SIZE],
    }  # fmt: skip
    return render(request, "support/domain.html", context)


@for_staff
def support_messages(request: HttpRequest) -> HttpResponse:
    """What became of mail: `sender`, `message_id`, `mailbox`, `reason` as filters; the latest first."""
    rows = _filtered(request).select_related("mailbox", "responder").order_by("-id")
    before = request.GET.get("before", "")
    if NUMBER.fullmatch(before):
        rows = rows.filter(pk__lt=int(before))
    page = list(rows[: PAGE_SIZE + 1])
    query = request.GET.copy()
    query.pop("before", None)
    context = {
        "rows": [(row, _sentence(row.reason)) for row in page[:PAGE_SIZE]],
        "before": page[PAGE_SIZE - 1].pk if len(page) > PAGE_SIZE else None,
        "query": query.urlencode(), "sender": request.GET.get("sender", ""),
    }  # fmt: skip
    return render(request, "support/messages.html", context)


@for_staff
def support_message(request: HttpRequest, pk: int) -> HttpResponse:
    """Why: one decision with each rule in plain words, and what can be done about it."""
    row = get_object_or_404(Decision.objects.select_related("mailbox__owner", "responder"), pk=pk)
    passed = [PASSED[Reason(name)] for name in row.misses if name in set(Reason) and Reason(name) in PASSED]
    context = {"row": row, "sentence": _sentence(row.reason), "passed": passed}
    return render(request, "support/message.html", context)


@for_staff
def support_attention(request: HttpRequest) -> HttpResponse:
    """What needs a look: brakes, refusals, responders that nobody ends, messages on which the hook failed."""
    now = services.database_now()
    forgotten = Responder.objects.filter(
        type="absence", is_enabled=True, state="active", to_utc=None, state_changed_at__lt=now - LONG
    )
    context = {
        "brakes": DrawnBrake.objects.filter(last_at__gt=now - timedelta(days=1)).select_related("mailbox")[:SHOWN],
        "refusals": refusals.in_force()[:SHOWN],
        "forgotten": forgotten.select_related("mailbox").order_by("state_changed_at")[:SHOWN],
        "overdue": Responder.objects.filter(next_transition_at__lt=now - timedelta(minutes=1)).count(),
        "quarantine": QuarantinedMessage.objects.defer("content", "traceback").order_by("-id")[:SHOWN],
    }
    return render(request, "support/attention.html", context)


def _filtered(request: HttpRequest) -> QuerySet[Decision]:
    """By what an index finds; without a filter there is nothing to list."""
    asked: dict[str, str] = {
        name: request.GET.get(name, "")[:998].replace("\0", "") for name in ("sender", "message_id")
    }
    number, reason = request.GET.get("mailbox", ""), request.GET.get("reason", "")
    wanted: list[Any] = []
    rows = support_search.messages_from(asked["sender"].strip().lower()) if asked["sender"] else Decision.objects.all()
    if asked["message_id"]:
        wanted.append(Q(message_id=asked["message_id"]))
    if NUMBER.fullmatch(number):
        wanted.append(Q(mailbox_id=int(number)))
    if not asked["sender"] and not wanted:
        raise Http404
    if reason in set(Reason):
        wanted.append(Q(reason=reason))
    return rows.filter(*wanted)


def _sentence(reason: str) -> Any:
    return SENTENCES[Reason(reason)] if reason in set(Reason) else reason
