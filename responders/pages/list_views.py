"""The list of mailboxes: a person's own, a company's, everybody's; as a page and as a file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from mailboxes import access
from mailboxes.files import csv_files
from mailboxes.models import Mailbox
from responders import services, statistics
from responders.mailbox_lists import ONE_DOMAIN, ORDERS, STATES, Wanted, next_after, page_of, wanted_rows
from responders.pages.views import PAGE_SIZE, Shown, foremost, shown_responder

CHUNK = 1_000


@dataclass(frozen=True)
class Listed:
    """A mailbox in the list: what it does now, and how many replies it sent lately."""

    row: Mailbox
    shown: Shown | None
    replies: int


@require_safe
def mailbox_list(request: HttpRequest) -> HttpResponse:
    """The person's mailboxes; staff and a company's administrators search among many, filter and sort."""
    if not request.user.is_authenticated:
        # Whoever typed the panel's bare address comes in where their work begins.
        return redirect_to_login(request.get_full_path()) if request.GET else redirect("account_login")
    theirs, is_support = access.mailboxes_in_lists(request.user), access.is_support(request.user)
    now, may_add = services.database_now(), theirs.manages
    searches = may_add or is_support
    asked = Wanted.of(request.GET.dict())
    wanted = asked if searches else Wanted(after=asked.after)
    is_by_address = theirs.is_one_domain and wanted.order in ("", "domain")
    in_order = replace(wanted, order=ONE_DOMAIN) if is_by_address else wanted
    page = page_of(theirs.rows, in_order, now, PAGE_SIZE)
    replies = statistics.replies_lately(page.rows, now)
    context = {
        "mailboxes": [
            Listed(row, foremost([shown_responder(one, now) for one in row.responders.all()]), replies.get(row.pk, 0))
            for row in page.rows
        ],
        "further": _query(replace(wanted, after=next_after(page.rows[-1], wanted))) if page.has_further else "",
        "is_part": page.is_part,
        "wanted": wanted, "is_support": is_support, "may_add": may_add, "searches": searches,
        "has_domains": may_add or (not is_support and access.may_add_domains(request.user)),
        "states": [(name, _query(replace(wanted, state=name, after="")), words) for name, words in STATES.items()],
        "orders": [(name, _query(replace(wanted, order=name, after="")), words) for name, words in ORDERS.items()],
        "file": _query(replace(wanted, after="")),
    }  # fmt: skip
    return render(request, "mailboxes/list.html", context)


def _query(wanted: Wanted) -> str:
    said = {"q": wanted.words, "state": wanted.state, "order": wanted.order, "after": wanted.after}
    return urlencode({name: value for name, value in said.items() if value})


@require_safe
@login_required
def mailbox_file(request: HttpRequest) -> HttpResponseBase:
    """The same list as CSV, all of it, sent while it is read."""
    if not access.may_change_many(request.user):
        raise Http404
    now = services.database_now()
    rows = wanted_rows(access.mailboxes_managed_by(request.user), Wanted.of(request.GET.dict()), now)
    return csv_files.answer("mailboxes.csv", _lines(rows))


def _lines(rows: QuerySet[Mailbox]) -> Iterator[list[object]]:
    now = services.database_now()
    yield [
        _("address"), _("name"), _("owner"), _("receives mail"), _("autoresponder"), _("state"), _("start"), _("end"),
        _("time zone"),
    ]  # fmt: skip
    for row in rows.select_related("owner").prefetch_related("responders").iterator(chunk_size=CHUNK):
        shown = foremost([shown_responder(one, now) for one in row.responders.all()])
        window: list[object] = (
            [shown.row.subject, shown.sentence, shown.row.from_date, shown.row.to_date] if shown else [""] * 4
        )
        yield [row, row.name, row.owner or "", _("yes") if row.is_active else _("no"), *window, row.time_zone]
