"""What every page knows."""

from django.conf import settings
from django.http import HttpRequest


def demo(_request: HttpRequest) -> dict[str, bool]:
    """Whether the replies that the demo relay keeps can be looked at."""
    return {"debug_outbox": settings.DEBUG}
