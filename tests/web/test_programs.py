"""Settings for mail programs: asked for under the names of hosted domains, and on the page of a mailbox."""

import plistlib
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from allauth.mfa.models import Authenticator
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from django.core import signing
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from mailboxes import profiles, programs
from mailboxes.models import Delegation, Domain, Mailbox, User
from tests.core.test_programs import question

CONFIG, WELL_KNOWN = "/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"
DISCOVER = "/autodiscover/autodiscover.xml"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _panel(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["panel.example", "testserver"]
    settings.PANEL_URL = "https://panel.example"
    settings.IMAP_HOST = settings.SUBMISSION_HOST = "mail.panel.example"


def get(path: str, host: str, **extra: Any) -> HttpResponse:
    return Client().get(path, HTTP_HOST=host, **extra)


def discover(body: bytes, host: str = "autodiscover.firma.example", path: str = DISCOVER) -> HttpResponse:
    client = Client(enforce_csrf_checks=True)
    return client.post(path, body, content_type="text/xml", HTTP_HOST=host)


def error_code(answer: HttpResponse) -> str | None:
    assert answer.status_code == 200
    return ET.fromstring(answer.content).findtext("{*}Response/{*}Error/{*}ErrorCode")


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("autoconfig.firma.example", CONFIG), ("AutoConfig.Firma.Example:443", CONFIG),
        ("autoconfig.firma.example.", CONFIG), ("firma.example", WELL_KNOWN), ("autoconfig.firma.example", WELL_KNOWN),
        ("autoconfig.firma.example", CONFIG + "?emailaddress=anna@firma.example"),
        ("panel.example", CONFIG + "?emailaddress=anna%40Firma.Example"),
        ("panel.example", CONFIG + "?domain=firma.example"),
        ("panel.example", WELL_KNOWN + "?emailaddress=nobody@firma.example"),
        # By the MX, which is all that the domain's DNS says: mail.hosting.example.
        ("autoconfig.hosting.example", CONFIG + "?emailaddress=anna%40firma.example"),
        ("autoconfig.mail.hosting.example:443", CONFIG + "?emailaddress=nobody@FIRMA.example"),
        ("autoconfig.firma.example", "/.well-known/mail-v1.xml?emailaddress=anna@firma.example"),
        ("firma.example", "/.well-known/mail-v1.xml"),
    ],
)  # fmt: skip
def test_thunderbird_finds_its_file_under_every_name(mailbox: Mailbox, host: str, path: str) -> None:
    answer = get(path, host)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/xml"
    assert answer["Cache-Control"] == "public, max-age=3600"
    assert answer["Content-Length"] == str(len(answer.content))
    root = ET.fromstring(answer.content)
    assert root.findtext("emailProvider/domain") == "firma.example"
    assert root.findtext("emailProvider/incomingServer/hostname") == "mail.panel.example"
    assert not answer.cookies


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("autoconfig.other.example", CONFIG, 404), ("autoconfig.", CONFIG, 404), ("autoconfig.firma.example", "/", 404),
        ("autodiscover.firma.example", "/sign-in/", 404), ("autoconfig.firma.example", "/admin/", 404),
        ("autoconfig.firma.example", "/healthz", 404), ("autoconfig.firma.example", "/static/panel/panel.css", 404),
        ("firma.example", "/", 400), ("firma.example", "/sign-in/", 400), ("other.example", WELL_KNOWN, 404),
        ("fi rma.example", WELL_KNOWN, 404), ("", WELL_KNOWN, 404),
        ("autoconfig.autoconfig.firma.example", CONFIG, 404),
        ("panel.example", CONFIG, 404), ("panel.example", CONFIG + "?emailaddress=anna@other.example", 404),
        ("autoconfig.firma.example", CONFIG + "?emailaddress=anna@other.example", 404),
        ("panel.example", CONFIG + "?emailaddress=%00@firma.example", 404),
        ("autoconfig.hosting.example", CONFIG + "?emailaddress=anna@other.example", 404),
        ("autoconfig.hosting.example", CONFIG + "?domain=firma.example", 404),
        ("autoconfig.hosting.example", "/sign-in/?emailaddress=anna@firma.example", 404),
        ("autodiscover.hosting.example", DISCOVER + "?emailaddress=anna@firma.example", 404),
    ],
)  # fmt: skip
def test_nothing_else_is_there(mailbox: Mailbox, host: str, path: str, status: int) -> None:
    assert get(path, host).status_code == status


