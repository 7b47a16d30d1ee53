"""The units start commands that exist, as a user of their own, and systemd itself accepts them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.wiring.commands import ROOT, assert_understood

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def directives(unit: Path) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE))


def test_there_is_a_unit_for_every_service() -> None:
    assert [unit.stem.removeprefix("webmail-panel-") for unit in UNITS] == ["beat", "hook", "web", "worker"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_its_command_exists(unit: Path) -> None:
    assert_understood(directives(unit)["ExecStart"].split())


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_may_do_little(unit: Path) -> None:
    found = directives(unit)
    assert found["User"] == "webmail-panel"
    assert found["NoNewPrivileges"] == "yes"
    assert found["ProtectSystem"] == "strict"
    assert found["CapabilityBoundingSet"] == ""


def test_systemd_accepts_them(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        return  # a container without systemd; the directives are tested above
    for unit in UNITS:
        text = re.sub(r"/opt/webmail-panel/\.venv/bin/\w+", "/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text.replace("User=webmail-panel", "User=root"))
    finished = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.glob("*.service")))],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (finished.returncode, finished.stderr) == (0, "")
