"""Support's pages: find anything, see what became of a message and why, what needs a look."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from mailboxes import access, log
from mailboxes.domain_dns import checking
from mailboxes.files import csv_files
from mailboxes.models import Customer, Domain, Mailbox
from responders import acting, services, support_search
from responders.core.facts import Reason
from responders.models import Decision, QuarantinedMessage
from responders.reasons import ADVICE, passed, sentence
from responders.support import attention, refusals
from responders.support import support_why as support_why_of
from responders.support.staff_views import for_staff
from responders.support.support_forms import WhyForm

PAGE_SIZE = 50
SHOWN = 20
CHUNK = 1_000
MAX_NOTE = 5_000
SILENT = "silent"
REASONS = {"": _lazy("All"), Reason.REPLIED.value: _lazy("Answered"), SILENT: _lazy("Not answered")}
ORDERS = {"": _lazy("Newest first"), "oldest": _lazy("Oldest first")}
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@for_staff
def support_search_page(request: HttpRequest) -> HttpResponse:
    """One box for an address, a name, a domain, a customer, a sender, a Message-ID, a case."""
    asked = request.GET.get("q", "")
    groups = [_in_words(group) for group in support_search.search(request.user, asked)]
    context = {"asked": asked[: support_search.MAX_ASKED], "groups": groups}
    name = "support/found.html" if request.headers.get("HX-Request") else "support/search.html"
    return render(request, name, context)


@for_staff
def support_customer(request: HttpRequest, pk: int) -> HttpResponse:
    """A customer's domains with how many mailboxes each has, and its administrators."""
    customer = get_object_or_404(Customer, pk=pk)
    counted = Count("mailbox", filter=Q(mailbox__deleted_at=None))
    domains = customer.domains.annotate(mailboxes=counted).order_by("name")[:PAGE_SIZE]
    may_delete = access.may_delete_customers(request.user)
    context: dict[str, Any] = {
        "customer": customer, "domains": domains, "administrators": customer.administrators.all()[:SHOWN],
        "notes": customer.notes.select_related("author")[:SHOWN],
        "note_path": reverse("support_note", args=["customer", pk]), "log": log.log_of(customer), "is_support": True,
        "may_delete": may_delete, "row": customer,
        "restore": reverse("customer_restore", args=[pk]) if may_delete else "",
    }  # fmt: skip
    return render(request, "support/customer.html", context)


@for_staff
def support_domain(request: HttpRequest, name: str) -> HttpResponse:
    """A domain's mailboxes, by address, a page at a time, and its aliases."""
    domain = get_object_or_404(Domain.objects.select_related("customer"), name=name)
    after = request.GET.get("after", "")[:320].replace("\0", "")
    theirs = Mailbox.objects.filter(domain=domain, deleted_at=None, address__gt=after)
    rows = theirs.select_related("owner").order_by("address")
    page = list(rows[: PAGE_SIZE + 1])
    may_restore = domain.deleted_at is not None and access.may_delete_domains(request.user)
    restore = reverse("domain_restore", args=[name]) if may_restore else ""
    aliases = list(domain.alias_set.order_by("address").prefetch_related("targets__mailbox")[:PAGE_SIZE])
    context = {
        "domain": domain, "mailboxes": page[:PAGE_SIZE], "dns": checking.summary(domain),
        "after": page[PAGE_SIZE - 1].address if len(page) > PAGE_SIZE else "",
        "log": log.log_of(domain, *aliases), "is_support": True, "aliases": aliases,
        "row": domain, "restore": restore,
    }  # fmt: skip
    return render(request, "support/domain.html", context)


@for_staff
def support_messages(request: HttpRequest) -> HttpResponse:
    """What became of mail: `sender`, `message_id`, `mailbox`, `reason` as filters; the latest first."""
    is_oldest_first = request.GET.get("order") == "oldest"
    rows = _filtered(request).select_related("mailbox", "responder").order_by("id" if is_oldest_first else "-id")
    before = request.GET.get("before", "")
    if NUMBER.fullmatch(before):
        rows = rows.filter(Q(pk__gt=int(before)) if is_oldest_first else Q(pk__lt=int(before)))
    page = list(rows[: PAGE_SIZE + 1])
    query = request.GET.copy()
    query.pop("before", None)
    by_reason = [(name, _with(query, "reason", name), words) for name, words in REASONS.items()]
    orders = [(name, _with(query, "order", name), words) for name, words in ORDERS.items()]
    context = {
        "rows": [(row, sentence(row.reason)) for row in page[:PAGE_SIZE]],
        "before": page[PAGE_SIZE - 1].pk if len(page) > PAGE_SIZE else None,
        "query": query.urlencode(), "sender": request.GET.get("sender", ""), "reasons": by_reason,
        "reason": request.GET.get("reason", ""), "orders": orders, "order": "oldest" if is_oldest_first else "",
    }  # fmt: skip
    return render(request, "support/messages.html", context)


