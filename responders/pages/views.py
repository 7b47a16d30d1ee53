"""The panel's pages. Every queryset starts in `mailboxes.access`; the clock is the database's, read once a request."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from mailboxes import access
from mailboxes.log import log_of
from mailboxes.models import Mailbox
from mailboxes.services import group_targets
from responders import acting, history, sentences, services, statistics, support_search, timeline, undo, windows
from responders.core.facts import Reason
from responders.drafting import writing
from responders.models import Decision, Responder
from responders.reasons import SENTENCES

PAGE_SIZE = 30
EVENTS_SHOWN = 30
NOTES_SHOWN = 20
OUTBOX_SHOWN = 20
LETTER_OCTETS = 200_000
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Shown:
    """A responder as a page shows it: its state, and from when to when it answers, in words and in which zone."""

    row: Responder
    state: str
    sentence: str
    window: str
    zone: str
    limits: list[str]


@dataclass(frozen=True)
class Letter:
    """A reply that the demo relay kept."""

    fields: list[tuple[str, str]]
    text: str
    source: str


ResponderView = Callable[[HttpRequest, Responder], HttpResponse]


def changes_responder(view: ResponderView) -> Callable[[HttpRequest, int], HttpResponse]:
    """Changes by POST alone. A GET (a sign-in that came in between leads back here) shows the mailbox's page."""

    @require_http_methods(["GET", "HEAD", "POST"])
    @login_required
    @functools.wraps(view)
    def wrapped(request: HttpRequest, pk: int) -> HttpResponse:
        row = visible_responder(request, pk)
        if request.method == "POST":
            return acting.asks_first(request, row.mailbox) or view(request, row)
        return redirect("mailbox", row.mailbox_id)

    return wrapped


@require_safe
@login_required
def mailbox_page(request: HttpRequest, pk: int) -> HttpResponse:
    """State, responders, whom it answered and whom not, and the history."""
    visible = access.mailboxes_visible_to(request.user).select_related("successor", "domain__customer", "owner")
    begun = writing.begun_anywhere(acting.person(request))
    mailbox = get_object_or_404(visible.annotate(now=services.PanelNow(), begun=begun), pk=pk)
    now: datetime = vars(mailbox)["now"]
    context: dict[str, Any] = {
        "mailbox": mailbox,
        "no_sender": _("(no sender address)"),
        "begun": writing.as_drafts(vars(mailbox)["begun"]),
        "groups": group_targets(mailbox),
        "has_left": mailbox.successor_from is not None and mailbox.successor_from <= now,
        "reason_given": acting.reason_given(request, mailbox),
        **_allowed(request, mailbox),
        **_chart(mailbox, now),
        **_log_page(request, mailbox),
    }
    context |= _present_and_past(mailbox, now, may_delegate=context["may_delegate"])
    if context["is_support"]:
        context |= _for_staff(mailbox)
    return render(request, "mailboxes/mailbox.html", context)


def _allowed(request: HttpRequest, mailbox: Mailbox) -> dict[str, bool]:
    """What the person may do beside changing responders."""
    may_delegate = access.may_delegate(request.user, mailbox)
    return {
        "is_support": access.is_support(request.user),
        "may_delegate": may_delegate,
        "is_linked": not may_delegate and access.is_linked(request.user, mailbox),
        "may_manage": access.may_manage(request.user, mailbox),
        "acts_for_owner": access.acts_for_owner(request.user, mailbox),
    }


def _present_and_past(mailbox: Mailbox, now: datetime, *, may_delegate: bool) -> dict[str, Any]:
    """The responders, when they answer, and what was done to them and to the mailbox, with what may be taken back."""
    responders = [shown_responder(row, now) for row in mailbox.responders.order_by("position")]
    events = windows.events(mailbox, timeline.begins(mailbox, now), EVENTS_SHOWN)
    rows = [shown.row for shown in responders]
    return {
        "responders": responders,
        "foremost": foremost(responders),
        "timeline": timeline.timeline(mailbox, rows, events, (get_language() or "en")[:2], now),
        "events": [
            (
                event, history.subject(event), history.changes(event),
                undo.may_be_undone(event, now) and (may_delegate or not undo.is_for_owner_alone(event)),
            )
            for event in events[:EVENTS_SHOWN]
        ],
    }  # fmt: skip


def _chart(mailbox: Mailbox, now: datetime) -> dict[str, Any]:
    chart = statistics.chart(mailbox, now)
    reasons = [
        (shade, reason_sentence(reason) if reason else _("Other reasons"), count)
        for shade, reason, count in chart.reasons
    ]
    return {"chart": chart, "chart_reasons": reasons}


def _log_page(request: HttpRequest, mailbox: Mailbox) -> dict[str, Any]:
    """Whom it answered and whom not: `show` and `sender` choose, `before` is where an earlier page ended."""
    show, after = request.GET.get("show", ""), request.GET.get("before", "")
    sender = request.GET.get("sender", "").replace("\0", "").strip()[:320]
    decisions, before = _decisions(mailbox, show, sender, after)
    return {
        "sender": sender,
        "log_query": urlencode({"sender": sender}) if sender else "",
        "decisions": [(row, reason_sentence(row.reason)) for row in decisions],
        "before": before,
        "show": show,
        "is_later_page": bool(after),
    }


