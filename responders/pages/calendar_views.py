"""The calendar of absences, and the personal feed that calendar programs read."""

import re
from datetime import date, timedelta

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from mailboxes import access, log
from responders import acting, calendars, services
from responders.core.schedule import to_local

MONTH = re.compile(r"(20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@require_safe
@login_required
def calendar_page(request: HttpRequest) -> HttpResponse:
    """A month of absences: of the person's mailboxes, or of one that they may open (`?mailbox=`)."""
    mailboxes = access.mailboxes_of(request.user)
    number, one = request.GET.get("mailbox", ""), None
    if number:
        visible = access.mailboxes_visible_to(request.user)
        one = get_object_or_404(visible, pk=int(number) if NUMBER.fullmatch(number) else 0)
        mailboxes = visible.filter(pk=one.pk)
    person = acting.person(request)
    now = services.database_now()
    today = to_local(now, one.time_zone if one else person.time_zone).date()
    first = _month(request.GET.get("month", "")) or today.replace(day=1)
    theirs = one or mailboxes.order_by("address").first()
    country = theirs.country if theirs else settings.HOLIDAY_COUNTRY
    days = calendars.month(first, mailboxes, today, (get_language() or "en")[:2], country, now=now)
    context = {
        "mailbox": one, "first": first, "days": days, "week": calendars.weekdays(days),
        "before": first - timedelta(days=1), "after": first + timedelta(days=31), "today": today,
        "has_feed": calendars.has_feed(person),
        "is_empty": not any(day.absences for day in days),
    }  # fmt: skip
    return render(request, "responders/calendar.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def calendar_feed_settings(request: HttpRequest) -> HttpResponse:
    """POST `make` for a new address of the feed, `end` to switch it off. The address is shown once."""
    person = acting.person(request)
    address = ""
    if "make" in request.POST:
        address = (
            f"{settings.PANEL_URL}{reverse('calendar_feed', args=[calendars.make_feed(person, actor=log.by(request))])}"
        )
    elif "end" in request.POST:
        calendars.end_feed(person, actor=log.by(request))
        messages.success(request, _("The feed is off: its address leads nowhere any more."))
        return redirect("calendar")
    context = {"address": address, "has_feed": calendars.has_feed(person)}
    response = render(request, "responders/feed.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def calendar_feed(_request: HttpRequest, token: str) -> HttpResponse:
    """The feed itself: whoever has the address reads it, as calendar programs do."""
    person = calendars.person_of_feed(token)
    if person is None:
        raise Http404
    content = calendars.feed(person, services.database_now())
    headers = {"Cache-Control": "private, max-age=300", "Content-Disposition": 'inline; filename="absences.ics"'}
    return HttpResponse(content, content_type="text/calendar; charset=utf-8", headers=headers)


def _month(text: str) -> date | None:
    found = MONTH.fullmatch(text)
    return date(int(found[1]), int(found[2]), 1) if found else None
