"""The page of the responder form: writing, changing, previewing. Nothing typed is ever lost."""

import logging
from datetime import datetime
from smtplib import SMTPException
from typing import Any

from allauth.core.internal import ratelimit
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from mailboxes import access
from mailboxes.addresses import display
from mailboxes.models import Mailbox
from responders import acting, calendars, sentences, services, validation
from responders.drafting import drafts, hints, sample_letters, writing
from responders.drafting.preview import previews
from responders.drafting.ready_texts import OWN, ReadyText, house_texts, ready_texts
from responders.models import Responder, ResponderType
from responders.pages.forms import PLACEHOLDER_WORDS, ResponderForm
from responders.pages.views import shown_responder, visible_mailbox, visible_responder

OWN_TEXTS_SHOWN = 5
TESTS = {"send": "20/h/user"}

log = logging.getLogger(__name__)


@require_http_methods(["GET", "HEAD", "POST"])
@drafts.keeps_what_was_typed
def responder_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Write a responder."""
    return _responder_form(request, visible_mailbox(request, pk), None)


@require_http_methods(["GET", "HEAD", "POST"])
@drafts.keeps_what_was_typed
def responder_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a responder."""
    row = visible_responder(request, pk)
    return _responder_form(request, row.mailbox, row)


def _responder_form(request: HttpRequest, mailbox: Mailbox, row: Responder | None) -> HttpResponse:
    if (first := acting.asks_first(request, mailbox, request.path)) is not None:
        return drafts.kept_for_later(request, first) if request.method == "POST" else first
    if request.method == "POST":
        return _posted(request, mailbox, row)
    if typed := drafts.typed_before(request):
        return _taken_up(request, _form(request, typed, mailbox=mailbox, responder=row), was_signed_out=True)
    if draft := writing.find(acting.person(request), mailbox, row, request.GET.get("draft", "")):
        form = _form(request, QueryDict(draft.typed), mailbox=mailbox, responder=row)
        return _taken_up(request, form, taken_up=draft)
    return _opened(request, mailbox, row)


def _form(request: HttpRequest, typed: Any = None, *, mailbox: Mailbox, **more: Any) -> ResponderForm:
    return ResponderForm(typed, mailbox=mailbox, may_send_copies=access.may_send_copies(request.user, mailbox), **more)


def _taken_up(request: HttpRequest, form: ResponderForm, **why: Any) -> HttpResponse:
    """The form as it was typed before, with what senders would read."""
    return _show_form(request, form, **why, **_preview_of(form, services.database_now()))


def _opened(request: HttpRequest, mailbox: Mailbox, row: Responder | None) -> HttpResponse:
    """The form as it is at first, with what senders would read: what is stored, or a text that most people can keep."""
    now, offered = services.database_now(), _offered_texts(mailbox)
    if row is not None:
        form, draft = _form(request, mailbox=mailbox, responder=row), row
    else:
        text = next(one for one in offered if one.type == ResponderType.ABSENCE)
        form = _form(request, mailbox=mailbox, initial={"subject": text.subject, "text_body": text.text_body})
        draft = services.unsaved(mailbox, _first_input(mailbox, text), now)
    begun = writing.begun(acting.person(request), mailbox, row)
    return _show_form(request, form, offered, begun=begun, **_looked_at(form, draft, now))


def _first_input(mailbox: Mailbox, text: ReadyText) -> validation.ResponderInput:
    return validation.ResponderInput(
        type=text.type, is_enabled=True, from_date=None, to_date=None, time_zone=mailbox.time_zone,
        subject=text.subject, text_body=text.text_body,
    )  # fmt: skip


def _looked_at(form: ResponderForm, draft: Responder, now: datetime) -> dict[str, Any]:
    """What the preview shows of a responder, stored or not."""
    return {
        "previews": previews(form.mailbox, draft, now, form.own_addresses),
        "answers": shown_responder(draft, now),
        "length": sentences.length_sentence(draft),
        "warnings": hints.about(draft, now, form.responder),
    }


