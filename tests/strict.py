"""Loaded by pytest (`-p tests.strict`): in CI a skipped test is a failure, for it has shown nothing."""

import os

import pytest


class _Strict:
    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for node in self.skipped:
            terminalreporter.write_line(f"SKIPPED IN CI, which counts as failed: {node}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """The controller of pytest-xdist hears of every test; its workers need not judge."""
    if os.environ.get("CI") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Strict(), "strict")
