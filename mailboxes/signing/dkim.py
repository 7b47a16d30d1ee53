"""Keys that sign outgoing mail (RFC 6376): made here, published in the DNS by whoever runs it, used by rspamd.

A new key waits until its record is in the DNS (`dkim_records` looks), then it signs, and the one before it keeps its
record for KEPT_AFTER. PostgreSQL has them sealed; rspamd gets them by `dkim_signer`.
"""

import secrets
from base64 import b64encode
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from mailboxes import sealing
from mailboxes.log import Actor, record
from mailboxes.models import DkimKey, Domain, DomainHealth
from mailboxes.services import MailboxesError
from mailboxes.signing import dkim_signer

RSA_BITS = 2048  # RFC 8301 §3.2
# Mail that was signed with the key before is still on its way, or is looked at again.
KEPT_AFTER = timedelta(days=14)
# Nobody breaks a key of 2048 bits in a year; one that leaked unseen is worth something for that long.
OLD_AFTER = timedelta(days=365)
MAX_NAME = 253  # octets of a name in the DNS as it is written (RFC 1035 §2.3.4)
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another


@transaction.atomic
def make_key(domain: Domain, algorithm: str, *, now: datetime, actor: Actor) -> DkimKey:
    """A key that does not sign yet: its record is to be published first. Raises MailboxesError: one waits already."""
    Domain.objects.select_for_update(no_key=True).get(pk=domain.pk)
    if domain.dkim_keys.filter(signs_since=None, algorithm=algorithm).exists():
        raise MailboxesError(_("There is a new key already: publish its record, or delete it first."))
    if len(f"wp000000xxxxx._domainkey.{domain.name}") > MAX_NAME:
        raise MailboxesError(_("The domain's name is too long for a record of a key."))
    private, public = _ed25519() if algorithm == DkimKey.Algorithm.ED25519 else _rsa()
    made = domain.dkim_keys.create(
        selector=_selector(now), algorithm=algorithm, public_key=public,
        sealed_key=sealing.seal(private, dkim_signer.USE),
    )  # fmt: skip
    record(domain, f"DKIM key made: {made.selector} ({algorithm})", actor)
    _look_soon(domain)
    return made


def _look_soon(domain: Domain) -> None:
    """Something else is to be published from now on: the page about the DNS shows it after the next look."""
    DomainHealth.objects.filter(domain=domain).update(next_check_at=Now())


def _rsa() -> tuple[str, str]:
    key = generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return private, b64encode(public).decode()


def _ed25519() -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return b64encode(private).decode(), b64encode(public).decode()


def _selector(now: datetime) -> str:
    """The month, and letters by chance: a name that caches of the DNS have never seen."""
    return f"wp{now:%Y%m}" + "".join(secrets.choice(LETTERS) for _number in range(5))


def record_of(key: DkimKey) -> tuple[str, str]:
    """Name and TXT value of the record to publish (RFC 6376 §3.6.1, RFC 8463 §4)."""
    return str(key), f"v=DKIM1; k={key.algorithm}; p={key.public_key}"


def published(domain: Domain) -> list[tuple[str, str]]:
    """Selector and TXT value of every key whose record has to be in the DNS now, the oldest first."""
    return [(key.selector, record_of(key)[1]) for key in domain.dkim_keys.order_by("created_at")]


@transaction.atomic
def let_sign(key: DkimKey, *, now: datetime, actor: Actor) -> bool:
    """From now on this key signs, and the one of its algorithm before no more; whether anything changed."""
    domain = Domain.objects.select_for_update(no_key=True).get(name=key.domain_id)
    before = domain.dkim_keys.filter(algorithm=key.algorithm, signs_since__isnull=False, retired_at=None)
    if not domain.dkim_keys.filter(pk=key.pk, signs_since=None).exists():
        return False  # it signs already, or is gone
    before.update(retired_at=now)
    domain.dkim_keys.filter(pk=key.pk).update(signs_since=now)
    record(domain, f"DKIM key signs: {key.selector}", actor)
    transaction.on_commit(dkim_signer.write_soon)
    return True


@transaction.atomic
def delete_key(key: DkimKey, *, actor: Actor) -> None:
    """Forget a key; if it signs, mail of the domain leaves without its signature from now on."""
    record(key.domain, f"DKIM key deleted: {key.selector}", actor)
    key.delete()
    _look_soon(key.domain)
    transaction.on_commit(dkim_signer.write_soon)


def delete_old(now: datetime) -> int:
    """Delete keys that signed nothing for KEPT_AFTER; return how many."""
    return DkimKey.objects.filter(retired_at__lte=now - KEPT_AFTER).delete()[0]
