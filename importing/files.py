"""Files of other systems, read with care: no larger than they should be, nothing that a link leads out to."""

from pathlib import Path

MAX_OCTETS = 1 << 20


def text_of(path: Path, *, within: Path, encoding: str = "cp1250") -> str | None:
    """The text of a file below a folder; None: it is not there, too large, or a link that leads elsewhere.

    UTF-8, or where it is not, `encoding`. Raises OSError where the file may not be read.
    """
    octets = octets_of(path, within=within)
    return None if octets is None else decoded(octets, encoding)


def octets_of(path: Path, *, within: Path) -> bytes | None:
    """As `text_of`, undecoded."""
    real = path.resolve()
    if not real.is_file() or not real.is_relative_to(within.resolve()) or real.stat().st_size > MAX_OCTETS:
        return None
    return real.read_bytes()


def decoded(octets: bytes, encoding: str) -> str:
    """UTF-8, or the encoding given; what is neither becomes U+FFFD."""
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            return octets.decode(encoding, "replace")
        except LookupError:
            return octets.decode("utf-8", "replace")


def folders(path: Path) -> list[Path]:
    """The folders in a folder by name, links aside."""
    return [found for found in sorted(path.iterdir()) if found.is_dir() and not found.is_symlink()]
