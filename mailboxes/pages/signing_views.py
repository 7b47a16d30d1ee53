"""The keys that sign a domain's mail: for whoever manages the domain."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from mailboxes.log import by
from mailboxes.models import DkimKey, Domain
from mailboxes.pages.hosting_views import of_domain
from mailboxes.services import MailboxesError
from mailboxes.signing import dkim, dkim_records, dkim_rotation
from mailboxes.signing.dkim_records import State

Act = Callable[[HttpRequest, Domain, str], None]


@dataclass(frozen=True)
class ShownKey:
    """A key, its record, and whether it is old enough to be replaced."""

    key: DkimKey
    name: str
    zone_line: str
    is_old: bool


@of_domain
def signing(request: HttpRequest, domain: Domain) -> HttpResponse:
    """State and records of the keys; POST `make`, `look`, `sign`, `sign_unseen` or `delete`."""
    if request.method != "POST":
        return _page(request, domain)
    unseen = _start(request, domain) if "sign" in request.POST else None
    if unseen is not None:
        return _page(request, domain, unseen=unseen)
    for name, act in ACTS.items():
        if name in request.POST:
            act(request, domain, request.POST[name])
    return redirect("domain_signing", domain.name)


def _page(request: HttpRequest, domain: Domain, *, unseen: tuple[int, State] | None = None) -> HttpResponse:
    keys = list(domain.dkim_keys.order_by("retired_at", "-created_at"))
    waiting = {key.algorithm for key in keys if key.waits}
    pk, state = unseen or (None, None)
    context = {
        "domain": domain, "keys": [_shown(key) for key in keys], "signs": any(key.signs for key in keys),
        "to_make": [algorithm for algorithm in DkimKey.Algorithm if algorithm not in waiting],
        "unseen": pk, "unseen_state": state,
    }  # fmt: skip
    return render(request, "mailboxes/signing.html", context, status=200 if unseen is None else 422)


def _shown(key: DkimKey) -> ShownKey:
    name, value = dkim.record_of(key)
    is_old = key.signs and key.signs_since is not None and key.signs_since < timezone.now() - dkim.OLD_AFTER
    return ShownKey(key, name, dkim_records.zone_line(name, value), is_old)


def _start(request: HttpRequest, domain: Domain) -> tuple[int, State] | None:
    """Let the key sign if its record is seen; otherwise which key it is, and what the DNS says."""
    key = _key(domain, request.POST["sign"])
    state = dkim_rotation.look_and_let_sign(key, now=timezone.now(), actor=by(request))
    if state != State.SEEN:
        return key.pk, state
    messages.success(request, _("The record is there, and the key signs now."))
    return None


def _make(request: HttpRequest, domain: Domain, algorithm: str) -> None:
    if algorithm not in DkimKey.Algorithm.values:
        return
    try:
        dkim.make_key(domain, algorithm, now=timezone.now(), actor=by(request))
    except MailboxesError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("The key was made. Put its record into the DNS: then it signs by itself."))


def _look(request: HttpRequest, domain: Domain, _value: str) -> None:
    states = set(dkim_rotation.look_at(domain, now=timezone.now(), actor=by(request)).values())
    if State.UNKNOWN in states:
        messages.warning(request, _("The DNS gave no answer. Try again later."))
    elif states <= {State.SEEN}:
        messages.success(request, _("Every record is there."))
    else:
        messages.warning(request, _("Not every record is there yet. A change may take hours to be seen everywhere."))


def _sign_unseen(request: HttpRequest, domain: Domain, pk: str) -> None:
    dkim.let_sign(_key(domain, pk), now=timezone.now(), actor=by(request))
    messages.success(request, _("The key signs now."))


def _delete(request: HttpRequest, domain: Domain, pk: str) -> None:
    dkim.delete_key(_key(domain, pk), actor=by(request))
    messages.success(request, _("The key was deleted. Its record may be taken out of the DNS."))


def _key(domain: Domain, pk: str) -> DkimKey:
    number = int(pk) if pk.isascii() and pk.isdigit() and len(pk) < 18 else 0
    return get_object_or_404(domain.dkim_keys, pk=number)


ACTS: dict[str, Act] = {"make": _make, "look": _look, "sign_unseen": _sign_unseen, "delete": _delete}
