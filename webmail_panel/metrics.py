"""What the panel tells Prometheus: the state of the work, asked of the database when somebody looks.

The hook has its own at its health port (`responders/hook/metrics.py`); this page is closed unless METRICS_TOKEN is set.
"""

from collections.abc import Iterable

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from webmail_panel.health import BEAT_SIGN_OF_LIFE

# Name → what it means, and how to ask. Each looks into an index.
QUESTIONS = {
    "responders_active": (
        "Responders that the clock says are active",
        "SELECT count(*) FROM responders_responder WHERE is_enabled AND state = 'active'",
    ),
    "transitions_overdue": (
        "Responders whose change of state is late by more than a minute",
        "SELECT count(*) FROM responders_responder WHERE next_transition_at < panel_now() - interval '1 minute'",
    ),
    "brakes_drawn": (
        "Mailboxes and domains whose brake silenced a message within the last hour",
        "SELECT count(*) FROM responders_drawnbrake WHERE last_at > panel_now() - interval '1 hour'",
    ),
    "quarantined_messages": (
        "Messages on which the hook failed, kept for the operator",
        "SELECT count(*) FROM responders_quarantinedmessage",
    ),
}


class PanelCollector(Collector):
    """Asks when Prometheus does."""

    def collect(self) -> Iterable[Metric]:
        """One gauge for each question, and whether beat is alive."""
        with connection.cursor() as cursor:
            for name, (meaning, question) in QUESTIONS.items():
                cursor.execute(question)
                yield GaugeMetricFamily(f"webmail_panel_{name}", meaning, value=cursor.fetchone()[0])
        yield GaugeMetricFamily(
            "webmail_panel_beat_alive", "Whether a periodic task ran within the last minute",
            value=int(bool(cache.get(BEAT_SIGN_OF_LIFE))),
        )  # fmt: skip


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For a request with `Authorization: Bearer` and the token; for all others there is no such page."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not settings.METRICS_TOKEN or not constant_time_compare(given, settings.METRICS_TOKEN):
        raise Http404
    registry = CollectorRegistry()
    registry.register(PanelCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