def test_a_host_that_the_operator_allowed_by_a_pattern_still_reaches_only_these_views(
    mailbox: Mailbox, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = [".firma.example"]
    assert get("/sign-in/", "panel.firma.example").status_code == 200
    assert get("/sign-in/", "autoconfig.firma.example").status_code == 404
    assert get(CONFIG, "autoconfig.firma.example").status_code == 200


@pytest.mark.parametrize("path", [DISCOVER, "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"])
@pytest.mark.parametrize("host", ["autodiscover.firma.example", "firma.example", "panel.example"])
def test_outlook_is_answered_without_a_token_however_it_writes_the_path(mailbox: Mailbox, host: str, path: str) -> None:
    answer = discover(question(), host, path)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    root = ET.fromstring(answer.content)
    assert root.findtext("{*}Response/{*}Account/{*}Protocol/{*}LoginName") == "anna@firma.example"
    assert not answer.cookies


def test_what_outlook_gets_instead(mailbox: Mailbox) -> None:
    assert error_code(discover(question("anna@other.example"))) == "500"
    assert error_code(discover(b"<a/>")) == "600"
    assert error_code(discover(b"")) == "600"
    assert error_code(discover(question() + b" " * programs.MAX_REQUEST_OCTETS)) == "600"
    assert error_code(get(DISCOVER, "autodiscover.firma.example")) == "600"
    assert (
        error_code(discover(question(schema="http://schemas.microsoft.com/x/mobilesync/responseschema/2006"))) == "601"
    )
    assert Client().put(DISCOVER, HTTP_HOST="autodiscover.firma.example").status_code == 405


def test_nobody_learns_whether_a_mailbox_exists(mailbox: Mailbox) -> None:
    there, not_there = discover(question()), discover(question("nobody@firma.example"))
    assert there.content.replace(b"anna@", b"nobody@") == not_there.content
    paths = [f"{CONFIG}?emailaddress={name}@firma.example" for name in ("anna", "nobody")]
    assert len({get(path, "autoconfig.firma.example").content for path in paths}) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/autodiscover/autodiscover.json?Email=anna@firma.example&",
        "/Autodiscover/Autodiscover.json/v1.0/anna@firma.example?",
    ],
)
@pytest.mark.parametrize("host", ["autodiscover.firma.example", "panel.example"])
def test_outlooks_newer_question_leads_to_the_older_one(mailbox: Mailbox, host: str, path: str) -> None:
    answer = get(f"{path}Protocol=AutodiscoverV1", host)
    assert answer.json() == {"Protocol": "AutodiscoverV1", "Url": f"https://panel.example{DISCOVER}"}
    assert get(f"{path}protocol=autodiscoverv1", host).json() == answer.json()
    refused = get(f"{path}Protocol=ActiveSync", host)
    assert (refused.status_code, refused.json()["ErrorCode"]) == (400, "InvalidProtocol")


