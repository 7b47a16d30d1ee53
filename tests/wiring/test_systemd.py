"""The units start commands that exist, as a user of their own, and systemd itself accepts them."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from responders.management.commands.mailconfig import Command as Mailconfig
from tests.wiring.commands import ROOT, assert_understood

FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
SERVICES = [unit for unit in UNITS if unit.stem != "webmail-panel-backup"]
# As `systemd-analyze security` counts: 0 is locked away, 10 may do anything. Root's own backup reads every file.
EXPOSURE_AT_MOST = {unit.stem: 1.2 for unit in SERVICES} | {"webmail-panel-backup": 1.9}


def directives(unit: Path) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE))


def test_there_is_a_unit_for_every_service() -> None:
    names = [unit.stem.removeprefix("webmail-panel-") for unit in UNITS]
    assert names == ["backup", "beat", "hook", "rehash", "sign-ins", "web", "worker"]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_its_command_exists(unit: Path) -> None:
    assert_understood(directives(unit)["ExecStart"].split())


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_it_may_do_little(unit: Path) -> None:
    found = directives(unit)
    assert found["User"] == "webmail-panel"
    assert found["NoNewPrivileges"] == "yes"
    assert found["ProtectSystem"] == "strict"
    assert found["CapabilityBoundingSet"] == ""


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_it_comes_back_however_often_it_ends_and_cannot_eat_the_machine(unit: Path) -> None:
    found = directives(unit)
    assert (found["Restart"], found["StartLimitIntervalSec"]) == ("always", "0")
    assert int(found["TasksMax"]) > 0
    assert re.fullmatch(r"\d+[MG]", found["MemoryMax"])


def test_dovecot_hands_old_hashes_over_where_the_unit_listens() -> None:
    command = Mailconfig().create_parser("manage.py", "mailconfig").parse_args(["dovecot", "--output=/etc/dovecot"])
    found = directives(FOLDER / "webmail-panel-rehash.service")
    assert found["ExecStart"].endswith(f" --listen {command.rehash_socket}")
    assert command.rehash_socket.startswith(f"/run/{found['RuntimeDirectory']}/")
    assert found["RuntimeDirectoryMode"] == "0700"


def test_a_backup_is_made_every_night_by_the_script() -> None:
    backup = directives(FOLDER / "webmail-panel-backup.service")
    program = ROOT / backup["ExecStart"].removeprefix("/opt/webmail-panel/")
    assert os.access(program, os.X_OK)
    assert backup["CapabilityBoundingSet"] == "CAP_DAC_READ_SEARCH"
    assert directives(FOLDER / "webmail-panel-backup.timer")["OnCalendar"] == "*-*-* 02:20"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_its_exposure_stays_small(unit: Path) -> None:
    assert exposure(unit) <= EXPOSURE_AT_MOST[unit.stem]


def test_an_exposed_unit_would_be_seen(tmp_path: Path) -> None:
    bare = tmp_path / "webmail-panel-web.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    assert exposure(bare) > 9


def test_the_documentation_tells_the_exposure_of_each() -> None:
    text = (ROOT / "docs" / "operate" / "services.md").read_text()
    told = {unit: float(number) for unit, number in re.findall(r"^\| `([\w-]+)` \| ([0-9.]+) \|", text, re.MULTILINE)}
    assert told == {unit.stem: exposure(unit) for unit in UNITS}


def exposure(unit: Path) -> float:
    said = analyze("security", "--offline=yes", str(unit)).stdout
    return float(re.findall(r"exposure level for \S+: ([0-9.]+)", said)[0])


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """systemd's own look at files; no systemd need run."""
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_systemd_accepts_them(tmp_path: Path) -> None:
    for unit in [*UNITS, *FOLDER.glob("*.timer")]:
        text = re.sub(r"/opt/webmail-panel/(\.venv|deploy)/bin/\w+", "/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text.replace("User=webmail-panel", "User=root"))
    finished = analyze("verify", "--man=no", *sorted(str(path) for path in tmp_path.iterdir()))
    assert (finished.returncode, finished.stderr) == (0, "")
