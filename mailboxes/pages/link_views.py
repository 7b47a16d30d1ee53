"""Linked mailboxes: a person adds another sign-in's mailbox to their own, sees who opens theirs, and ends either."""

import time
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as keys
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from mailboxes import access, second_factor
from mailboxes.linking import links, own_sign_ins
from mailboxes.log import By, by, place
from mailboxes.models import Mailbox, User, Way
from mailboxes.pages.forms import KeyStepForm, SecondFactorForm
from mailboxes.pages.link_forms import LinkForm, OwnPasswordForm
from mailboxes.services import MailboxesError

SHOWN = 100
WAITS, WAITS_FOR = "link_that_waits", 300  # seconds


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def account_links(request: HttpRequest) -> HttpResponse:
    """What this sign-in opens and who else opens its mailboxes; POST adds a mailbox by its address and password."""
    person = _person(request)
    may_link = access.may_link(person)
    if request.method == "POST" and not may_link:
        raise Http404
    form = LinkForm(request.POST or None, request=request, person=person) if may_link else None
    if request.method == "POST" and form is not None:
        try:
            if form.is_valid() and form.mailbox is not None:
                return _go_on(request, person, form.mailbox)
        except ImmediateHttpResponse as stopped:  # the place is stopped, whatever the account
            answer: HttpResponse = stopped.response
            return answer
        except links.LinkError as error:
            form.add_error("email", str(error))
    return render(
        request, "mailboxes/links.html", _lists(person) | {"form": form}, status=422 if form and form.errors else 200
    )


def _lists(person: User) -> dict[str, Any]:
    counting = access.links_that_count().filter(pk=OuterRef("pk"))
    added = access.links_of(person).select_related("mailbox").annotate(counts=Exists(counting))
    others = access.links_to_mailboxes_of(person).select_related("mailbox", "user").annotate(counts=Exists(counting))
    own = list(access.own_mailboxes(person).order_by("address")[:SHOWN])
    return {
        "own": [(row, row.address != person.email) for row in own],
        "added": list(added.order_by("mailbox__address")[:SHOWN]),
        "others": list(others.order_by("mailbox__address", "user__email")[:SHOWN]),
    }


def _go_on(request: HttpRequest, person: User, mailbox: Mailbox) -> HttpResponse:
    """Add it, or ask for its second factor first. Raises LinkError."""
    owner = mailbox.owner
    if owner is None:
        raise Http404
    shown = owner.get_session_auth_hash()
    if not access.has_second_factor(owner):
        return _linked(request, person, mailbox, shown, with_second_factor=False)
    request.session[WAITS] = {"mailbox": mailbox.pk, "owner": owner.pk, "shown": shown, "at": time.time()}
    return redirect("link_second_step")


def _linked(
    request: HttpRequest, person: User, mailbox: Mailbox, shown: str, *, with_second_factor: bool
) -> HttpResponse:
    links.link(
        person, mailbox, shown=shown, with_second_factor=with_second_factor, now=timezone.now(), actor=by(request)
    )
    words = _("%(mailbox)s is among your mailboxes now. Its own sign-in gets a notice.")
    messages.success(request, words % {"mailbox": mailbox})
    return redirect("account_links")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def link_second_step(request: HttpRequest) -> HttpResponse:
    """The second factor of the mailbox's own sign-in. It proves nothing about the session that it is shown in."""
    person, waiting = _person(request), _waiting(request)
    if waiting is None:
        return redirect("account_links")
    mailbox, owner, shown = waiting
    posted = request.POST if request.method == "POST" else None
    is_code = posted is not None and "code" in posted
    code, key = (
        SecondFactorForm(user=owner, data=posted if is_code else None),
        KeyStepForm(user=owner, data=None if is_code else posted),
    )
    form = code if is_code else key
    try:
        if posted is not None and form.is_valid():
            _used(code.authenticator if is_code else key.cleaned_data["credential"])
            del request.session[WAITS]
            return _linked(request, person, mailbox, shown, with_second_factor=True)
    except ImmediateHttpResponse as stopped:
        answer: HttpResponse = stopped.response
        return answer
    except links.LinkError as error:
        messages.error(request, str(error))
        return redirect("account_links")
    context = {"form": code, "webauthn_form": key, "mailbox": mailbox, **second_factor.kinds_of(owner)}
    context["js_data"] = {"request_options": keys.begin_authentication(owner)} if context["has_key"] else {}
    return render(request, "mailboxes/link_second_step.html", context, status=422 if form.errors else 200)