def test_without_tls_a_program_is_only_told_where_to_ask(mailbox: Mailbox, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    answer = get(CONFIG, "autoconfig.firma.example")
    assert answer["Location"] == f"https://panel.example{CONFIG}?domain=firma.example"
    answer = get("/AutoDiscover/Autodiscover.xml?x=a&b", "autodiscover.firma.example")
    assert (answer.status_code, answer["Location"]) == (
        302,
        f"https://panel.example{DISCOVER}?x=a&b=&domain=firma.example",
    )
    assert get(CONFIG, "autoconfig.firma.example", secure=True).status_code == 200
    assert get(CONFIG, "autoconfig.other.example").status_code == 404


# --- The page ---


def page_of(mailbox: Mailbox) -> str:
    return reverse("mailbox_programs", args=[mailbox.pk])


def test_the_page_says_everything_in_plain_words(as_anna: Client, mailbox: Mailbox) -> None:
    answer = as_anna.get(page_of(mailbox))
    page = answer.content.decode()
    for words in (
        "mail.panel.example",
        "<code>993</code>",
        "<code>465</code>",
        "<code>587</code>",
        "anna@firma.example",
    ):
        assert words in page
    assert "no-store" in answer["Cache-Control"]
    assert reverse("app_passwords", args=[mailbox.pk]) in page
    assert "not signed" in page


def test_a_second_factor_asks_for_a_password_of_its_own(as_anna: Client, mailbox: Mailbox, anna: User) -> None:
    Authenticator.objects.create(user=anna, type=Authenticator.Type.TOTP, data={})
    assert "make a password for each program" in as_anna.get(page_of(mailbox)).content.decode()


def test_others_are_told_of_the_owners_second_factor_and_get_no_link(
    as_support: Client, mailbox: Mailbox, anna: User
) -> None:
    Authenticator.objects.create(user=anna, type=Authenticator.Type.TOTP, data={})
    page = as_support.get(page_of(mailbox)).content.decode()
    assert "that the owner makes" in page
    assert reverse("app_passwords", args=[mailbox.pk]) not in page


@pytest.mark.parametrize("changes", [{"is_active": False}, {"owner": None}])
def test_a_mailbox_that_nobody_signs_in_to_says_so(
    as_support: Client, mailbox: Mailbox, changes: dict[str, Any]
) -> None:
    Mailbox.objects.update(**changes)
    assert "no program signs in" in as_support.get(page_of(mailbox)).content.decode()


def test_a_delegate_has_no_way_into_the_mail(mailbox: Mailbox, client: Client) -> None:
    delegate = User.objects.create_user("ewa@firma.example")
    Delegation.objects.create(mailbox=mailbox, user=delegate)
    client.force_login(delegate)
    assert client.get(reverse("mailbox", args=[mailbox.pk])).status_code == 200
    assert client.get(page_of(mailbox)).status_code == 404
    assert client.get(reverse("mailbox_profile", args=[mailbox.pk])).status_code == 404


def test_the_link_in_the_picture_leads_a_phone_to_its_profile_without_signing_in(mailbox: Mailbox) -> None:
    link = urlsplit(profiles.link_for(mailbox))
    assert (link.scheme, link.netloc) == ("https", "panel.example")
    phone = Client()
    page = phone.get(link.path)
    assert page.status_code == 200
    assert "anna@firma.example" in page.content.decode()
    answer = phone.get(f"{link.path}profile/")
    assert answer["Content-Type"] == "application/x-apple-aspen-config"
    assert answer["Content-Disposition"] == 'attachment; filename="anna@firma.example.mobileconfig"'
    [account] = plistlib.loads(answer.content)["PayloadContent"]
    assert account["IncomingMailServerHostName"] == "mail.panel.example"


def test_the_link_is_over_after_a_quarter_of_an_hour_or_when_the_mailbox_is_gone(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = urlsplit(profiles.link_for(mailbox)).path
    assert Client().get(path).status_code == 200
    monkeypatch.setattr(signing.time, "time", lambda: datetime.now(UTC).timestamp() + profiles.LINK_SECONDS + 2)
    for over in (path, f"{path}profile/"):
        answer = Client().get(over)
        assert answer.status_code == 410
        assert "anna@" not in answer.content.decode()
    monkeypatch.undo()
    Mailbox.objects.update(is_active=False)
    assert Client().get(path).status_code == 410


@pytest.mark.parametrize("token", ["x", "1:2:3", "MQ:1abcde:aaaa"])
def test_a_forged_link_opens_nothing(mailbox: Mailbox, token: str) -> None:
    assert Client().get(reverse("program_link", args=[token])).status_code == 410
    foreign = signing.dumps(mailbox.pk, salt="responders.notices.end")
    assert Client().get(reverse("program_link", args=[foreign])).status_code == 410


# --- The signature ---


def write_certificate(folder: Path, settings: Settings, key: Any) -> None:
    """A root, a certificate under it with its chain, as a TLS server has them."""
    now = datetime.now(UTC)
    root_key = ec.generate_private_key(ec.SECP256R1())

    def certificate(name: str, public_key: Any, issuer: str) -> x509.Certificate:
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer)]
        builder = x509.CertificateBuilder(
            names[1],
            names[0],
            public_key,
            x509.random_serial_number(),
            now - timedelta(days=1),
            now + timedelta(days=9),
        )
        is_root = name == issuer
        return builder.add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True).sign(
            root_key, SHA256()
        )

    root = certificate("Root", root_key.public_key(), "Root")
    own = certificate("panel.example", key.public_key(), "Root")
    pem = serialization.Encoding.PEM
    (folder / "root.pem").write_bytes(root.public_bytes(pem))
    (folder / "chain.pem").write_bytes(own.public_bytes(pem) + root.public_bytes(pem))
    plain = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))
    settings.PROFILE_CERT, settings.PROFILE_KEY = str(folder / "chain.pem"), str(folder / "key.pem")


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_openssl_verifies_a_signed_profile_and_refuses_a_changed_one(
    as_anna: Client, mailbox: Mailbox, settings: Settings, tmp_path: Path, kind: str
) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    write_certificate(tmp_path, settings, key)
    signed = as_anna.get(reverse("mailbox_profile", args=[mailbox.pk])).content

    def verify(content: bytes) -> subprocess.CompletedProcess[bytes]:
        command = ["openssl", "cms", "-verify", "-inform", "DER", "-purpose", "any", "-CAfile", tmp_path / "root.pem"]
        return subprocess.run(command, input=content, capture_output=True, check=False)

    verified = verify(signed)
    assert verified.returncode == 0, verified.stderr
    assert plistlib.loads(verified.stdout)["PayloadType"] == "Configuration"
    assert verify(signed.replace(b"mail.panel.example", b"evil.panel.example")).returncode != 0
    assert "not signed" not in as_anna.get(page_of(mailbox)).content.decode()


