"""Changes of many mailboxes in steps so small that a test has several of them."""

from dataclasses import replace

import pytest

from responders.many import batches


def in_steps_of(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OF_RESPONDERS", "OF_ADDRESSES"):
        monkeypatch.setattr(batches, name, replace(getattr(batches, name), at_once=number))
