"""What a password may not be. Asked without the network: the list comes with Django."""

import hmac
import secrets
import string

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_DECORATION = string.digits + string.punctuation + string.whitespace
_WRITTEN_FOR = str.maketrans("013457@$!", "oleastasi")
_SHORTEST_WORD = 4  # letters: shorter ones say nothing about the rest


# Without those that look like another one on paper or sound like another one on the telephone.
_CLEAR = "abcdefghkmnpqrstuwxyz23456789"


def of_seed(seed: bytes, address: str) -> str:
    """One of the same form, always the same for a seed and an address; without the seed nobody finds it."""
    number = int.from_bytes(hmac.digest(seed, address.encode(), "sha256"))
    letters = []
    for _place in range(16):
        number, place = divmod(number, len(_CLEAR))
        letters.append(_CLEAR[place])
    return "-".join("".join(letters[begin : begin + 4]) for begin in range(0, 16, 4))


def by_chance() -> str:
    """A password to read out: four groups of four, 77 bits."""
    return "-".join("".join(secrets.choice(_CLEAR) for _place in range(4)) for _group in range(4))


class CommonWordValidator(CommonPasswordValidator):
    """Refuses the twenty thousand most common passwords, and what is one of them with digits and marks around it.

    With ten characters at least, hardly any of the list is left; `Polska2026!` and `p@ssw0rd1234` are.
    """

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if any(form in self.passwords for form in _forms(password)) or password.strip(_DECORATION) == "":
            raise ValidationError(self.get_error_message(), code="password_too_common")

    def get_error_message(self) -> str:
        return _("This is one of the passwords that are tried first, or one with digits and marks added.")

    def get_help_text(self) -> str:
        return _("No common word or password, not with digits and marks around it either.")


def _forms(password: str) -> set[str]:
    """The password, and the word that may be inside it."""
    typed = password.lower().strip()
    plain = {typed.strip(_DECORATION), typed.rstrip(_DECORATION).translate(_WRITTEN_FOR), typed.translate(_WRITTEN_FOR)}
    halves = {word[: len(word) // 2] for word in plain if word[: len(word) // 2] * 2 == word}
    return {typed} | {word for word in plain | halves if len(word) >= _SHORTEST_WORD}
