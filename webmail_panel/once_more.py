"""Two people take one thing at the same moment: an address, a number, a name. The database lets one of them have it."""

from collections.abc import Callable
from typing import cast

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from mailboxes.races import somebody_was_faster

GetResponse = Callable[[HttpRequest], HttpResponse]


class OnceMoreMiddleware:
    """What was sent a moment too late is taken once more, as the person would send it again.

    Now the form sees what the other one did, and its own sentence stands beside the field. So no page has to know the
    database's constraints by name. The first try was rolled back whole (ATOMIC_REQUESTS); what the database refuses
    twice is a fault of ours.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        match = request.resolver_match
        if request.method != "POST" or match is None or not somebody_was_faster(error):
            return None
        for _name, files in request.FILES.lists():
            for file in files:
                file.seek(0)
        with transaction.atomic():
            return cast("HttpResponse", match.func(request, *match.args, **match.kwargs))
