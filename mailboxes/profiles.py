"""Where mail programs connect by the settings; profiles with our signature; the link that brings one to a phone."""

import logging
from pathlib import Path

import segno
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.translation import gettext as _

from mailboxes import programs
from mailboxes.models import Mailbox

logger = logging.getLogger(__name__)
LINK_SECONDS = 15 * 60
LINK_SALT = "mailboxes.profiles.link"


class SignatureError(Exception):
    """PROFILE_CERT and PROFILE_KEY cannot sign; the message says why in a sentence."""


def servers() -> programs.Servers:
    return programs.Servers(
        imap_host=settings.IMAP_HOST,
        imaps_port=settings.IMAPS_PORT,
        submission_host=settings.SUBMISSION_HOST,
        submissions_port=settings.SUBMISSIONS_PORT,
        submission_port=settings.SUBMISSION_PORT,
    )


def signs() -> bool:
    """Whether profiles are meant to be signed."""
    return bool(settings.PROFILE_CERT and settings.PROFILE_KEY)


def profile_of(mailbox: Mailbox) -> bytes:
    """The .mobileconfig of a mailbox, signed where there is something to sign with.

    A certificate that went wrong keeps nobody from their mail: the profile goes out unsigned, and the log says why.
    """
    words = {
        "profile": _("Mail of %(address)s") % {"address": mailbox.address},
        "description": _("Sets up this mailbox in Mail. The password is asked for; none is in this profile."),
    }
    plain = programs.apple(
        servers(), str(mailbox.address), name=mailbox.name, panel=str(settings.PANEL_URL), words=words
    )
    if not signs():
        return plain
    try:
        return sign(plain)
    except SignatureError as error:
        logger.warning("a profile goes out unsigned: %s", error)
        return plain


def sign(profile: bytes) -> bytes:
    """The profile within a CMS signature (RFC 5652 §5), in DER, with the whole chain. Raises SignatureError.

    The files are read every time: certificates are renewed while the panel runs.
    """
    key, (own, *chain) = _key(), _certificates()
    builder = PKCS7SignatureBuilder().set_data(profile)
    try:
        builder = builder.add_signer(own, key, SHA256())
        if key.public_key() != own.public_key():
            raise SignatureError("PROFILE_KEY is not the key of PROFILE_CERT")
        for certificate in chain:
            builder = builder.add_certificate(certificate)
        return builder.sign(Encoding.DER, [PKCS7Options.Binary])
    except (TypeError, ValueError) as error:
        raise SignatureError(f"PROFILE_CERT and PROFILE_KEY cannot sign: {error}") from error


def _key() -> RSAPrivateKey | EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(Path(settings.PROFILE_KEY).read_bytes(), password=None)
    except OSError as error:
        raise SignatureError(f"PROFILE_KEY {settings.PROFILE_KEY} cannot be read: {error.strerror}") from error
    except (TypeError, ValueError) as error:
        raise SignatureError(f"PROFILE_KEY {settings.PROFILE_KEY} is not a private key without a password") from error
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise SignatureError("PROFILE_KEY is neither an RSA key nor one of an elliptic curve")
    return key


def _certificates() -> list[x509.Certificate]:
    """That of PROFILE_KEY first, as in any chain of a TLS server."""
    try:
        return x509.load_pem_x509_certificates(Path(settings.PROFILE_CERT).read_bytes())
    except OSError as error:
        raise SignatureError(f"PROFILE_CERT {settings.PROFILE_CERT} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SignatureError(f"PROFILE_CERT {settings.PROFILE_CERT} holds no certificate") from error


def link_for(mailbox: Mailbox) -> str:
    """The address of a page that hands this mailbox's settings to a phone, for LINK_SECONDS. No password is in it."""
    return f"{settings.PANEL_URL}{reverse('program_link', args=[signing.dumps(mailbox.pk, salt=LINK_SALT)])}"


def mailbox_of(token: str) -> Mailbox | None:
    """Whose link it is; None where it is over, or none of ours."""
    try:
        pk = signing.loads(token, salt=LINK_SALT, max_age=LINK_SECONDS)
    except signing.BadSignature:
        return None
    return Mailbox.objects.filter(pk=pk, is_active=True, deleted_at=None, domain__deleted_at=None).first()


def picture_of(link: str) -> str:
    """A QR code as a data: address. It stands in no file and in no cache."""
    return str(segno.make_qr(link, error="m").svg_data_uri(scale=6, border=4, dark="#000", light="#fff"))
