"""One line of the doctor's report."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"  # cannot be looked at from here, or only once something else works again


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen of one thing, and what to do where it is not well."""

    check: str
    status: Status
    seen: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

    def __str__(self) -> str:
        line = f"{self.status.upper():<8}{self.check:<19}{self.seen}"
        return f"{line}\n{'':<8}→ {self.remedy}" if self.remedy else line


def ok(check: str, seen: str) -> Finding:
    return Finding(check, Status.OK, _one_line(seen))


def warn(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check, Status.WARN, _one_line(seen), remedy)


def fail(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check, Status.FAIL, _one_line(seen), remedy)


def unknown(check: str, why: str, remedy: str = "") -> Finding:
    return Finding(check, Status.UNKNOWN, _one_line(why), remedy)


def _one_line(text: str) -> str:
    """Errors of libraries and programs come in several lines."""
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
