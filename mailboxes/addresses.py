"""Mail addresses: their normal form, subaddresses, and the forms that mail systems make of them.

Pure: no Django, no clock, no network. An *address* here is an addr-spec (RFC 5322 §3.4.1) without
comments or quotes. Its *normal form* has the local part in NFC and lower case, and the domain as
lower-case A-labels (RFC 5890 §2.3.2.1), so `Żółw@Bücher.Example` and `żółw@xn--bcher-kva.example` are one.
"""

import functools
import re
import unicodedata

import idna

MAX_LOCAL_OCTETS = 64  # RFC 5321 §4.5.3.1.1
MAX_ADDRESS_OCTETS = 254  # RFC 5321 §4.5.3.1.3, less the angle brackets
MAX_TYPED = 256  # characters: ordering a long run of combining marks takes time in the square of it
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]"
_DOT_ATOM = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class AddressError(ValueError):
    """The text is not an address; `args[0]` says in a few words why."""


@functools.lru_cache(maxsize=4096)  # the same few addresses, asked for again and again for one message
def normalise(address: str) -> str:
    """Return the normal form of an address. Raises AddressError."""
    local_part, domain = split(address)
    return f"{normalise_local_part(local_part)}@{normalise_domain(domain)}"


def normal_form_or_none(address: str) -> str | None:
    """Like `normalise`, with None where the text is no address (senders come from strangers)."""
    try:
        return normalise(address)
    except AddressError:
        return None


def split(address: str) -> tuple[str, str]:
    """Split at the last @ into local part and domain. Raises AddressError."""
    local_part, at, domain = address.strip().rpartition("@")
    if not at or not local_part or not domain:
        raise AddressError("an address has the form name@domain")
    return local_part, domain


def normalise_local_part(local_part: str) -> str:
    """Lower case, NFC; a dot-atom (RFC 5322 §3.2.3, RFC 6532 §3.2) of at most 64 octets. Raises AddressError."""
    if len(local_part) > MAX_TYPED:
        raise AddressError("the part before @ is longer than 64 octets")
    plain = unicodedata.normalize("NFC", local_part.strip()).lower()
    if _CONTROL.search(plain) or not _DOT_ATOM.fullmatch(plain):
        raise AddressError("the part before @ may hold letters, digits and .!#$%&'*+/=?^_`{|}~-")
    if len(plain.encode()) > MAX_LOCAL_OCTETS:
        raise AddressError("the part before @ is longer than 64 octets")
    return plain


def normalise_domain(domain: str) -> str:
    """Lower-case A-labels without a final dot (IDNA 2008, UTS 46 mapping). Raises AddressError."""
    if len(domain) > MAX_TYPED:
        raise AddressError("the domain is not a valid domain name")
    plain = domain.strip().rstrip(".").lower()
    if not plain.isascii():
        try:
            plain = idna.encode(plain, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise AddressError("the domain is not a valid international domain name") from error
    labels = plain.split(".")
    if not plain or len(plain) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressError("the domain is not a valid domain name")
    return plain


def display(address: str) -> str:
    """The address as people write it: the domain in Unicode where it is international."""
    local_part, domain = split(address)
    return f"{local_part}@{display_domain(domain)}"


def display_domain(domain: str) -> str:
    """The domain in Unicode; unchanged where it does not decode."""
    if "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain)
    except idna.IDNAError:
        return domain


def without_subaddress(address: str, delimiter: str = "+") -> str:
    """`anna+lists@example.pl` is `anna@example.pl` (RFC 5233 §4); other addresses are unchanged."""
    local_part, domain = split(address)
    user, found, _detail = local_part.partition(delimiter) if delimiter else (local_part, "", "")
    return f"{user}@{domain}" if found and user else address


def copy_address(address: str, autoreply_domain: str) -> str:
    """The recipient that Postfix adds for the hook: `local=domain@autoreply_domain`."""
    local_part, domain = split(address)
    return f"{local_part}={domain}@{autoreply_domain}"


def copied_address(recipient: str, autoreply_domain: str) -> str:
    """The address that a copy was made for; any other recipient as it is. In normal form. Raises AddressError."""
    local_part, domain = split(recipient)
    if domain.lower() != autoreply_domain.lower():
        return normalise(recipient)
    written, equals, written_domain = local_part.rpartition("=")
    if not equals:
        raise AddressError("a copy's recipient has the form name=domain")
    return normalise(f"{written}@{written_domain}")


# Forms that change with every message although the person behind them is one. The pattern's `local` and
# `domain` are the person's own. Sources: draft-levine-smtp-batv-01, libsrs2, Courier's and Google's VERP.
_BATV = re.compile(r"(?:prvs|btv1)=(?:[0-9a-z]{8,16}|[^=]+==[0-9a-z]+)=(?P<local>.+)", re.IGNORECASE)
_BATV_REVERSED = re.compile(r"prvs=(?P<local>[^=]+)=(?P<tag>[0-9a-f]{10})", re.IGNORECASE)
_SRS0 = re.compile(r"srs0[=+-][^=]+=[^=]+=(?P<domain>[^=]+)=(?P<local>.+)", re.IGNORECASE)
_SRS1 = re.compile(r"srs1[=+-][^=]+=[^=]+==?[=+-]?[^=]+=[^=]+=(?P<domain>[^=]+)=(?P<local>.+)", re.IGNORECASE)
# Long numbers set off by the marks that mailing programs use: jan.1985 and jan1986 stay two people.
_VERP_NUMBER = re.compile(r"(?<=[-+=_])(?:[0-9]{6,}|(?=[a-f]*[0-9])[0-9a-f]{12,})(?![a-z0-9])", re.IGNORECASE)


def memory_key(reverse_path: str) -> str:
    """The form under which a sender is remembered, never one to reply to (RFC 5230 §4.2).

    BATV and SRS are unwrapped; in a VERP-like local part each run of digits counts as one.
    An address that has no normal form is its own key, in lower case.
    """
    plain = normal_form_or_none(reverse_path)
    if plain is None:
        return _CONTROL.sub("", reverse_path).lower()[:MAX_ADDRESS_OCTETS]
    local_part, domain = split(plain)
    if match := (_BATV_REVERSED.fullmatch(local_part) or _BATV.fullmatch(local_part)):
        local_part = match["local"]
    if match := (_SRS0.fullmatch(local_part) or _SRS1.fullmatch(local_part)):
        local_part, domain = match["local"], match["domain"]
    return f"{_VERP_NUMBER.sub('#', local_part)}@{domain}"
