"""The pages around what staff change for an owner: the reason before, the way back after."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mailboxes import access, log
from responders import acting, history, notices, services, undo
from responders.models import ResponderEvent
from responders.pages.views import visible_mailbox


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def acting_for_owner(request: HttpRequest, pk: int) -> HttpResponse:
    """Staff say why they change what is somebody else's."""
    mailbox = visible_mailbox(request, pk)
    if not access.acts_for_owner(request.user, mailbox):
        raise Http404
    return acting.ask(request, mailbox)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def event_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back one change of the history: a page that asks, and POST that does it."""
    visible = access.mailboxes_visible_to(request.user)
    event = get_object_or_404(ResponderEvent.objects.select_related("mailbox", "responder"), pk=pk, mailbox__in=visible)
    mailbox = event.standing_mailbox()
    if undo.is_for_owner_alone(event) and not access.may_delegate(request.user, mailbox):
        raise Http404
    if (first := acting.asks_first(request, mailbox)) is not None:
        return first
    response = _undo(request, event, acting.by(request, mailbox))
    if response is not None:
        return response
    messages.success(request, _("It is as it was before."))
    return redirect("mailbox", mailbox.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def change_undo(request: HttpRequest, token: str) -> HttpResponse:
    """The link of a notice: opening it (a scanner may) changes nothing, the button takes the change back."""
    event = notices.event_of(token)
    if event is None:
        raise Http404
    owner = services.By(event.standing_mailbox().owner, place=log.place(request))
    return _undo(request, event, owner) or _page(request, event, is_done=True)


def _undo(request: HttpRequest, event: ResponderEvent, by: services.By) -> HttpResponse | None:
    """The page, until it is done."""
    now = services.database_now()
    if not undo.may_be_undone(event, now):
        return _page(request, event, is_done=hasattr(event, "undone_by"), problem=_("This cannot be undone any more."))
    if request.method != "POST":
        return _page(request, event)
    try:
        undo.undo(event, by, now)
    except undo.CannotUndo as problem:
        return _page(request, event, problem=str(problem))
    return None


def _page(request: HttpRequest, event: ResponderEvent, *, is_done: bool = False, problem: str = "") -> HttpResponse:
    context = {
        "event": event, "subject": history.subject(event), "changes": history.changes(event), "is_done": is_done,
        "problem": "" if is_done else problem,
    }  # fmt: skip
    return render(request, "responders/undo.html", context, status=409 if context["problem"] else 200)
