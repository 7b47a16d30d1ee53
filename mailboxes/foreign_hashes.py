"""Password hashes that other mail systems made: which we take, in the one form in which they are kept, and whether a
password fits.

Pure. The schemes are Dovecot's (doc.dovecot.org, “Password schemes”), because Dovecot goes on reading what is kept
here; other systems' names for them (courier's `{md5raw}`, `{crypt}`, Django's `pbkdf2_sha256$…`) are led back to them.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

import argon2
import bcrypt
from passlib.hash import des_crypt, md5_crypt, sha256_crypt, sha512_crypt

# What checking one password may cost: a file of hashes from elsewhere must not stop the panel or Dovecot.
MAX_CRYPT_ROUNDS = 1_000_000
MAX_BCRYPT_COST = 14
MAX_PBKDF2_ROUNDS = 1_000_000
MAX_ARGON2_KIB = 131_072  # a process of Dovecot that checks passwords has 256 MB
MAX_ARGON2_PASSES = 8
MAX_CHARACTERS = 230
WEAK = frozenset({"PLAIN-MD5", "SHA", "SHA256", "SHA512", "SMD5", "CRYPT"})

_PREFIX = re.compile(r"\{([A-Za-z0-9-]+)(?:\.([A-Za-z0-9]+))?\}(.*)", re.DOTALL)
_CRYPT = {"$1$": "MD5-CRYPT", "$5$": "SHA256-CRYPT", "$6$": "SHA512-CRYPT", "$2": "BLF-CRYPT"}
_SAME = {
    "BCRYPT": "BLF-CRYPT", "SHA1": "SHA", "LDAP-MD5": "PLAIN-MD5", "MD5RAW": "PLAIN-MD5", "MD5CRYPT": "CRYPT",
    "MD5-CRYPT": "CRYPT", "SHA256-CRYPT": "CRYPT", "SHA512-CRYPT": "CRYPT", "BLF-CRYPT": "CRYPT", "DES-CRYPT": "CRYPT",
    "CLEAR": "PLAIN", "CLEARTEXT": "PLAIN", "SHA512.B64": "SHA512", "SSHA1": "SSHA",
}  # fmt: skip
_DIGESTS = {
    "PLAIN-MD5": ("md5", False), "SMD5": ("md5", True), "SHA": ("sha1", False), "SSHA": ("sha1", True),
    "SHA256": ("sha256", False), "SSHA256": ("sha256", True), "SHA512": ("sha512", False), "SSHA512": ("sha512", True),
}  # fmt: skip
_SHAPES = {
    "MD5-CRYPT": re.compile(r"\$1\$[./0-9A-Za-z]{0,8}\$[./0-9A-Za-z]{22}"),
    "SHA256-CRYPT": re.compile(r"\$5\$(?:rounds=(\d+)\$)?[./0-9A-Za-z]{0,16}\$[./0-9A-Za-z]{43}"),
    "SHA512-CRYPT": re.compile(r"\$6\$(?:rounds=(\d+)\$)?[./0-9A-Za-z]{0,16}\$[./0-9A-Za-z]{86}"),
    "BLF-CRYPT": re.compile(r"\$2[aby]\$(\d\d)\$[./0-9A-Za-z]{53}"),
    "CRYPT": re.compile(r"[./0-9A-Za-z]{13}"),
    "PBKDF2": re.compile(r"\$1\$[^$\s]{1,64}\$(\d+)\$[0-9a-f]{40}"),
    "ARGON2I": re.compile(r"\$argon2i\$(?:v=19\$)?m=(\d+),t=(\d+),p=\d{1,2}\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+"),
    "ARGON2ID": re.compile(r"\$argon2id\$(?:v=19\$)?m=(\d+),t=(\d+),p=\d{1,2}\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+"),
}
_DJANGO = re.compile(r"pbkdf2_sha256\$(\d+)\$[^$]{1,64}\$[A-Za-z0-9+/]{43}=")
_MOST = {
    "SHA256-CRYPT": (MAX_CRYPT_ROUNDS,), "SHA512-CRYPT": (MAX_CRYPT_ROUNDS,), "BLF-CRYPT": (MAX_BCRYPT_COST,),
    "PBKDF2": (MAX_PBKDF2_ROUNDS,), "ARGON2I": (MAX_ARGON2_KIB, MAX_ARGON2_PASSES),
    "ARGON2ID": (MAX_ARGON2_KIB, MAX_ARGON2_PASSES),
}  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """A hash in the form that is kept: `value` is as Dovecot writes it, without the {SCHEME}.

    `scheme` is PLAIN for a password that was not hashed at all, DJANGO for one that the panel alone can check.
    """

    scheme: str
    value: str

    @property
    def is_weak(self) -> bool:
        return self.scheme in WEAK


@dataclass(frozen=True)
class NotTaken:
    """Why a hash cannot be used: none, locked, unknown-scheme, malformed, too-costly. `scheme`: its name, if any."""

    reason: str
    scheme: str = ""


def read(stored: str, default_scheme: str = "CRYPT") -> Taken | NotTaken:
    """What another system stored, led back to one scheme. `default_scheme`: of what names none and shows none."""
    text = stored.strip()
    if not text:
        return NotTaken("none")
    if text.startswith(("!", "*")):  # shadow(5)
        return NotTaken("locked")
    if match := _DJANGO.fullmatch(text):
        return NotTaken("too-costly", "DJANGO") if int(match[1][:9]) > MAX_PBKDF2_ROUNDS * 2 else Taken("DJANGO", text)
    match = _PREFIX.fullmatch(text)
    scheme, encoding, value = match.groups() if match else (_shown(text, default_scheme), "", text)
    return _read(scheme.upper(), (encoding or "").upper(), value)


def fits(scheme: str, value: str, password: str) -> bool:
    """Whether the password is the one behind a hash that `read` gave. Never raises."""
    try:
        return _FITS[scheme](value, password.encode("utf-8"))
    except (KeyError, ValueError, argon2.exceptions.Argon2Error, argon2.exceptions.InvalidHashError):
        return False


def _shown(text: str, default_scheme: str) -> str:
    """The scheme that a value without {SCHEME} shows by itself, or the one that its system has."""
    if text.startswith("$argon2id$"):
        return "ARGON2ID"
    if text.startswith("$argon2i$"):
        return "ARGON2I"
    if any(text.startswith(beginning) for beginning in _CRYPT):
        return "CRYPT"
    is_md5 = default_scheme == "CRYPT" and re.fullmatch(r"[0-9a-fA-F]{32}", text)
    return "PLAIN-MD5" if is_md5 else default_scheme


def _read(named: str, encoding: str, value: str) -> Taken | NotTaken:
    scheme = _SAME.get(named, named)
    if scheme == "MD5":  # Dovecot's old name of MD5-CRYPT, everybody else's of the plain digest
        scheme = "CRYPT" if value.startswith("$1$") else "PLAIN-MD5"
    if encoding in {"B64", "BASE64", "HEX"} and scheme not in _DIGESTS:
        decoded = _octets(value, encoding)
        if decoded is None or not decoded.isascii():
            return NotTaken("malformed", named)
        value = decoded.decode()
    if scheme == "PLAIN":
        return Taken("PLAIN", value) if value else NotTaken("none")
    if scheme in _DIGESTS:
        return _digest(scheme, encoding, value)
    if scheme == "CRYPT":
        scheme = next((name for beginning, name in _CRYPT.items() if value.startswith(beginning)), "CRYPT")
    return _shaped(scheme, value)


def _shaped(scheme: str, value: str) -> Taken | NotTaken:
    if scheme not in _SHAPES:
        return NotTaken("unknown-scheme", scheme)
    match = _SHAPES[scheme].fullmatch(value)
    if match is None or len(value) > MAX_CHARACTERS:
        return NotTaken("malformed", scheme)
    costs = [int(number[:12]) for number in match.groups() if number]
    if any(cost > most for cost, most in zip(costs, _MOST.get(scheme, ()), strict=False)):
        return NotTaken("too-costly", scheme)
    return Taken(scheme, value)


def _digest(scheme: str, encoding: str, value: str) -> Taken | NotTaken:
    """Kept in base64, PLAIN-MD5 in hexadecimal as Dovecot has it by default."""
    name, is_salted = _DIGESTS[scheme]
    size = hashlib.new(name, usedforsecurity=False).digest_size
    looks_hex = not encoding and not is_salted and re.fullmatch(rf"[0-9a-fA-F]{{{size * 2}}}", value)
    is_hex = encoding == "HEX" or looks_hex
    octets = _octets(value, "HEX" if is_hex else "B64")
    if octets is None or not (size < len(octets) <= size + 64 if is_salted else len(octets) == size):
        return NotTaken("malformed", scheme)
    return Taken(scheme, octets.hex() if scheme == "PLAIN-MD5" else base64.b64encode(octets).decode())


def _octets(value: str, encoding: str) -> bytes | None:
    try:
        if encoding == "HEX":
            return bytes.fromhex(value)
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None


def _fits_digest(name: str, is_salted: bool, octets: bytes, password: bytes) -> bool:
    size = hashlib.new(name, usedforsecurity=False).digest_size
    digest, salt = octets[:size], octets[size:] if is_salted else b""
    return hmac.compare_digest(hashlib.new(name, password + salt, usedforsecurity=False).digest(), digest)


def _fits_pbkdf2(value: str, password: bytes) -> bool:
    """Dovecot's own form, $1$salt$rounds$hex, with SHA-1."""
    _empty, _one, salt, rounds, digest = value.split("$")
    made = hashlib.pbkdf2_hmac("sha1", password, salt.encode(), int(rounds))
    return hmac.compare_digest(made.hex(), digest)


