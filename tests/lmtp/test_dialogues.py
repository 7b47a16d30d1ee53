"""The protocol, as dialogues that can be read aloud: tests/lmtp/dialogues/*.txt.

C: what the client says, a line          C| octets without a line end, escapes as in Python
S: what the server answers (* is a wildcard, as in file names)
D: <reverse-path> <forward-path>… 'content'      a message came out
A: the hook's reply for a recipient
. the server hangs up
"""

import ast
import fnmatch
import re
from pathlib import Path

import pytest

from responders.hook.lmtp import Delivery, Reply, Session, Step

DIALOGUES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))
MAX_SIZE = 10_000


class Player:
    """Plays the client and the hook, and compares what the session does."""

    def __init__(self) -> None:
        self.session = Session("panel.example", max_size=MAX_SIZE)
        self.said = self.session.greeting.decode()
        self.delivery: Delivery | None = None
        self.is_over = False
        self.answers: list[Reply] = []

    def play(self, line: str) -> None:
        self._answer_if_complete(line)
        match line[:2]:
            case "C:":
                self._take(self.session.feed(line[3:].encode() + b"\r\n"))
            case "C|":
                self._take(self.session.feed(ast.literal_eval(f'b"{line[3:]}"')))
            case "S:":
                said, _end, self.said = self.said.partition("\r\n")
                assert fnmatch.fnmatchcase(said, line[3:]), f"said {said!r}, not {line!r}"
            case "D:":
                self._compare(line[3:])
            case "A:":
                code, status, text = line[3:].split(" ", 2)
                self.answers.append(Reply(int(code), status, text))
            case ".":
                assert self.is_over
            case _:
                raise AssertionError(f"what is {line!r}?")

    def end(self) -> None:
        self._answer_if_complete("")
        assert not self.said, f"said and not expected: {self.said!r}"

    def _answer_if_complete(self, line: str) -> None:
        if self.answers and not line.startswith("A:"):
            answers, self.answers = self.answers, []
            self._take(self.session.answer(answers))

    def _take(self, step: Step) -> None:
        self.said += step.output.decode()
        self.is_over = step.is_over
        self.delivery = step.delivery or self.delivery

    def _compare(self, wanted: str) -> None:
        assert self.delivery is not None, "no message came out"
        paths, content = wanted.rpartition("> ")[0] + ">", wanted.rpartition("> ")[2]
        envelope = self.delivery.envelope
        assert re.findall(r"<([^>]*)>", paths) == [envelope.reverse_path, *envelope.forward_paths]
        assert self.delivery.content == ast.literal_eval(content).encode()
        self.delivery = None


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_dialogue(path: Path) -> None:
    player = Player()
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            player.play(line)
    player.end()


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_it_makes_no_difference_how_the_octets_are_cut(path: Path) -> None:
    said = [_said(path, size) for size in (1, 2, 3, 7, 100_000)]
    assert said == [said[-1]] * 5


def _said(path: Path, size: int) -> tuple[bytes, list[Delivery]]:
    """Everything the client says at once, in pieces of a size; each message is accepted for every recipient."""
    lines = [line for line in path.read_text().splitlines() if line[:2] in {"C:", "C|"}]
    octets = b"".join(
        line[3:].encode() + b"\r\n" if line[1] == ":" else ast.literal_eval(f'b"{line[3:]}"') for line in lines
    )
    session, output, deliveries = Session("panel.example", max_size=MAX_SIZE), b"", []
    for start in range(0, len(octets), size):
        step = session.feed(octets[start : start + size])
        output += step.output
        while step.delivery:
            deliveries.append(step.delivery)
            step = session.answer([Reply(250, "2.0.0", "Decided")] * len(step.delivery.envelope.forward_paths))
            output += step.output
        if step.is_over:
            break
    return output, deliveries