def _posted(request: HttpRequest, mailbox: Mailbox, row: Responder | None) -> HttpResponse:
    if "throw_away" in request.POST:
        return _thrown_away(request, mailbox)
    is_kept = _keep(request, mailbox, row)
    if "keep" in request.POST:
        return HttpResponse(status=204 if is_kept else 413)
    if request.POST.get("ready", "").isdecimal() and row is None:
        return _show_form(request, _started(request, mailbox))
    if "take_ics" in request.POST:
        return _take_dates(request, mailbox, row)
    form = _form(request, request.POST, mailbox=mailbox, responder=row)
    if "preview" in request.POST or "send_test" in request.POST:
        return _show_preview(request, form, is_kept=is_kept)
    return _save(request, form) if form.is_valid() else _show_form(request, form)


def _keep(request: HttpRequest, mailbox: Mailbox, row: Responder | None) -> bool:
    """Whatever else becomes of what was sent."""
    return writing.keep(
        acting.person(request), mailbox, row, request.POST, session_key=request.session.session_key,
        now=services.database_now(),
    )  # fmt: skip


def _thrown_away(request: HttpRequest, mailbox: Mailbox) -> HttpResponse:
    """POST `draft`: its key, `back`: where it was said, if that is not the form's own page."""
    drafts.forget(request)
    writing.forget(acting.person(request), mailbox, request.POST.get("draft", ""), services.database_now())
    return redirect("mailbox", mailbox.pk) if request.POST.get("back") == "mailbox" else redirect(request.path)


def _take_dates(request: HttpRequest, mailbox: Mailbox, row: Responder | None) -> HttpResponse:
    """The form as it was typed, with the start and end of a calendar file's event."""
    zone = row.time_zone if row else mailbox.time_zone
    file = request.FILES.get("ics")
    typed = request.POST.copy()
    content = file.read(calendars.MAX_OCTETS + 1) if file else b""
    try:
        found = calendars.window_from_file(content, zone, services.database_now())
    except calendars.NoWindow as problem:
        form = _form(request, typed, mailbox=mailbox, responder=row)
        form.add_error("ics", str(problem))
        return _show_form(request, form)
    typed["from_date"], typed["to_date"] = (f"{one:%Y-%m-%dT%H:%M}" for one in (found.start, found.end))
    words = _("The dates of “%(title)s” are taken over. Look at them, then save.") % {"title": found.title or "…"}
    if found.others:
        count = ngettext("The file holds %(count)d more.", "The file holds %(count)d more.", found.others)
        words += f" {count % {'count': found.others}}"
    messages.success(request, words)
    return _show_form(request, _form(request, typed, mailbox=mailbox, responder=row))


def _save(request: HttpRequest, form: ResponderForm) -> HttpResponse:
    row, now = form.responder, services.database_now()
    try:
        saved = _saved_before(request, form) or services.save_responder(
            form.mailbox, form.as_input(), actor=acting.by(request, form.mailbox), now=now, responder=row,
            expected_version=form.cleaned_data["version"] if row else None,
        )  # fmt: skip
    except validation.ResponderInvalid as invalid:
        form.show(invalid.errors)
        return _show_form(request, form)
    except services.ResponderConflict as conflict:
        if not services.says_the_same(conflict.current, form.as_input()):
            return _show_conflict(request, form, conflict.current, now)
        saved = conflict.current
    drafts.forget(request)
    writing.forget(acting.person(request), form.mailbox, form.cleaned_data["draft"], now)
    messages.success(request, _saved_sentence(saved))
    for warning in hints.about(saved, now):
        messages.warning(request, str(warning))
    return redirect("mailbox", form.mailbox.pk)


def _saved_before(request: HttpRequest, form: ResponderForm) -> Responder | None:
    """What the same form made a moment ago: a second click, or a page sent again. Another text is another responder.

    Two at once wait for each other at the row of the draft, which `_keep` has written.
    """
    if form.responder is not None or not writing.is_over(acting.person(request), form.cleaned_data["draft"]):
        return None
    rows = form.mailbox.responders.order_by("-pk")
    return next((row for row in rows if services.says_the_same(row, form.as_input())), None)


def _show_conflict(request: HttpRequest, form: ResponderForm, current: Responder, now: datetime) -> HttpResponse:
    """What was typed, above it what is stored now, beside it what senders would read if it is saved all the same."""
    again = request.POST.copy()
    again["version"] = str(current.version)
    form = _form(request, again, mailbox=form.mailbox, responder=current)
    return _show_form(request, form, conflict=shown_responder(current, now), **_preview_of(form, now))


