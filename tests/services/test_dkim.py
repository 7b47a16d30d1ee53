"""Keys that sign outgoing mail: made, sealed, let sign, replaced, forgotten; and what rspamd finds of them."""

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key
from django.db import IntegrityError, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from mailboxes import sealing, tasks
from mailboxes.models import DkimKey, Domain
from mailboxes.services import MailboxesError
from mailboxes.signing import dkim, dkim_signer
from webmail_panel.doctor import panel
from webmail_panel.doctor.finding import Status

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db
Commit = DjangoCaptureOnCommitCallbacks


@pytest.fixture
def domain() -> Domain:
    return Domain.objects.create(name="firma.example")


@pytest.fixture
def signer(settings: Settings) -> Iterator[Any]:
    """The Redis that rspamd reads, empty."""
    client = redis.Redis.from_url(settings.DKIM_REDIS_URL, decode_responses=True)
    client.flushdb()
    yield client
    client.flushdb()


def signing(domain: Domain, algorithm: str = "rsa", now: datetime = NOW) -> DkimKey:
    key = dkim.make_key(domain, algorithm, now=now, actor=None)
    assert dkim.let_sign(key, now=now, actor=None)
    key.refresh_from_db()
    return key


def test_an_rsa_key_has_2048_bits_and_its_record_the_public_half(domain: Domain) -> None:
    key = dkim.make_key(domain, "rsa", now=NOW, actor=None)
    name, value = dkim.record_of(key)
    assert re.fullmatch(r"wp202603[a-z2-9]{5}\._domainkey\.firma\.example", name)
    version, kind, public = value.split("; ")
    assert (version, kind) == ("v=DKIM1", "k=rsa")
    published = load_der_public_key(base64.b64decode(public.removeprefix("p=")))
    private = load_pem_private_key(sealing.unseal(key.sealed_key, "dkim").encode(), None)
    assert isinstance(published, RSAPublicKey)
    assert published.key_size == 2048
    assert private.public_key() == published


def test_the_record_of_an_ed25519_key_has_32_octets(domain: Domain) -> None:
    key = dkim.make_key(domain, "ed25519", now=NOW, actor=None)
    public = base64.b64decode(dkim.record_of(key)[1].removeprefix("v=DKIM1; k=ed25519; p="))
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(sealing.unseal(key.sealed_key, "dkim")))
    assert private.public_key().public_bytes_raw() == public


def test_one_key_of_each_algorithm_waits_at_a_time(domain: Domain) -> None:
    dkim.make_key(domain, "rsa", now=NOW, actor=None)
    dkim.make_key(domain, "ed25519", now=NOW, actor=None)
    with pytest.raises(MailboxesError, match="There is a new key already"):
        dkim.make_key(domain, "rsa", now=NOW, actor=None)
    assert len(dkim.published(domain)) == 2


def test_the_database_lets_one_key_of_an_algorithm_sign(domain: Domain) -> None:
    signing(domain)
    with pytest.raises(IntegrityError, match="one_dkim_key_signs"), transaction.atomic():
        domain.dkim_keys.create(selector="x", algorithm="rsa", signs_since=NOW)


