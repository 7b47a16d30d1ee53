"""What an import finds and does, one item each. Pure."""

import enum
from dataclasses import dataclass

from importing.facts import Problem


class State(enum.StrEnum):
    """`new`: made, or in a dry run would be. `changed`: ours was overwritten. `differs`: ours stayed as it is."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    DIFFERS = "differs"
    LEFT_OUT = "left out"
    NOTE = "note"


# With one of these the import is not all that the source holds.
NOT_CARRIED_OVER = frozenset({State.DIFFERS, State.LEFT_OUT})


@dataclass(frozen=True, slots=True)
class Item:
    """`kind` and `reason` as in `facts.Problem`; `detail` is for people."""

    state: State
    kind: str
    name: str
    reason: str = ""
    detail: str = ""

    @property
    def line(self) -> str:
        """For a terminal; whatever the source wrote cannot move its cursor."""
        about = ": ".join(part for part in (self.reason, self.detail) if part)
        text = "  ".join(part for part in (f"{self.state:<8}", f"{self.kind:<13}", self.name, about) if part)
        return "".join(letter if letter.isprintable() else " " for letter in text).rstrip()


def of_problem(problem: Problem) -> Item:
    return Item(
        State.NOTE if problem.is_note else State.LEFT_OUT, problem.kind, problem.name, problem.reason, problem.detail
    )


def left_out(kind: str, name: str, reason: str, detail: str = "") -> Item:
    return Item(State.LEFT_OUT, kind, name, reason, " ".join(detail.split()))


def note(kind: str, name: str, reason: str, detail: str = "") -> Item:
    return Item(State.NOTE, kind, name, reason, " ".join(detail.split()))
