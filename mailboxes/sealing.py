"""Secrets that the database keeps for the panel: encrypted by keys made of SECRET_KEY, one for each use.

Whoever gets hold of the database or its backup alone reads none of them. After SECRET_KEY was changed, the old one in
SECRET_KEY_FALLBACKS still opens what it sealed.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SealedForGoodError(Exception):
    """Neither the present SECRET_KEY nor a fallback opens it."""


def seal(text: str, use: str) -> str:
    """The text, to be read by `unseal` of the same use only."""
    return _fernet(use).encrypt(text.encode()).decode()


def unseal(sealed: str, use: str) -> str:
    """What was sealed. Raises SealedForGoodError."""
    try:
        return _fernet(use).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SealedForGoodError(use) from error


def _fernet(use: str) -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet(Fernet(_derived(key, use)) for key in keys)


def _derived(key: str, use: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(f"mailboxes.{use}:{key}".encode()).digest())
