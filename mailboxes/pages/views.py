"""The account of the person who is signed in. What django-allauth does well stays its own; here is what differs."""

from typing import Any

from allauth.account import views as account
from allauth.mfa.base import views as factors
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as app
from allauth.mfa.webauthn import views as keys
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.i18n import set_language as set_language_cookie

from mailboxes import access, devices, second_factor, services, time_zones
from mailboxes.linking import links
from mailboxes.log import by
from mailboxes.models import User
from mailboxes.pages.forms import LanguageForm

MAILBOXES_SHOWN = 30


@never_cache
@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """Everything about the account on one page, with the way to each part."""
    user = _person(request)
    mailboxes = access.own_mailboxes(user).order_by("address")[: MAILBOXES_SHOWN + 1]
    context = {
        "factor_count": second_factor.main_factors(user).count(),
        "needs_second_factor": access.needs_second_factor(user),
        "language_form": LanguageForm(initial={"language": user.language}),
        "mailboxes": list(mailboxes[:MAILBOXES_SHOWN]),
        "device_count": len(_devices(request)),
        "added_count": access.links_of(user).count(),
        "others_count": access.links_to_mailboxes_of(user).count(),
    }
    return render(request, "account/overview.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def language(request: HttpRequest) -> HttpResponse:
    """Keep the language of the pages, for every device."""
    form = LanguageForm(request.POST)
    if request.method == "POST" and form.is_valid():
        services.set_language(_person(request), form.cleaned_data["language"], actor=by(request))
        with translation.override(form.cleaned_data["language"] or translation.get_language_from_request(request)):
            messages.success(request, _("Saved."))
    return redirect("account")


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """The switch at the foot of every page: a cookie, and for who is signed in the choice itself."""
    form = LanguageForm(request.POST)
    if request.user.is_authenticated and form.is_valid() and form.cleaned_data["language"]:
        services.set_language(_person(request), form.cleaned_data["language"], actor=by(request))
    return set_language_cookie(request)


@never_cache
@require_safe
@login_required
def device_list(request: HttpRequest) -> HttpResponse:
    """Where the person is signed in."""
    context = {"devices": _devices(request), "city": time_zones.city(_person(request).time_zone)}
    return render(request, "usersessions/usersession_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def device_end(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign out on one device, not this one: that is what signing out is for."""
    if request.method == "POST":
        if not devices.end(_person(request), pk, this=request.session.session_key, actor=by(request)):
            raise Http404
        messages.success(request, _("Signed out there."))
    return redirect("usersessions_list")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def device_end_others(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    if request.method == "POST":
        devices.end_others(_person(request), this=request.session.session_key, actor=by(request))
        messages.success(request, _("Signed out on every other device."))
    return redirect("usersessions_list")


class ChangePassword(account.PasswordChangeView):
    """With the present password. Whoever else is signed in as this person is signed out."""

    success_url = reverse_lazy("account")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Mail programs have this password, unless there is a second factor."""
        has_factor = second_factor.main_factors(_person(self.request)).exists()
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"has_second_factor": has_factor}

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        if not form.cleaned_data.get("keep_links"):
            links.end_of_owner(_person(self.request), actor=by(self.request))
        services.disconnect_programs(_person(self.request))
        devices.end_others(_person(self.request), this=self.request.session.session_key, actor=by(self.request))
        return response


class SecondStep(factors.AuthenticateView):
    """The second step of signing in: a code, or a key where the person has one."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | second_factor.kinds_of(self.stage.login.user)


class Factors(factors.IndexView):
    """The factors a person has, and the way to add and remove them."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"needs_second_factor": access.needs_second_factor(_person(self.request))}


class SetUpApp(app.ActivateTOTPView):
    """An app that shows codes: a secret as a picture and as text, then its first code."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        second_factor.note_set_up(self.request)
        return response


class AddKey(keys.AddWebAuthnView):
    """A security key, or a passkey that the device keeps."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | kwargs  # with what is wrong with the form that was sent

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        second_factor.note_set_up(self.request)
        return response


class RemoveKey(keys.RemoveWebAuthnView):
    """Ask, then remove; not the last factor of staff."""

    success_url = reverse_lazy("mfa_index")

    def form_valid(self, form: Any) -> HttpResponse:
        if trouble := second_factor.trouble_with_removing(self.object):
            messages.error(self.request, trouble)
            return redirect("mfa_index")
        response: HttpResponse = super().form_valid(form)
        return response


class KeyAgain(keys.ReauthenticateWebAuthnView):
    """A key before something that matters."""

    def form_invalid(self, form: Any) -> HttpResponse:
        messages.error(self.request, " ".join(form.errors.get("credential", [])))
        return redirect(self.request.get_full_path())


def _person(request: HttpRequest) -> User:
    """Behind `login_required`."""
    if not isinstance(request.user, User):
        raise Http404
    return request.user


def _devices(request: HttpRequest) -> list[devices.Device]:
    return devices.devices_of(_person(request), this=request.session.session_key, now=timezone.now())


change_password = never_cache(ChangePassword.as_view())
second_step = SecondStep.as_view()
factor_list = never_cache(Factors.as_view())
set_up_app = never_cache(SetUpApp.as_view())
remove_app = never_cache(app.deactivate_totp)
add_key = never_cache(AddKey.as_view())
rename_key = keys.EditWebAuthnView.as_view(success_url=reverse_lazy("mfa_index"))
remove_key = RemoveKey.as_view()
recovery_codes = never_cache(codes.view_recovery_codes)
