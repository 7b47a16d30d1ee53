"""Password hashing in a form that Dovecot reads."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class DovecotArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id with m=19456 KiB, t=2, p=1 (OWASP's smallest): IMAP signs in often.

    Stored as `argon2$argon2id$v=19$…`; Dovecot reads it once the prefix becomes `{ARGON2ID}$`,
    which the database view `mail_accounts` does.
    """

    memory_cost = 19456
    time_cost = 2
    parallelism = 1
