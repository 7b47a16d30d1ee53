"""Names of hosted domains under which mail programs ask for their settings: autoconfig.DOMAIN and its kin.

ALLOWED_HOSTS does not know them: they come and go with the domains. So a request under such a name is answered here, by
the few views that are for mail programs, and reaches nothing else: no session, no cookie, no other page.
"""

from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import split_domain_port, validate_host
from django.utils.http import urlencode

from mailboxes.pages import programs_views
from webmail_panel.middleware import CONTENT_SECURITY_POLICY

PREFIXES = ("autoconfig.", "autodiscover.")
JSON_V1 = "/autodiscover/autodiscover.json/v1.0/"
VIEWS: dict[str, Callable[..., HttpResponse]] = {
    "/mail/config-v1.1.xml": programs_views.autoconfig,
    "/.well-known/autoconfig/mail/config-v1.1.xml": programs_views.autoconfig,
    "/.well-known/mail-v1.xml": programs_views.autoconfig,
    "/autodiscover/autodiscover.xml": programs_views.autodiscover,
    "/autodiscover/autodiscover.json": programs_views.autodiscover_json,
}


class HostedNamesMiddleware:
    """First of all: what is not for mail programs goes on as ever, and Django refuses hosts it does not know."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = _view_of(request)
        host, _port = split_domain_port(request.META.get("HTTP_HOST", request.META["SERVER_NAME"]))
        prefix = next((prefix for prefix in PREFIXES if host.startswith(prefix)), "")
        if not prefix and (view is None or validate_host(host, settings.ALLOWED_HOSTS)):
            return self.get_response(request)
        domain = host.removeprefix(prefix).rstrip(".")
        if view is None or not (programs_views.is_hosted(domain) or _comes_by_the_mx(view, request)):
            return _plain(404)
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            return _to_the_panel(request, domain)
        return _with_headers(view(request, hosted=domain) if view is programs_views.autoconfig else view(request))


def _view_of(request: HttpRequest) -> Callable[..., HttpResponse] | None:
    """The view of a mail program's request, whatever the case of its path; the path is in lower case then."""
    path = request.path_info.lower()
    view = VIEWS.get(path)
    if path.startswith(JSON_V1):
        view = partial(programs_views.autodiscover_json, address=path.removeprefix(JSON_V1))
    if view is not None:
        request.path_info = path
    return view


def _comes_by_the_mx(view: Callable[..., HttpResponse], request: HttpRequest) -> bool:
    """Thunderbird found no name of the domain's own, and asks at autoconfig. of where its MX stands (
    draft-ietf-mailmaint-autoconfig, “MX”): one name, and one certificate, for every domain that is hosted here.
    """
    return view is programs_views.autoconfig and programs_views.is_hosted(programs_views.domain_of_address(request))


def _to_the_panel(request: HttpRequest, domain: str) -> HttpResponse:
    """Without TLS nothing is told but where to ask. Few domains have a certificate for these names."""
    query = request.GET.dict() | {"domain": domain}
    return _with_headers(HttpResponseRedirect(f"{settings.PANEL_URL}{request.path_info}?{urlencode(query)}"))


def _plain(status: int) -> HttpResponse:
    return _with_headers(HttpResponse("Not here.\n", status=status, content_type="text/plain; charset=utf-8"))


def _with_headers(response: HttpResponse) -> HttpResponse:
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Length"] = str(len(response.content))
    return response
