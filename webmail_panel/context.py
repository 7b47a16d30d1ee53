"""What every page knows."""

from django.conf import settings
from django.http import HttpRequest

from mailboxes import access


def demo(_request: HttpRequest) -> dict[str, bool]:
    """Whether the replies that the demo relay keeps can be looked at."""
    return {"debug_outbox": settings.DEBUG}


def roles(request: HttpRequest) -> dict[str, bool]:
    """Whether the head of the page leads to support's own pages."""
    user = getattr(request, "user", None)
    return {"works_in_support": user is not None and access.is_support(user)}
