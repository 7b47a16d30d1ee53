"""Hashes of other systems: made by their own tools (doveadm pw, PHP, openssl, Django), read and checked by ours."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailboxes import foreign_hashes
from mailboxes.foreign_hashes import NotTaken, Taken

PASSWORD = "zażółć gęślą jaźń"
# What each scheme looks like where it comes from, and as which scheme we keep it.
MADE = {
    "{SHA512-CRYPT}$6$DeBIyUr5tKL85XAG$Xdl5.5Pn7sXZmPXWynkrLCryedPFk29RgEYUwKcbdNmDHcS2SMk6WODt"
    "tqOOv3a2MODDF/0XT/jXYVlxqdrJz/": "SHA512-CRYPT",
    "{SHA256-CRYPT}$5$kH1A3lTRQ7A3x.vR$FG5RPz5ouUjOArO41Xsoje0jHM0VwyqggBPbtHzDO.9": "SHA256-CRYPT",
    "{MD5-CRYPT}$1$WX69Gqo9$VQo3Oa.iCWf4EX257NncX/": "MD5-CRYPT",
    "{SSHA}6uX7DfD4cuujdEWoevypth326lNJ6+4/": "SSHA",
    "{SSHA256}HpZXrYusSnsQd2HlFKHJ9F7fTcRMam1z1aTdA7GD5Jkt0IyS": "SSHA256",
    "{SSHA512}4GMWTviLsQ2rwM0+W5VycoMWy8ySh6FkgcISXvcvfNOcQiUMWeW1vPXbhP/O/BSIvOrHWI38jWOLCQSFQa0uPUvoqiY=": "SSHA512",
    "{SSHA512.HEX}e49cc2a2da4a52193eb6ba92c18efeebd0c59a683828f9f78efbf4c563df0ac5df5e795b677f5"
    "9c53fb7615978d0211bed5589e01a2a5d0e5b45e6ebf4cfa956df46b4f3": "SSHA512",
    "{SHA512-CRYPT.B64}JDYkSlQuL1JHZG5RRlE0eURMbSRyQklSdS9KaFoubTVBSHhEYUZWUE1JRWZUWG9BLjZqei5n"
    "TEp1ZzlzQS4xSGFIRWs3djJKRDFQQThIOUZEd0Vjbk5sSk1HZ09ta2JzU3FscGtwQjNhMQ==": "SHA512-CRYPT",
    "{PLAIN-MD5}930b9b78f35b80ccb414cd7486bb4cdb": "PLAIN-MD5",
    "930b9b78f35b80ccb414cd7486bb4cdb": "PLAIN-MD5",
    "{LDAP-MD5}kwubePNbgMy0FM10hrtM2w==": "PLAIN-MD5",
    "{SHA}OlXLdRkykZFRtEOe8bc6OYbOGRE=": "SHA",
    "{SHA1}OlXLdRkykZFRtEOe8bc6OYbOGRE=": "SHA",
    "{SHA256}q06XOnHPndim0Nm4AwApshm24WLR298K0Ovw3WmNYFc=": "SHA256",
    "{SHA512}CkV2LdwMweri5sI9yazy79O8Fnbv8qhqF8+IdKd2aek+tr4hG1gV4JGt61wOfY+WHiPLs5Bs4pnog8iPKkcvIA==": "SHA512",
    "{SMD5}Iw4lAyhuqZJt0hLboVVQKVacbso=": "SMD5",
    "{BLF-CRYPT}$2y$05$8jfxl1hN.SLICpKFKbwEW.9x3IXpmzlUBtTV2s0VxwbVeunHC1/ou": "BLF-CRYPT",
    "{PBKDF2}$1$gqCj384gGS4IX5Z1$5000$7b74d23a48e387187ba3c020fba57fe69ad221a4": "PBKDF2",
    "{ARGON2I}$argon2i$v=19$m=1024,t=2,p=1$b8zLkIy+HXUQ9urKkMi1uQ$wZouoMvDbmf0S8t2FhCmc/2YkMsWX"
    "JnUonzzytOwBow": "ARGON2I",
    "{ARGON2ID}$argon2id$v=19$m=1024,t=2,p=1$78cvenL7qwRJAYoKeVRAHA$uC51vYbpmRlynffghnuZr0kxXtB"
    "H09/99onchqWqJp4": "ARGON2ID",
    "$argon2id$v=19$m=2048,t=3,p=1$SlZTui71DyPvB1W3RGfEKQ$hH8JTD+H/YbSJmOnuLRnYQjlEI2FLMG1JNz0oE/Vg+o": "ARGON2ID",
    "fPZLUHXL7GSWM": "CRYPT",
    "{crypt}fPZLUHXL7GSWM": "CRYPT",
    "$6$rounds=7000$HtfBKj22nXQBZchx$AKRPjqgsN5fB1h2oDhE1/qzsSYENjOqCTslztsQsvIuszhbPEU/seWLO68"
    "bZ1y7RYaINLrUOBE3cu87xcy0NB1": "SHA512-CRYPT",
    "{CRYPT}$6$2gS/RqkQpqxzuoTP$GbkZ5/ZExI8S530Bd5p9hn9Gd7zPofFF0quHefVuQty7bHUSGSaCtB8EDHBkmYR"
    "4CQh1WaUCuVs/SCd3oFDn//": "SHA512-CRYPT",
    "$1$XyDcIGxN$5piNYsSM53ch5OdEfB2i2.": "MD5-CRYPT",
    "{MD5}$1$sGc15PuS$XOqc3SFjTU1KBn103jIiE0": "MD5-CRYPT",
    "{md5raw}930b9b78f35b80ccb414cd7486bb4cdb": "PLAIN-MD5",
    "$2y$05$RNQfDBcuexDR1nTrgRaRY.lPUzFx7UGca/wzzStHBQpa4sXC21QcC": "BLF-CRYPT",
    "{BLF-CRYPT}$2a$05$ZQUWa30z6w.ZYAE8GGp8iOKZuUFmHBxp3kmS7m.Ev94KNpT4Vq6Vy": "BLF-CRYPT",
}


@pytest.mark.parametrize(("stored", "scheme"), MADE.items())
def test_a_hash_of_another_system_is_known_and_checked(stored: str, scheme: str) -> None:
    taken = foreign_hashes.read(stored)
    assert isinstance(taken, Taken), taken
    assert taken.scheme == scheme
    assert foreign_hashes.fits(taken.scheme, taken.value, PASSWORD)
    assert not foreign_hashes.fits(taken.scheme, taken.value, "x" + PASSWORD[1:])
    assert not foreign_hashes.fits(taken.scheme, taken.value, "")


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ("", "none"), ("  ", "none"), ("{PLAIN}", "none"), ("!!", "locked"), ("*", "locked"), ("!$6$ab$cd", "locked"),
        ("{CRAM-MD5}" + "0" * 64, "unknown-scheme"), ("{SCRAM-SHA-256}4096,x", "unknown-scheme"),
        ("{X}y", "unknown-scheme"),
        ("{SHA512-CRYPT}$6$ab$short", "malformed"), ("{SSHA}not base64!", "malformed"), ("{SSHA}YQ==", "malformed"),
        ("{PLAIN-MD5}" + "0" * 31, "malformed"), ("swordfish and more", "malformed"), ("$2y$10$x", "malformed"),
        ("{SHA512-CRYPT.B64}" + "/" * 20, "malformed"),
        ("$6$rounds=999999999$abcdefgh$" + "x" * 86, "too-costly"), ("$2y$31$" + "a" * 53, "too-costly"),
        ("{PBKDF2}$1$salt$99999999$" + "0" * 40, "too-costly"),
        ("{ARGON2ID}$argon2id$v=19$m=4194304,t=3,p=1$c2FsdHNhbHQ$" + "A" * 43, "too-costly"),
        ("{ARGON2ID}$argon2id$v=19$m=65536,t=99,p=1$c2FsdHNhbHQ$" + "A" * 43, "too-costly"),
        (f"pbkdf2_sha256$99999999$salt${'A' * 43}=", "too-costly"),
    ],
)  # fmt: skip
def test_why_a_hash_is_not_taken(stored: str, reason: str) -> None:
    taken = foreign_hashes.read(stored)
    assert isinstance(taken, NotTaken)
    assert taken.reason == reason


def test_a_plain_password_is_told_apart() -> None:
    assert foreign_hashes.read("{PLAIN}hasło") == Taken("PLAIN", "hasło")
    assert foreign_hashes.read("swordfish", default_scheme="PLAIN") == Taken("PLAIN", "swordfish")
    encoded = base64.b64encode(b"swordfish").decode()
    assert foreign_hashes.read(f"{{CLEARTEXT.b64}}{encoded}") == Taken("PLAIN", "swordfish")


def test_what_is_weak_says_so() -> None:
    weak = {scheme for stored in MADE if isinstance(taken := foreign_hashes.read(stored), Taken) and taken.is_weak
            for scheme in [taken.scheme]}  # fmt: skip
    assert weak == {"PLAIN-MD5", "SHA", "SHA256", "SHA512", "SMD5", "CRYPT"}


@settings(deadline=None)
@given(st.text(max_size=300), st.sampled_from(["CRYPT", "PLAIN", "SSHA512"]), st.text(max_size=100))
def test_no_text_breaks_it(stored: str, default: str, password: str) -> None:
    taken = foreign_hashes.read(stored, default)
    if isinstance(taken, Taken) and taken.scheme not in {"PLAIN", "DJANGO"}:
        foreign_hashes.fits(taken.scheme, taken.value, password)


@pytest.mark.parametrize("scheme", sorted({*MADE.values(), "nothing"}))
def test_no_value_breaks_the_check(scheme: str) -> None:
    for value in ("", "$", "$1$", "a$b$c$d$e", "\0", "ż", "$2b$12$", "$argon2id$v=19$m=8,t=1,p=1$x$y"):
        assert not foreign_hashes.fits(scheme, value, "a\0b")
