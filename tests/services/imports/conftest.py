"""Imports happen on 27 November 2026."""

from collections.abc import Callable
from datetime import datetime

import pytest


@pytest.fixture(autouse=True)
def _now(request: pytest.FixtureRequest) -> None:
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        clock: Callable[[datetime | None], None] = request.getfixturevalue("database_clock")
        clock(datetime.fromisoformat("2026-11-27T12:00:00+01:00"))
