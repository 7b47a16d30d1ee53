"""What the hook tells Prometheus, and that the alert rules ask for nothing else."""

import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.test import Client
from pytest_django import Settings

from responders.hook.metrics import Metrics
from responders.models import Responder
from tests.lmtp.parts import SENDER, copy, message
from tests.lmtp.parts import Client as LmtpClient
from tests.lmtp.test_lmtpd import Start, start  # noqa: F401 (a fixture)
from webmail_panel.embedded import PANEL_ROLE
from webmail_panel.metrics import QUESTIONS

STEPS = ("load", "claim", "submit", "record")


def values(text: str) -> dict[str, float]:
    """Name with labels → value."""
    rows = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in rows}


def test_a_hook_counts_and_times_what_it_does(start: Start, standing_reply: Responder) -> None:  # noqa: F811
    program = start()
    with LmtpClient(program.port) as client:
        for extra in ("", "", "List-Id: x\r\n"):
            client.deliver(SENDER, [copy("anna@firma.example")], message(extra=extra))
        page = urllib.request.urlopen(f"http://127.0.0.1:{program.health_port}/metrics").read().decode()
    found = values(page)
    decided = {name: value for name, value in found.items() if name.startswith("webmail_panel_hook_decisions_total")}
    assert decided == {
        'webmail_panel_hook_decisions_total{reason="replied"}': 1,
        'webmail_panel_hook_decisions_total{reason="already-replied"}': 1,
        'webmail_panel_hook_decisions_total{reason="list-or-bulk"}': 1,
    }
    assert found["webmail_panel_hook_delivery_seconds_count"] == 3
    steps = {step: found[f'webmail_panel_hook_step_seconds_count{{step="{step}"}}'] for step in STEPS}
    loads = steps.pop("load")
    assert 2 <= loads <= 4  # in quiet times the list's message is looked up, too, and the repeat twice
    assert steps == {"claim": 1, "submit": 1, "record": 3}
    assert found["webmail_panel_hook_connections"] == 1
    assert found["webmail_panel_hook_copy_age_seconds_count"] == 3
    assert found["process_resident_memory_bytes"] > 10_000_000
    assert "@" not in page


def test_what_was_deferred_is_counted_by_its_cause(start: Start, standing_reply: Responder) -> None:  # noqa: F811
    program = start(relay_url="smtp://127.0.0.1:1")
    with LmtpClient(program.port) as client:
        client.deliver(SENDER, [copy("anna@firma.example")], message())
    page = urllib.request.urlopen(f"http://127.0.0.1:{program.health_port}/metrics").read().decode()
    assert values(page)['webmail_panel_hook_deferred_total{cause="relayunavailable"}'] == 1


def test_the_panels_page_is_open_to_those_with_the_token_alone(
    client: Client, settings: Settings, standing_reply: Responder, plain_static_files: None
) -> None:
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 404
    settings.METRICS_TOKEN = "s3cret"
    for given in ("", "Bearer", "Bearer x", "s3cretx"):
        assert client.get("/metrics", headers={"authorization": given}).status_code == 404
    page = client.get("/metrics", headers={"authorization": "Bearer s3cret"})
    found = values(page.text)
    assert set(found) == {f"webmail_panel_{name}" for name in [*QUESTIONS, "beat_alive"]}
    assert found["webmail_panel_responders_active"] == 1


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Every name that exists, as Prometheus stores them."""
    names = set(re.findall(r"^# TYPE (\S+)", Metrics().text().decode(), re.MULTILINE))
    hook = {form for name in names for form in (name, f"{name}_bucket", f"{name}_count", f"{name}_sum")}
    return hook | {f"webmail_panel_{name}" for name in [*QUESTIONS, "beat_alive"]}


def rules() -> list[dict[str, Any]]:
    path = Path(settings.BASE_DIR) / "deploy/prometheus/rules.yml"
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is(rule: dict[str, Any], known: set[str]) -> None:
    asked = set(re.findall(r"\b(?:webmail_panel|process)_\w+", rule["expr"]))
    assert asked or "up{" in rule["expr"]
    assert asked <= known
    assert rule["annotations"]["summary"]


def test_every_name_is_explained_to_the_operator(known: set[str]) -> None:
    page = (Path(settings.BASE_DIR) / "docs/operate.md").read_text()
    explained = set(re.findall(r"`((?:webmail_panel|process)_\w+?)(?:\{\w+\})?`", page)) - {PANEL_ROLE}
    assert explained <= known
    assert {
        name for name in known if re.match(r"webmail_panel_(?!.*_(?:bucket|count|sum|created)$)", name)
    } <= explained
