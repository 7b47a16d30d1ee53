"""Settings for mail programs: what the programs ask for themselves, and a page for the person who sets one up."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from mailboxes import access, addresses, profiles, programs
from mailboxes.models import Domain, Mailbox

PROFILE_TYPE = "application/x-apple-aspen-config"


@require_safe
def autoconfig(request: HttpRequest, hosted: str = "") -> HttpResponse:
    """Thunderbird's file, by the domain of `emailaddress`, else by `hosted`, the domain whose name was asked."""
    domain = domain_of_address(request) or hosted or request.GET.get("domain", "")
    if not is_hosted(domain):
        return HttpResponse("No such domain here.\n", status=404, content_type="text/plain; charset=utf-8")
    response = HttpResponse(programs.thunderbird(profiles.servers(), domain), content_type="application/xml")
    response["Cache-Control"] = "public, max-age=3600"
    return response


def domain_of_address(request: HttpRequest) -> str:
    """Of `emailaddress`, in normal form; empty where none was sent."""
    address = addresses.normal_form_or_none(request.GET.get("emailaddress", ""))
    return address.rpartition("@")[2] if address else ""


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def autodiscover(request: HttpRequest) -> HttpResponse:
    """Outlook's question and answer in XML. A question that is none is told so, as its protocol says, with 200."""
    try:
        answer = programs.outlook(profiles.servers(), _asked(request))
    except programs.RequestError as error:
        answer = programs.outlook_error(error, f"{timezone.now():%H:%M:%S}")
    response = HttpResponse(answer, content_type="application/xml")
    response["Cache-Control"] = "no-store"
    return response


def _asked(request: HttpRequest) -> str:
    """The address, of a domain of ours. Raises RequestError."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > programs.MAX_REQUEST_OCTETS:
        raise programs.RequestError(programs.BAD_REQUEST)
    address = programs.asked_by_outlook(request.body)
    if not is_hosted(address.rpartition("@")[2]):
        raise programs.RequestError(programs.NOT_FOUND)
    return address


@require_safe
def autodiscover_json(request: HttpRequest, **_address: str) -> HttpResponse:
    """Outlook's newer question, in JSON: it only asks where the older one is answered."""
    asked = {name.lower(): str(value) for name, value in request.GET.items()}  # Exchange takes any case
    if asked.get("protocol", "").lower() != "autodiscoverv1":
        words = {"ErrorCode": "InvalidProtocol", "ErrorMessage": "Only AutodiscoverV1 is served here."}
        return JsonResponse(words, status=400)
    return JsonResponse({"Protocol": "AutodiscoverV1", "Url": f"{settings.PANEL_URL}{reverse('autodiscover')}"})


def is_hosted(domain: str) -> bool:
    """Whether the domain, in normal form, is one of ours; nothing is said about mailboxes."""
    try:
        is_normal = addresses.normalise_domain(domain) == domain
    except addresses.AddressError:
        return False
    return is_normal and Domain.objects.filter(name=domain, deleted_at=None).exists()


@never_cache
@require_safe
@login_required
def mailbox_programs(request: HttpRequest, pk: int) -> HttpResponse:
    """Names, ports and user name in plain words; a profile, and a picture that brings it to a phone."""
    mailbox = _mailbox(request, pk)
    context = _page(mailbox) | {
        "picture": profiles.picture_of(profiles.link_for(mailbox)),
        "is_own": mailbox.owner_id == request.user.pk,
        "needs_app_password": mailbox.owner is not None and access.has_second_factor(mailbox.owner),
        "minutes": profiles.LINK_SECONDS // 60,
    }
    return render(request, "mailboxes/programs.html", context)


@never_cache
@require_safe
@login_required
def mailbox_profile(request: HttpRequest, pk: int) -> HttpResponse:
    """The .mobileconfig."""
    return _profile(_mailbox(request, pk))


@never_cache
@require_safe
def program_link(request: HttpRequest, token: str) -> HttpResponse:
    """What the picture leads to: the same data on the phone, without signing in, for a quarter of an hour."""
    mailbox = profiles.mailbox_of(token)
    if mailbox is None:
        return render(request, "mailboxes/program_link.html", status=410)
    return render(request, "mailboxes/program_link.html", _page(mailbox) | {"token": token})


@never_cache
@require_safe
def program_link_profile(request: HttpRequest, token: str) -> HttpResponse:
    """The .mobileconfig, by the same link."""
    mailbox = profiles.mailbox_of(token)
    if mailbox is None:
        return render(request, "mailboxes/program_link.html", status=410)
    return _profile(mailbox)


def _mailbox(request: HttpRequest, pk: int) -> Mailbox:
    mailbox: Mailbox = get_object_or_404(access.mailboxes_to_set_up(request.user).select_related("owner"), pk=pk)
    return mailbox


def _page(mailbox: Mailbox) -> dict[str, Any]:
    return {"mailbox": mailbox, "servers": profiles.servers(), "is_signed": profiles.signs()}


def _profile(mailbox: Mailbox) -> HttpResponse:
    if not mailbox.is_active:
        raise Http404
    response = HttpResponse(profiles.profile_of(mailbox), content_type=PROFILE_TYPE)
    response["Content-Disposition"] = content_disposition_header(True, f"{mailbox.address}.mobileconfig") or ""
    return response
