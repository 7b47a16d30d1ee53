"""The MTA-STS policy, fetched back as senders do: from the right address, with a certificate, and not for long."""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.test import Client

from mailboxes.domain_dns import checking, fetcher
from mailboxes.domain_dns.expected import mta_sts_policy
from mailboxes.models import Domain
from tests.dns.name_server import Nsd
from tests.dns.test_what_is_there import FIRMA, HOSTS, look, published_by_the_book

HOST = f"mta-sts.{FIRMA}"
HERE = HOSTS.replace("panel A 192.0.2.1", "panel A 127.0.0.1")
Answer = Callable[[ssl.SSLSocket], None]


def certificate(folder: Path, name: str, until: datetime) -> Path:
    """Of an authority that nobody but us knows: itself."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(until - timedelta(days=90))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}-{until:%Y}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


class WebServer:
    """Takes connections, on 127.0.0.1 where nothing else is said, and answers as told."""

    def __init__(self, chain: Path, answer: Answer, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(chain)
        self._answer, self.connections = answer, 0
        self._socket = socket.create_server(address)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _address = self._socket.accept()
                self.connections += 1
                with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as tls:
                    self._answer(tls)

    def stop(self) -> None:
        with contextlib.suppress(OSError):  # twice is once
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(20)


def says(status: str, body: bytes, *fields: str) -> Answer:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *fields])

    def answer(tls: ssl.SSLSocket) -> None:
        tls.recv(4096)
        tls.sendall(f"{head}\r\n\r\n".encode() + body)

    return answer


def drips(tls: ssl.SSLSocket) -> None:
    """A field of the answer now and then, so that no single wait is long."""
    tls.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(1200):
        tls.sendall(f"X-{number}: x\r\n".encode())
        time.sleep(0.05)


def says_nothing(tls: ssl.SSLSocket) -> None:
    tls.settimeout(60)
    while tls.recv(4096):  # until we are left
        pass


Serve = Callable[..., WebServer]


@pytest.fixture
def serve(zone: Nsd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """A web server that the panel's name leads to; this address of all is let be one of the world's."""
    running: list[WebServer] = []

    def start(answer: Answer, name: str = HOST, until: datetime | None = None) -> WebServer:
        chain = certificate(tmp_path, name, until or datetime.now(UTC) + timedelta(days=30))
        server = WebServer(chain, answer)
        running.append(server)
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
        monkeypatch.setattr(fetcher, "PORT", server.port)
        return server

    monkeypatch.setattr(fetcher, "is_public", lambda text: ipaddress.ip_address(text).is_loopback)
    zone.publish(HERE + "mta-sts.firma CNAME panel\n")
    yield start
    for server in running:
        server.stop()


def seen() -> tuple[str, str]:
    finding = look()["mta-sts-file"]
    return finding.state.value, finding.reason


def ours() -> bytes:
    return mta_sts_policy(checking.installation()).encode()


def test_our_own_rule_is_read(serve: Serve) -> None:
    serve(says("200 OK", ours(), "Content-Type: text/plain; charset=us-ascii"))
    assert seen() == ("ok", "ok")


@pytest.mark.django_db
def test_what_the_panel_serves_is_what_it_wants_to_read(serve: Serve) -> None:
    Domain.objects.create(name=FIRMA)
    served = Client().get("/.well-known/mta-sts.txt", headers={"host": HOST})
    serve(says("200 OK", served.content, f"Content-Type: {served['Content-Type']}"))
    assert seen() == ("ok", "ok")


@pytest.mark.parametrize(
    ("status", "body", "fields", "reason"),
    [
        ("404 Not Found", b"", [], "not-there"),
        ("301 Moved", b"", ["Location: https://mta-sts.firma.example/elsewhere"], "not-there"),
        ("200 OK", b"version: STSv1\r\nmode: none\r\nmax_age: 1\r\n", ["Content-Type: text/plain"], "other"),
        ("200 OK", None, ["Content-Type: text/html"], "other"),
        ("200 OK", b"x" * 70_000, ["Content-Type: text/plain"], "other"),
        ("200 OK", b"\0\xff" * 9, ["Content-Type: text/plain"], "other"),
        ("nonsense", b"", [], "away"),
    ],
)
def test_what_else_stands_there(serve: Serve, status: str, body: bytes | None, fields: list[str], reason: str) -> None:
    server = serve(says(status, ours() if body is None else body, *fields))
    assert seen() == ("wrong", reason)
    assert server.connections == 1  # nobody is followed elsewhere


def test_a_certificate_of_another_name_or_of_the_past_is_not_believed(serve: Serve) -> None:
    answer = says("200 OK", ours(), "Content-Type: text/plain")
    serve(answer, name="other.example")
    assert seen() == ("wrong", "certificate")
    serve(answer, until=datetime.now(UTC) - timedelta(days=1))
    assert seen() == ("wrong", "certificate")


def test_a_certificate_of_an_authority_that_nobody_knows_is_not_believed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(says("200 OK", ours(), "Content-Type: text/plain"))
    monkeypatch.delenv("SSL_CERT_FILE")
    assert seen() == ("wrong", "certificate")


def test_nobody_there_is_said(serve: Serve) -> None:
    serve(says("200 OK", ours())).stop()
    assert seen() == ("wrong", "away")


@pytest.mark.parametrize("answer", [drips, says_nothing])
def test_a_server_that_takes_its_time_is_left(serve: Serve, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "PATIENCE", 0.6)
    serve(answer)
    begun = time.monotonic()
    assert fetcher.fetch(HOST, ("127.0.0.1",)).trouble == "away"
    assert time.monotonic() - begun < 20  # of the minute that either would go on


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "100.64.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_no_address_that_is_not_the_worlds_is_gone_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_anywhere: object, **_how: object) -> socket.socket:
        raise AssertionError("somebody was called")

    monkeypatch.setattr(socket, "create_connection", connect)
    assert fetcher.fetch(HOST, (address,)).trouble == "private"
    assert fetcher.fetch(HOST, ("1.1.1.1", address)).trouble == "private"


def test_a_zone_cannot_send_the_panel_into_its_own_house(
    zone: Nsd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = WebServer(certificate(tmp_path, HOST, datetime.now(UTC) + timedelta(days=1)), drips)
    monkeypatch.setattr(fetcher, "PORT", server.port)
    zone.publish(HERE + "mta-sts.firma A 127.0.0.1\n")
    try:
        assert seen() == ("wrong", "private")
        assert server.connections == 0
    finally:
        server.stop()


def test_all_that_the_panel_asks_for_is_right_once_it_is_published(serve: Serve, zone: Nsd) -> None:
    serve(says("200 OK", ours(), "Content-Type: text/plain"))
    zone.publish(HERE + published_by_the_book())
    assert {finding.state.value for finding in look().values()} == {"ok"}
