"""The pages on which many mailboxes are changed at once: what and where, the preview, the progress, the way back."""

import re
from functools import partial
from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from mailboxes import access, log
from mailboxes.files import csv_files
from mailboxes.pages.doors import only_for
from responders import acting, services, tasks
from responders.core.rendering import for_reading
from responders.drafting.ready_texts import READY_TEXTS
from responders.many import batch_plans, batches, new_addresses
from responders.many.batch_forms import BatchForm, EndForm, LeaveForm, MakeForm, SetForm
from responders.models import Batch, BatchItem, Responder
from responders.validation import ResponderInvalid

PAGE_SIZE = 50
NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
FORMS: dict[str, type[BatchForm | MakeForm]] = {"set": SetForm, "end": EndForm, "leave": LeaveForm, "make": MakeForm}
AT_WORK = {Batch.State.RUNNING, Batch.State.TAKING_BACK}


for_managers = only_for(access.may_change_many)


@for_managers
def batch_list(request: HttpRequest) -> HttpResponse:
    """What was changed for many, the latest first."""
    rows = batches.visible_to(request.user).select_related("created_by").order_by("-id")
    if NUMBER.fullmatch(before := request.GET.get("before", "")):
        rows = rows.filter(pk__lt=int(before))
    page = list(rows[: PAGE_SIZE + 1])
    later = page[PAGE_SIZE - 1].pk if len(page) > PAGE_SIZE else None
    context = {"rows": page[:PAGE_SIZE], "before": later, "kinds": Batch.Kind.choices}
    return render(request, "batches/list.html", context)


@for_managers
def batch_new(request: HttpRequest, kind: str) -> HttpResponse:
    """What to do, and where; `for` names domains, customers or addresses, `copy` a responder to take over."""
    if kind not in FORMS:
        raise Http404
    user = acting.person(request)
    options: dict[str, Any] = {"user": user, "is_staff": access.is_support(user), "initial": _initial(request, kind)}
    if kind == "set" and (copied := _copied(request)) is not None:
        options["copied"] = copied
    form = FORMS[kind](request.POST or None, request.FILES or None, **options)
    if request.method == "POST" and form.is_valid() and (batch := _made(request, Batch.Kind(kind), form)) is not None:
        return redirect("batch", batch.pk)
    context = {"form": form, "title": Batch.Kind(kind).label, "copied": options.get("copied")}
    return render(request, "batches/new.html", context, status=422 if form.errors else 200)


def _made(request: HttpRequest, kind: Batch.Kind, form: BatchForm | MakeForm) -> Batch | None:
    now = services.database_now()
    if isinstance(form, MakeForm):
        by = services.By(acting.person(request), place=log.place(request))
        return batches.make_addresses(form.scope, form.rows, by=by, now=now)
    values = form.batch_values()
    try:
        if kind != Batch.Kind.END:
            batch_plans.check(values, now)
    except ResponderInvalid as invalid:
        form.add_errors(invalid.errors)
        return None
    by = services.By(acting.person(request), form.cleaned_data.get("reason", ""), log.place(request))
    return batches.make(kind, form.scope, form.rows, values, by=by, now=now)


def _initial(request: HttpRequest, kind: str) -> dict[str, Any]:
    initial: dict[str, Any] = {"where": request.GET.get("for", "")[:1_000], "language": get_language()}
    if kind == "leave":
        texts = {text.language: text for text in READY_TEXTS if text.key == "left"}
        first, second = texts["pl"], texts["en"]
        initial |= {
            "subject": first.subject, "text_body": first.text_body, "language": "pl", "other_language": "en",
            "other_subject": second.subject, "other_text": second.text_body,
        }  # fmt: skip
    return initial


def _copied(request: HttpRequest) -> Responder | None:
    number = request.GET.get("copy", "")
    if not NUMBER.fullmatch(number):
        return None
    visible = access.mailboxes_visible_to(request.user)
    return get_object_or_404(Responder.objects.select_related("mailbox"), pk=int(number), mailbox__in=visible)