def _used(factor: Authenticator) -> None:
    """Not as at a sign-in, which would count as this session's own proof."""
    factor.record_usage()


def _waiting(request: HttpRequest) -> tuple[Mailbox, User, str] | None:
    """The mailbox whose password was shown in this session a moment ago, with its owner as it was then."""
    kept = request.session.get(WAITS)
    if not isinstance(kept, dict) or not 0 <= time.time() - kept.get("at", 0) <= WAITS_FOR:
        return None
    mailbox = Mailbox.objects.select_related("owner", "domain").filter(pk=kept["mailbox"], owner=kept["owner"]).first()
    owner = mailbox.owner if mailbox is not None else None
    if mailbox is None or owner is None or not constant_time_compare(owner.get_session_auth_hash(), kept["shown"]):
        return None
    return mailbox, owner, kept["shown"]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def link_end(request: HttpRequest, pk: int) -> HttpResponse:
    """POST ends a link, from either side or by who looks after the mailbox. A GET shows what there is."""
    if request.method != "POST":
        return redirect("account_links")
    person = _person(request)
    row = get_object_or_404(access.links_to_end(person).select_related("mailbox", "user"), pk=pk)
    why = links.who_ends(row, person)
    links.end(row, why, actor=by(request))
    words = _("%(mailbox)s is no longer opened by %(person)s.")
    messages.success(request, words % {"mailbox": row.mailbox, "person": row.user.email})
    return redirect("mailbox_settings", row.mailbox_id) if why == links.End.MANAGER else redirect("account_links")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def link_end_by_mail(request: HttpRequest, token: str) -> HttpResponse:
    """The link of a notice: opening it (a scanner may) changes nothing, the button ends it."""
    row = links.link_of(token)
    if row is None:
        raise Http404
    if request.method == "POST":
        links.end(row, links.End.NOTICE, actor=By(None, place=place(request), way=Way.LINK.value))
        row.refresh_from_db()
    return render(request, "mailboxes/link_end.html", {"link": row, "mailbox": row.mailbox})


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]
@sensitive_variables()
def own_sign_in(request: HttpRequest, pk: int) -> HttpResponse:
    """A password of its own for a mailbox that shares its owner's."""
    mailbox = get_object_or_404(access.own_mailboxes(request.user).select_related("owner", "domain"), pk=pk)
    if not own_sign_ins.shares_its_sign_in(mailbox):
        return redirect("account_links")
    form = OwnPasswordForm(request.POST or None, mailbox=mailbox)
    if request.method == "POST" and form.is_valid():
        try:
            own_sign_ins.part(mailbox, form.cleaned_data["password1"], now=timezone.now(), actor=by(request))
        except MailboxesError as error:
            form.add_error("password1", str(error))
        else:
            words = _(
                "%(mailbox)s has a password of its own now: its mail programs ask for it. You go on opening it here."
            )
            messages.success(request, words % {"mailbox": mailbox})
            return redirect("account_links")
    return render(
        request, "mailboxes/own_sign_in.html", {"form": form, "mailbox": mailbox}, status=422 if form.errors else 200
    )


def _person(request: HttpRequest) -> User:
    """Behind `login_required`."""
    if not isinstance(request.user, User):
        raise Http404
    return request.user
