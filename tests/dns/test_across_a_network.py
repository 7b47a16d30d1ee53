"""The policy of MTA-STS read back across a network: from port 443 of public addresses and of no others."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from mailboxes.models import Domain
from tests.dns.name_server import Nsd
from tests.dns.test_policy_file import HOST, WebServer, certificate, says, seen
from tests.dns.test_what_is_there import FIRMA
from tests.network import NAME_SERVER, OURS, PRIVATE, WEB_SERVER, Host, network

HERE = f"mail A {OURS}\npanel A {WEB_SERVER}\n"


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with network() as made:
        yield made


@pytest.fixture(scope="module")
def names(hosts: tuple[Host, Host], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nsd]:
    """The world's name server."""
    server = Nsd(tmp_path_factory.mktemp("nsd"), NAME_SERVER, 53, hosts[1])
    yield server
    server.stop()


@pytest.fixture
def served(
    db: None, hosts: tuple[Host, Host], installed: Settings, names: Nsd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WebServer]:
    """What the panel serves under the domain's name, at every address of the world's host; the panel trusts its CA."""
    installed.DNS_SERVER = names.address
    Domain.objects.create(name=FIRMA)
    answer = Client().get("/.well-known/mta-sts.txt", headers={"host": HOST})
    chain = certificate(tmp_path, HOST, datetime.now(UTC) + timedelta(days=30))
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    what = says("200 OK", answer.content, f"Content-Type: {answer['Content-Type']}")
    server = hosts[1].run(lambda: WebServer(chain, what, ("0.0.0.0", 443)))
    yield server
    server.stop()


def test_what_the_panel_serves_is_read_back_from_its_public_address(
    hosts: tuple[Host, Host], names: Nsd, served: WebServer
) -> None:
    names.publish(f"{HERE}mta-sts.firma CNAME panel\n")
    assert hosts[0].run(seen) == ("ok", "ok")
    assert served.connections == 1


@pytest.mark.parametrize(
    "addresses", [[PRIVATE], [WEB_SERVER, PRIVATE], ["127.0.0.1"], ["169.254.169.254", WEB_SERVER]], ids=" ".join
)
def test_a_zone_that_names_an_address_within_is_followed_to_none(
    hosts: tuple[Host, Host], names: Nsd, served: WebServer, addresses: list[str]
) -> None:
    """Though the file is there, and the host can be reached."""
    names.publish(HERE + "".join(f"mta-sts.firma A {address}\n" for address in addresses))
    assert hosts[0].run(seen) == ("wrong", "private")
    assert served.connections == 0


def test_an_authority_that_nobody_trusts_is_not_believed(
    hosts: tuple[Host, Host], names: Nsd, served: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    names.publish(f"{HERE}mta-sts.firma CNAME panel\n")
    assert hosts[0].run(seen) == ("wrong", "certificate")


def test_a_host_that_is_not_there_is_said_to_be_away(hosts: tuple[Host, Host], names: Nsd, served: WebServer) -> None:
    names.publish(f"{HERE}mta-sts.firma A 192.31.196.99\n")
    assert hosts[0].run(seen) == ("wrong", "away")
