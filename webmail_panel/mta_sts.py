"""The rule that mail to hosted domains comes encrypted (RFC 8461), read by senders at https://mta-sts.DOMAIN.

Asked for under the customers' own names, which do not stand in ALLOWED_HOSTS: so it is answered before Django looks at
the host. It tells nothing but what the settings say, and for hosted domains only.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseNotFound

from mailboxes.domain_dns import checking, expected
from mailboxes.models import Domain

HOST = "mta-sts."
GetResponse = Callable[[HttpRequest], HttpResponse]


class MtaStsMiddleware:
    """Answers for the policy file of every active domain; everything else goes on."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        host = request.META.get("HTTP_HOST", "").partition(":")[0].lower()
        if request.path != expected.MTA_STS_PATH or not host.startswith(HOST):
            return self.get_response(request)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return _policy(host.removeprefix(HOST).rstrip("."))


def _policy(domain: str) -> HttpResponse:
    installation = checking.installation()
    is_ours = len(domain) <= 253 and "\0" not in domain and Domain.objects.filter(name=domain, is_active=True).exists()
    if not installation.mta_sts_mode or not is_ours:
        return HttpResponseNotFound(content_type="text/plain")
    answer = HttpResponse(expected.mta_sts_policy(installation), content_type="text/plain; charset=us-ascii")
    answer["Cache-Control"] = "max-age=3600"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