def _fits_argon2(value: str, password: bytes) -> bool:
    return argon2.PasswordHasher().verify(value, password)


def _fits_salted(scheme: str, value: str, password: bytes) -> bool:
    return _fits_digest(*_DIGESTS[scheme], base64.b64decode(value), password)


_FITS: dict[str, Callable[[str, bytes], bool]] = {
    "MD5-CRYPT": lambda value, password: md5_crypt.verify(password, value),
    "SHA256-CRYPT": lambda value, password: sha256_crypt.verify(password, value),
    "SHA512-CRYPT": lambda value, password: sha512_crypt.verify(password, value),
    "CRYPT": lambda value, password: des_crypt.verify(password, value),
    # As crypt(3) and Dovecot do: what comes after 72 octets does not count.
    "BLF-CRYPT": lambda value, password: bcrypt.checkpw(password[:72], value.encode()),
    "PBKDF2": _fits_pbkdf2,
    "ARGON2I": _fits_argon2,
    "ARGON2ID": _fits_argon2,
    "PLAIN-MD5": lambda value, password: _fits_digest("md5", False, bytes.fromhex(value), password),
    "SMD5": lambda value, password: _fits_salted("SMD5", value, password),
    "SHA": lambda value, password: _fits_salted("SHA", value, password),
    "SSHA": lambda value, password: _fits_salted("SSHA", value, password),
    "SHA256": lambda value, password: _fits_salted("SHA256", value, password),
    "SSHA256": lambda value, password: _fits_salted("SSHA256", value, password),
    "SHA512": lambda value, password: _fits_salted("SHA512", value, password),
    "SSHA512": lambda value, password: _fits_salted("SSHA512", value, password),
}
