"""Password hashing in a form that Dovecot reads."""

from typing import Any

from django.contrib.auth.hashers import Argon2PasswordHasher, BasePasswordHasher, get_hasher, make_password
from django.utils.translation import gettext_noop as _

from mailboxes import foreign_hashes


class DovecotArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id with m=19456 KiB, t=2, p=1 (OWASP's smallest): IMAP signs in often.

    Stored as `argon2$argon2id$v=19$…`; Dovecot reads it once the prefix becomes `{ARGON2ID}$`,
    which the database view `mail_accounts` does.
    """

    memory_cost = 19456
    time_cost = 2
    parallelism = 1


class ForeignPasswordHasher(BasePasswordHasher):
    """Checks hashes that another mail system made, until the next sign-in makes an Argon2id one of them.

    Stored as `dovecot${SCHEME}…`: the view `mail_accounts` gives Dovecot what comes after the first `$`.
    """

    algorithm = "dovecot"

    def verify(self, password: str, encoded: str) -> bool:
        scheme, value = _scheme_and_value(encoded)
        return foreign_hashes.fits(scheme, value, password)

    def encode(self, password: str, salt: str) -> str:
        raise NotImplementedError("hashes of other systems are checked, never made")

    def decode(self, encoded: str) -> dict[str, Any]:
        scheme, value = _scheme_and_value(encoded)
        return {"algorithm": self.algorithm, "scheme": scheme, "hash": value}

    def safe_summary(self, encoded: str) -> dict[Any, Any]:
        return {_("algorithm"): self.algorithm, _("scheme"): _scheme_and_value(encoded)[0]}

    def must_update(self, encoded: str) -> bool:
        return True

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Nothing to make up for: a sign-in that succeeds hashes with Argon2id on top."""


def as_dovecot_sees_ours() -> str:
    """What every hash begins with that is made here, as `mail_accounts` gives it to Dovecot; others are old."""
    ours = DovecotArgon2PasswordHasher
    return f"{{ARGON2ID}}$argon2id$v=19$m={ours.memory_cost},t={ours.time_cost},p={ours.parallelism}$"


def is_old(encoded: str) -> bool:
    """Whether a hash is of another system, or of another cost than ours: the next sign-in makes a new one of it."""
    ours = get_hasher()
    return not encoded.startswith(f"{ours.algorithm}$") or ours.must_update(encoded)


def stored_form(taken: foreign_hashes.Taken) -> str:
    """A hash of another system as a user's row keeps it; a plain password is hashed."""
    if taken.scheme == "PLAIN":
        return make_password(taken.value)
    if taken.scheme == "DJANGO":
        return taken.value
    if taken.scheme == "ARGON2ID":
        return f"argon2{taken.value}"
    return f"{ForeignPasswordHasher.algorithm}${{{taken.scheme}}}{taken.value}"


def _scheme_and_value(encoded: str) -> tuple[str, str]:
    scheme, _brace, value = encoded.partition("$")[2].removeprefix("{").partition("}")
    return scheme, value
