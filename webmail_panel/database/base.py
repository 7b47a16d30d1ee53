"""The backend that `ENGINE` names: Django's own, whose connections wait as webmail_panel/database/patience.py says."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base

from webmail_panel.database import patience


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, but for how a connection is made."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection:
        return patience.connect(super().get_new_connection, conn_params)