def _for_staff(mailbox: Mailbox) -> dict[str, Any]:
    return {
        "notes": mailbox.notes.select_related("author")[:NOTES_SHOWN],
        "note_path": reverse("support_note", args=["mailbox", mailbox.pk]),
        "log": log_of(mailbox, mailbox.owner),
    }


@changes_responder
def responder_switch(request: HttpRequest, row: Responder) -> HttpResponse:
    """On or off by hand: POST `on` with 1 or 0."""
    now = services.database_now()
    row = services.switch(row, on=request.POST.get("on") == "1", actor=acting.by(request, row.mailbox), now=now)
    messages.success(request, f"{row.title}: {sentences.state_sentence(row, now)}")
    return redirect("mailbox", row.mailbox_id)


@changes_responder
def responder_move(request: HttpRequest, row: Responder) -> HttpResponse:
    """One place up or down: POST `direction`."""
    up = request.POST.get("direction") == "up"
    services.move(row, up=up, actor=acting.by(request, row.mailbox), now=services.database_now())
    return redirect("mailbox", row.mailbox_id)


@changes_responder
def responder_answer_again(request: HttpRequest, row: Responder) -> HttpResponse:
    """Forget whom it answered."""
    services.answer_everyone_again(row, actor=acting.by(request, row.mailbox), now=services.database_now())
    messages.success(request, _("Everybody who writes from now on gets this reply once more."))
    return redirect("mailbox", row.mailbox_id)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def responder_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then delete."""
    row = visible_responder(request, pk)
    if (first := acting.asks_first(request, row.mailbox)) is not None:
        return first
    if request.method == "POST":
        services.delete_responder(row, actor=acting.by(request, row.mailbox), now=services.database_now())
        messages.success(request, _("The autoresponder was deleted."))
        return redirect("mailbox", row.mailbox_id)
    return render(request, "responders/delete.html", {"responder": row, "mailbox": row.mailbox})


@require_safe
@login_required
def outbox(request: HttpRequest) -> HttpResponse:
    """While DEBUG is on: the latest replies as the demo relay received them."""
    if not settings.DEBUG:
        raise Http404
    files = sorted(settings.OUTBOX_DIR.glob("*.eml"), reverse=True)[:OUTBOX_SHOWN]
    letters = [read_letter(path.read_bytes()[:LETTER_OCTETS]) for path in files]
    return render(request, "responders/outbox.html", {"letters": letters})


def visible_mailbox(request: HttpRequest, pk: int) -> Mailbox:
    visible = access.mailboxes_visible_to(request.user)
    return get_object_or_404(visible.select_related("successor", "domain__customer"), pk=pk)


def visible_responder(request: HttpRequest, pk: int) -> Responder:
    visible = access.mailboxes_visible_to(request.user)
    return get_object_or_404(Responder.objects.select_related("mailbox__domain__customer"), pk=pk, mailbox__in=visible)


def shown_responder(row: Responder, now: datetime) -> Shown:
    window, zone = sentences.window_sentence(row), sentences.zone_name(row.time_zone)
    limits = sentences.limits(row)
    return Shown(row, row.state_at(now).value, sentences.state_sentence(row, now), window, zone, limits)


def foremost(responders: list[Shown]) -> Shown | None:
    """What says most about the mailbox: the responder that answers, else the next to start, else one that ended."""
    in_order = sorted(responders, key=lambda shown: shown.row.position)
    active = [shown for shown in in_order if shown.state == "active"]
    coming = [shown for shown in in_order if shown.state == "scheduled"]
    coming.sort(key=lambda shown: shown.row.from_utc or NEVER)
    over = [shown for shown in in_order if shown.state == "ended"]
    over.sort(key=lambda shown: shown.row.to_utc or NEVER, reverse=True)
    return next(iter(active + coming + over + in_order), None)


def read_letter(content: bytes) -> Letter:
    """A kept reply to read. Whatever it holds is shown as text."""
    parsed = message_from_bytes(content)  # compat32: the other policies raise on access to a malformed field
    fields = [(name, _decoded(str(parsed[name]))) for name in ("From", "To", "Subject", "Date") if parsed[name]]
    plain = next((part for part in parsed.walk() if part.get_content_type() == "text/plain"), parsed)
    octets = plain.get_payload(decode=True)
    text = octets.decode("utf-8", "replace") if isinstance(octets, bytes) else ""
    return Letter(fields, text, content.decode("utf-8", "replace"))


def _decoded(field: str) -> str:
    try:
        return str(make_header(decode_header(field)))
    except (LookupError, ValueError, HeaderParseError):
        return field


def _decisions(mailbox: Mailbox, show: str, sender: str, before: str) -> tuple[list[Decision], int | None]:
    """A page of decisions, newest first, and the key of the next one."""
    rows = mailbox.decisions.select_related("responder")
    if sender:
        rows = rows.filter(reverse_path__in=support_search.spellings(sender))
    if show == "answered":
        rows = rows.filter(reason=Reason.REPLIED.value)
    elif show == "silent":
        rows = rows.exclude(reason=Reason.REPLIED.value)
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    page = list(rows.order_by("-pk")[: PAGE_SIZE + 1])
    return page[:PAGE_SIZE], page[PAGE_SIZE - 1].pk if len(page) > PAGE_SIZE else None


def reason_sentence(reason: str) -> str | Promise:
    """The sentence of a reason; a word of an older version stands for itself."""
    return SENTENCES[Reason(reason)] if reason in set(Reason) else reason