def test_rspamd_finds_both_keys_of_a_domain(
    domain: Domain, signer: Any, django_capture_on_commit_callbacks: Commit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        rsa, short = signing(domain), signing(domain, "ed25519")
    assert signer.hgetall("DKIM_SELECTORS") == {"firma.example": rsa.selector}
    assert signer.hgetall("DKIM_SELECTORS_ED25519") == {"firma.example": short.selector}
    keys = signer.hgetall("DKIM_KEYS")
    assert keys.keys() == {f"{rsa.selector}.firma.example", f"{short.selector}.firma.example"}
    assert keys[f"{rsa.selector}.firma.example"].startswith("-----BEGIN PRIVATE KEY-----")


def test_a_key_that_waits_is_not_given_to_rspamd(domain: Domain, signer: Any) -> None:
    dkim.make_key(domain, "rsa", now=NOW, actor=None)
    assert dkim_signer.write() == 0
    assert signer.keys() == []


def test_the_database_has_no_private_key_in_clear(domain: Domain, signer: Any) -> None:
    for algorithm in ("rsa", "ed25519"):
        key = signing(domain, algorithm)
        private = sealing.unseal(key.sealed_key, "dkim")
        assert private not in " ".join(str(value) for value in DkimKey.objects.filter(pk=key.pk).values_list()[0])


def test_after_a_rotation_the_new_key_alone_signs_and_the_old_record_stays_14_days(domain: Domain, signer: Any) -> None:
    old = signing(domain)
    later = NOW + timedelta(days=300)
    new = signing(domain, now=later)
    dkim_signer.write()
    assert signer.hgetall("DKIM_SELECTORS") == {"firma.example": new.selector}
    assert signer.hkeys("DKIM_KEYS") == [f"{new.selector}.firma.example"]
    assert [selector for selector, _value in dkim.published(domain)] == [old.selector, new.selector]
    assert dkim.delete_old(later + timedelta(days=13, hours=23)) == 0
    assert dkim.delete_old(later + timedelta(days=14)) == 1
    assert [selector for selector, _value in dkim.published(domain)] == [new.selector]


def test_a_key_does_not_begin_to_sign_twice(domain: Domain) -> None:
    key = signing(domain)
    assert not dkim.let_sign(key, now=NOW + timedelta(days=1), actor=None)
    key.refresh_from_db()
    assert key.signs_since == NOW


def test_a_deleted_key_signs_no_more(domain: Domain, signer: Any, django_capture_on_commit_callbacks: Commit) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        key = signing(domain)
    with django_capture_on_commit_callbacks(execute=True):
        dkim.delete_key(key, actor=None)
    assert signer.keys() == []


def test_a_redis_that_is_away_stops_nobody_and_the_task_mends_it(
    domain: Domain, signer: Any, settings: Settings, django_capture_on_commit_callbacks: Commit,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    there, settings.DKIM_REDIS_URL = settings.DKIM_REDIS_URL, "redis://127.0.0.1:9/0"
    with django_capture_on_commit_callbacks(execute=True):
        key = signing(domain)
    assert "did not reach Redis" in caplog.text
    assert panel.check_signing_keys().status is Status.FAIL
    settings.DKIM_REDIS_URL = there
    assert panel.check_signing_keys().seen == "1 are not in Redis: mail leaves unsigned"
    assert tasks.write_dkim_keys() == 1
    assert panel.check_signing_keys().status is Status.OK
    assert signer.hgetall("DKIM_SELECTORS") == {"firma.example": key.selector}


def test_a_redis_that_lost_all_or_was_changed_by_somebody_is_mended(domain: Domain, signer: Any) -> None:
    key = signing(domain)
    dkim_signer.write()
    wanted = {name: signer.hgetall(name) for name in sorted(signer.keys())}
    signer.flushdb()
    signer.hset("DKIM_SELECTORS", mapping={"firma.example": "else", "gone.example": "old"})
    signer.hset("DKIM_KEYS", "old.gone.example", "secret")
    dkim_signer.write()
    assert {name: signer.hgetall(name) for name in sorted(signer.keys())} == wanted
    assert signer.hget("DKIM_SELECTORS", "firma.example") == key.selector


def test_a_key_that_was_damaged_in_redis_is_written_anew_on_demand(domain: Domain, signer: Any) -> None:
    key = signing(domain)
    signer.hset("DKIM_KEYS", f"{key.selector}.firma.example", "rubbish")
    dkim_signer.write()
    dkim_signer.write(anew=True)
    assert signer.hget("DKIM_KEYS", f"{key.selector}.firma.example").startswith("-----BEGIN")


def test_a_changed_secret_key_opens_with_its_fallback_and_without_it_does_not_sign(
    domain: Domain, signer: Any, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    signing(domain)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "y" * 60, [settings.SECRET_KEY]
    assert dkim_signer.write() == 1
    settings.SECRET_KEY_FALLBACKS = []
    signer.flushdb()
    assert dkim_signer.write() == 0
    assert signer.keys() == []
    assert "nothing opens it" in caplog.text


def test_many_domains_are_written_with_few_questions(
    signer: Any, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dkim_signer, "BATCH", 10)
    for number in range(25):
        signing(Domain.objects.create(name=f"firma{number}.example"), "ed25519")
    with django_assert_max_num_queries(9):
        assert dkim_signer.write() == 25
    assert signer.hlen("DKIM_KEYS") == signer.hlen("DKIM_SELECTORS_ED25519") == 25
    with django_assert_max_num_queries(6):
        dkim_signer.write()