@for_staff
def support_message_file(request: HttpRequest) -> HttpResponseBase:
    """The same messages as CSV, sent while they are read."""
    return csv_files.answer("messages.csv", _lines(_filtered(request)))


def _lines(rows: QuerySet[Decision]) -> Iterator[list[object]]:
    yield [
        _("time"), _("sender"), _("written to"), _("reason"), _("in words"), _("evidence"), "Message-ID", _("queue id"),
    ]  # fmt: skip
    for row in rows.order_by("-id").iterator(chunk_size=CHUNK):
        yield [
            f"{row.decided_at:%Y-%m-%dT%H:%M:%SZ}", row.reverse_path, row.forward_path, row.reason,
            sentence(row.reason), row.evidence, row.message_id, row.queue_id,
        ]  # fmt: skip


@for_staff
def support_why(request: HttpRequest) -> HttpResponse:
    """Why: from a pasted header, or sender, recipient and time; what the panel did, or why it never saw the message."""
    form = WhyForm(request.POST if request.method == "POST" else None, zone=acting.person(request).time_zone)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        asked = form.asked()
        rows = support_why_of.decisions(asked)
        context |= {
            "asked": asked, "rows": [(row, sentence(row.reason)) for row in rows],
            "findings": [] if rows else support_why_of.findings(asked, services.database_now()),
            "log": support_why_of.log_lines(asked),
        }  # fmt: skip
    return render(request, "support/why.html", context, status=422 if form.errors else 200)


@for_staff
def support_note(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Note something about a mailbox or a customer: POST `text`; `remove` takes one's own note away."""
    about: Mailbox | Customer
    if kind == "mailbox":
        about, back = get_object_or_404(Mailbox, pk=pk), reverse("mailbox", args=[pk])
    else:
        about, back = get_object_or_404(Customer, pk=pk), reverse("support_customer", args=[pk])
    if request.method != "POST":
        return redirect(back)
    text, number = request.POST.get("text", "").replace("\0", "").strip()[:MAX_NOTE], request.POST.get("remove", "")
    if NUMBER.fullmatch(number):
        if about.notes.filter(pk=int(number), author=acting.person(request)).delete()[0]:
            log.record(about, "a note of staff removed", log.by(request))
    elif text:
        about.notes.create(text=text, author=acting.person(request))
        log.record(about, "a note of staff added", log.by(request))
    return redirect(f"{back}#notes")


@for_staff
def support_message(request: HttpRequest, pk: int) -> HttpResponse:
    """Why: one decision with each rule in plain words, and what can be done about it."""
    row = get_object_or_404(Decision.objects.select_related("mailbox__owner", "responder"), pk=pk)
    context = {
        "row": row, "sentence": sentence(row.reason), "advice": _advice(row.reason), "passed": passed(row.misses),
    }  # fmt: skip
    return render(request, "support/message.html", context)


@for_staff
def support_attention(request: HttpRequest) -> HttpResponse:
    """What needs a look: brakes, refusals, broken DNS, responders nobody ends, messages on which the hook failed."""
    moment = attention.moment()
    now = moment.now
    brakes, stops = attention.stopped(now, SHOWN)
    context = {
        "stops": stops,
        "brakes": brakes,
        "refusals": refusals.in_force(now)[:SHOWN],
        "forgotten": attention.forgotten(now)[:SHOWN],
        "trouble": attention.trouble(moment),
        "domains": attention.troubled_domains(now, SHOWN),
        "chart": (found := attention.chart(now.date())),
        "reasons": [(sentence(reason), count, share) for reason, count, share in found.reasons],
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
    elif reason == SILENT:
        wanted.append(~Q(reason=Reason.REPLIED.value))
    return rows.filter(*wanted)


def _with(query: QueryDict, name: str, value: str) -> str:
    asked = query.copy()
    asked[name] = value
    return asked.urlencode()


def _in_words(group: support_search.Group) -> support_search.Group:
    """Of messages each with what became of it, as a sentence."""
    if group.kind not in {"messages", "message"}:
        return group
    return replace(group, rows=[(row, sentence(row.reason)) for row in group.rows])


def _advice(reason: str) -> Any:
    return ADVICE[Reason(reason)] if reason in set(Reason) else ""
