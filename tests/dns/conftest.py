"""A name server for the folder's tests, and the panel that asks it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from mailboxes.domain_dns import asker
from tests.dns.name_server import Nsd, find_nsd


@pytest.fixture(scope="session")
def nsd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nsd]:
    if find_nsd() is None:
        pytest.fail("tests/dns need Debian's nsd: sh tests/install-debian-packages.sh, as root", pytrace=False)
    folder: Path = tmp_path_factory.mktemp("nsd")
    server = Nsd(folder)
    yield server
    server.stop()


@pytest.fixture
def installed(settings: Settings) -> Settings:
    """A panel at mail.example, which is a host in the zone, too."""
    settings.MX_HOSTS = settings.SENDING_HOSTS = ["mail.example"]
    settings.IMAP_HOST = settings.SUBMISSION_HOST = "mail.example"
    settings.PANEL_URL = "https://panel.example"
    settings.SPF_INCLUDE = settings.DNS_REPORTS_TO = ""
    settings.MTA_STS_MODE = "testing"
    return settings


@pytest.fixture
def zone(nsd: Nsd, installed: Settings) -> Nsd:
    """The panel asks nsd."""
    installed.DNS_SERVER = nsd.address
    return nsd


@pytest.fixture
def silence(installed: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The panel asks a server that takes questions and says nothing; its patience is short."""
    monkeypatch.setattr(asker, "PATIENCE", 0.2)
    monkeypatch.setattr(asker, "DOMAIN_PATIENCE", 0.5)
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        installed.DNS_SERVER = f"127.0.0.1:{udp.getsockname()[1]}"
        yield
