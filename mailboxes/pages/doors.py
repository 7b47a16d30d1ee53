"""Who comes in to a page; for everybody else there is none."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_http_methods

from mailboxes.access import AnyUser

View = Callable[..., HttpResponseBase]


def only_for(allowed: Callable[[AnyUser], bool]) -> Callable[[View], View]:
    """For whoever is allowed, one of `access`; a page to look at and to send a form to."""

    def decorate(view: View) -> View:
        @require_http_methods(["GET", "HEAD", "POST"])
        @login_required
        @wraps(view)
        def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if not allowed(request.user):
                raise Http404
            return view(request, *args, **kwargs)

        return wrapped

    return decorate
