"""Which letters the octets of a header field stand for where nothing says so, or where what says so is wrong.

A field may hold ASCII, or UTF-8 (RFC 6532 §3.2); programs also write what their own machine uses. The order of trust:
UTF-8 that decodes is UTF-8; else the charset that the message declares for its body; else the one that the octets
look like to readers in Poland.
"""

import codecs
import functools
import re

_ASCII = bytes(range(32, 127))
_NOT_LOWER_HALF = bytes({*range(256)} - {*range(0xC0, 0xE0)})
_NOT_UPPER_HALF = bytes({*range(256)} - {*range(0xE0, 0x100)})
_SAY_NOTHING = {None, "ascii"}
_ISO_2022_JP = re.compile(rb"\x1b\$[@B]")
# Only Windows-1250 has letters here (śźŚŹ …); in ISO-8859-2 these are controls.
_WINDOWS_LETTERS = re.compile(rb"[\x80-\x9f\xa5\xb9]")
# ĄŚŹąśź of ISO-8859-2: in Windows-1250 these are signs that hardly stand in a text.
_ISO_LETTERS = re.compile(rb"[\xa1\xa6\xac\xb1\xb6\xbc]")
# Four letters beyond ASCII in a row: no Polish word has them, nearly every Russian one does.
_CYRILLIC = re.compile(rb"[\xa3\xb3\xc0-\xff]{4}")
# What is called by the first name is often the second (as browsers read it).
_WIDER = {"iso8859-1": "cp1252", "iso8859-2": "cp1250", "iso8859-9": "cp1254"}
_C1_CONTROL = re.compile(r"[\x80-\x9f]")
_NO_CHARSETS = {"unicode-escape", "raw-unicode-escape", "idna", "charmap"}  # Python's own, no mail program's


def decode_undeclared(octets: bytes, declared: str = "") -> str:
    """The text of raw octets; `declared` is the charset that the message names elsewhere. Never raises."""
    if _ISO_2022_JP.search(octets):
        return octets.decode("iso2022_jp_2", "replace")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        is_of_use = codec_name(declared) not in {*_SAY_NOTHING, "utf-8"}
        return decode(octets, declared) if is_of_use else octets.decode(_guess(octets), "replace")


def decode(octets: bytes, charset: str) -> str:
    """The text of octets in a named charset, guessed where the name is not of a charset of mail. Never raises."""
    name = codec_name(charset)
    if name in _SAY_NOTHING:
        return decode_undeclared(octets)
    text = octets.decode(name or "ascii", "replace")
    return octets.decode(_WIDER[name], "replace") if name in _WIDER and _C1_CONTROL.search(text) else text


@functools.lru_cache(maxsize=256)
def codec_name(charset: str) -> str | None:
    """Python's name of a charset in which ASCII stands for itself; None for all others (UTF-16, codecs of Python)."""
    try:
        name = codecs.lookup(charset).name
        is_of_mail = name not in _NO_CHARSETS and _ASCII.decode(name) == _ASCII.decode("ascii")
    except (LookupError, ValueError):
        return None
    return name if is_of_mail else None


def _guess(octets: bytes) -> str:
    if _CYRILLIC.search(octets):
        # Small letters are the more: KOI8-R has them in the lower half, Windows-1251 in the upper.
        lower_half = len(octets.translate(None, _NOT_LOWER_HALF))
        upper_half = len(octets.translate(None, _NOT_UPPER_HALF))
        return "koi8_r" if lower_half > upper_half else "cp1251"
    if _ISO_LETTERS.search(octets) and not _WINDOWS_LETTERS.search(octets):
        return "iso8859-2"
    return "cp1250"