def test_a_certificate_that_went_wrong_keeps_nobody_from_their_mail(
    as_anna: Client, mailbox: Mailbox, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_certificate(tmp_path, settings, ec.generate_private_key(ec.SECP256R1()))
    other = ec.generate_private_key(ec.SECP256R1())
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    good_key = (tmp_path / "key.pem").read_bytes()
    breaks: list[tuple[str, bytes | None, str]] = [
        ("key.pem", other.private_bytes(*plain), "not the key of"), ("key.pem", b"nonsense", "not a private key"),
        ("key.pem", None, "cannot be read"), ("chain.pem", b"nonsense", "holds no certificate"),
        ("chain.pem", None, "cannot be read"),
    ]  # fmt: skip
    for name, content, words in breaks:
        (tmp_path / "key.pem").write_bytes(good_key)
        (tmp_path / name).unlink() if content is None else (tmp_path / name).write_bytes(content)
        caplog.clear()
        answer = as_anna.get(reverse("mailbox_profile", args=[mailbox.pk]))
        assert plistlib.loads(answer.content)["PayloadType"] == "Configuration"
        assert words in caplog.text


def test_a_deleted_domain_has_no_settings_any_more(mailbox: Mailbox) -> None:
    Mailbox.objects.all().delete()
    Domain.objects.all().delete()
    assert get(CONFIG, "autoconfig.firma.example").status_code == 404
