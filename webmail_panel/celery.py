"""The Celery application; `responders.tasks` and `mailboxes.tasks` hold what it runs."""

import logging
import os
from typing import Any

from celery import Celery, Task
from django.db import InterfaceError, OperationalError

log = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webmail_panel.settings")


class PanelTask(Task):  # type: ignore[misc]  # Celery comes without types
    """What fails for want of a database is due again soon: a line says so each time, and no trace of calls."""

    throws = (OperationalError, InterfaceError)

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        if isinstance(exc, self.throws):
            words = " ".join(str(exc).split())
            # With a state it is an answer of the database, perhaps to a fault of ours.
            log.warning("%s failed: %s", self.name, words, exc_info=exc if _is_answer(exc) else None)
        super().on_failure(exc, task_id, args, kwargs, einfo)


def _is_answer(error: Exception) -> bool:
    """Whether a database said it that goes on working (PostgreSQL's manual, appendix A: 57P is a shutdown)."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state is not None and not state.startswith(("08", "57P"))


app = Celery("webmail_panel", task_cls=PanelTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