@for_managers
def batch_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The preview, then how far it is, then what came of it; POST `do` starts, stops or takes it back."""
    batch = get_object_or_404(batches.visible_to(request.user).select_related("created_by"), pk=pk)
    if request.method == "POST":
        return _turned(request, batch)
    counts = batches.counts(batch)
    shown = request.GET.get("show", "")
    items = batch.items.filter(state=shown) if shown in BatchItem.State else batch.items.all()
    if NUMBER.fullmatch(after := request.GET.get("after", "")):
        items = items.filter(number__gt=int(after))
    page, labels = list(items.order_by("number")[: PAGE_SIZE + 1]), batches.labels(batch)
    context = {
        "rows": [(item, labels[item.state]) for item in page[:PAGE_SIZE]], "makes": batch.kind == Batch.Kind.MAKE,
        "has_passwords": batch.created_by_id == request.user.pk and new_addresses.has_passwords(batch),
        "batch": batch, "subject": for_reading(batch.values.get("subject", "")),
        "is_at_work": batch.state in AT_WORK, "shown": shown,
        "after": page[PAGE_SIZE - 1].number if len(page) > PAGE_SIZE else None,
        "counts": [(state, label, counts.get(state, 0)) for state, label in labels.items() if state in counts],
        "total": sum(counts.values()), "left": counts.get("waiting", 0), "ready": _ready(batch, counts),
        "may_start": batch.state in {"preview", "stopped"} and counts.get("waiting"),
        "may_take_back": counts.get("done") and batches.may_be_taken_back(batch, services.database_now()),
    }  # fmt: skip
    name = "batches/progress.html" if request.headers.get("HX-Request") else "batches/batch.html"
    return render(request, name, context)


def _ready(batch: Batch, counts: dict[str, int]) -> int:
    """How many of those at work are ready."""
    left = counts.get("done" if batch.state == Batch.State.TAKING_BACK else "waiting", 0)
    return sum(counts.values()) - left


def _turned(request: HttpRequest, batch: Batch) -> HttpResponse:
    now, what = services.database_now(), request.POST.get("do", "")
    if what == "forget" and batch.created_by_id == request.user.pk and new_addresses.forget(batch):
        log.record(batch, "passwords forgotten", log.by(request))
        messages.success(request, _("The panel has forgotten the passwords."))
    if what == "take-back" and not batches.may_be_taken_back(batch, now):
        messages.error(request, _("This cannot be undone any more."))
        return redirect("batch", batch.pk)
    turn = {"start": batches.start, "stop": batches.stop, "take-back": batches.take_back}.get(what)
    if turn is not None and turn(batch, actor=log.by(request)) and what != "stop":
        transaction.on_commit(partial(_hand_over, batch.pk))
    return redirect("batch", batch.pk)


def _hand_over(pk: int) -> None:
    """To a worker at once; where none can be asked, the clock's task finds it."""
    try:
        tasks.run_batch.delay(pk)
    except OperationalError:
        return


@for_managers
def batch_result(request: HttpRequest, pk: int) -> HttpResponseBase:
    """What came of each mailbox, as a file."""
    batch = get_object_or_404(batches.visible_to(request.user), pk=pk)
    return csv_files.answer(f"result-{batch.pk}.csv", batches.result(batch))


@for_managers
def batch_passwords(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The passwords of the mailboxes that a job made, for whoever began it and proves that it is them."""
    batch = get_object_or_404(Batch.objects.select_related("created_by"), pk=pk, created_by=request.user.pk)
    if not new_addresses.has_passwords(batch):
        raise Http404
    answer: HttpResponseBase = _passwords(request, batch)
    return answer


@reauthentication_required  # type: ignore[untyped-decorator]
def _passwords(request: HttpRequest, batch: Batch) -> HttpResponseBase:
    log.record(batch, "passwords fetched", log.by(request))
    return csv_files.answer(f"passwords-{batch.pk}.csv", new_addresses.passwords_of(batch))