def _draft_of(form: ResponderForm, now: datetime) -> Responder | None:
    """What saving would store; None where something needs another look, which the form then says."""
    if not form.is_valid():
        return None
    try:
        return services.unsaved(form.mailbox, form.as_input(), now, form.responder)
    except validation.ResponderInvalid as invalid:
        form.show(invalid.errors)
        return None


def _preview_of(form: ResponderForm, now: datetime) -> dict[str, Any]:
    draft = _draft_of(form, now)
    return {} if draft is None else _looked_at(form, draft, now)


def _show_preview(request: HttpRequest, form: ResponderForm, *, is_kept: bool) -> HttpResponse:
    """What was typed as senders would read it; that part of the page alone where htmx asks."""
    now = services.database_now()
    draft = _draft_of(form, now)
    found = {} if draft is None else _looked_at(form, draft, now)
    if draft is not None and "send_test" in request.POST:
        _send_test(request, form.mailbox, draft, now)
    if request.headers.get("HX-Request"):
        return render(request, "responders/preview.html", found | {"form": form, "kept_at": is_kept and now})
    return _show_form(request, form, **found)


def _send_test(request: HttpRequest, mailbox: Mailbox, draft: Responder, now: datetime) -> None:
    to = request.POST.get("test_to") or mailbox.address
    person = acting.person(request)
    if to not in _test_addresses(request, mailbox):
        messages.error(request, _("A test goes to your own addresses only."))
    elif not ratelimit.consume(request, app="responders.test", action="send", config=TESTS, user=person):
        messages.error(request, _("Enough tests for now: try again in an hour."))
    else:
        try:
            count = sample_letters.send(mailbox, draft, to, now)
        except (OSError, SMTPException):
            log.warning("a test letter was not taken", exc_info=True)
            messages.error(request, _("The mail server did not take the test. Try again in a while."))
        else:
            words = ngettext(
                "%(count)d test is on its way to %(to)s.", "%(count)d tests are on their way to %(to)s.", count
            )
            messages.success(request, words % {"count": count, "to": display(to)})


def _test_addresses(request: HttpRequest, mailbox: Mailbox) -> list[str]:
    return sample_letters.addresses(acting.person(request), mailbox)


def _show_form(
    request: HttpRequest, form: ResponderForm, offered: list[ReadyText] | None = None, **more: Any
) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "mailbox": form.mailbox,
        "responder": form.responder,
        "zone": sentences.zone_name(form.time_zone),
        "placeholders": PLACEHOLDER_WORDS.items(),
        "ready": [] if form.responder else _starting_texts(form.mailbox, offered),
        "test_addresses": [(each, display(each)) for each in _test_addresses(request, form.mailbox)],
        "test_to": request.POST.get("test_to"),
    }
    is_new = request.method != "POST"
    status = 409 if "conflict" in more else 422 if form.has_mistakes and not is_new else 200
    return render(request, "responders/form.html", context | more, status=status)


def _started(request: HttpRequest, mailbox: Mailbox) -> ResponderForm:
    """The form with a ready text in place of the typed one (without JavaScript; with it the page does the same)."""
    texts = _starting_texts(mailbox)
    chosen = texts[min(int(request.POST["ready"][:3]), len(texts) - 1)]
    typed = request.POST.copy()
    for name in ("type", "subject", "text_body"):
        typed[name] = getattr(chosen, name)
    return _form(request, initial=typed.dict(), mailbox=mailbox)


def _starting_texts(mailbox: Mailbox, offered: list[ReadyText] | None = None) -> list[ReadyText]:
    """What a new text may start from: the mailbox's earlier ones, then the company's, then the ready ones."""
    own = [
        ReadyText(OWN, row.language, row.title, row.type, row.subject, row.text_body)
        for row in mailbox.responders.order_by("-updated_at")[:OWN_TEXTS_SHOWN]
    ]
    return own + (_offered_texts(mailbox) if offered is None else offered)


def _offered_texts(mailbox: Mailbox) -> list[ReadyText]:
    return house_texts(mailbox.language) + ready_texts(mailbox.language)


def _saved_sentence(row: Responder) -> str:
    if not row.is_enabled:
        return _("Saved, but switched off: nobody gets an answer until you switch it on.")
    words = {"window": sentences.window_sentence(row), "zone": sentences.zone_name(row.time_zone)}
    if row.from_date or row.to_date:
        return _("Saved. It answers %(window)s (%(zone)s).") % words
    return _("Saved. It answers %(window)s.") % words
