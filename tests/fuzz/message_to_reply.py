"""Coverage-guided fuzzing: any octets are read, decided and answered, and what comes out is a valid message.

`make fuzz` runs it for FUZZ_SECONDS, beginning with the messages of tests/messages. What it finds it writes as
crash-… into var/fuzz; such a file becomes a message or a unit test.

    python -m tests.fuzz.message_to_reply [seconds]      fuzz
    python -m tests.fuzz.message_to_reply FILE           one input again
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["responders.core", "mailboxes.addresses"]):
    from tests.core.valid import assert_answered_well

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "fuzz"
FIRST_LINE = b"X-Test-Reverse-Path: <"


def fuzz(octets: bytes) -> None:
    """The first line is the reverse-path, as in tests/messages; the rest is the message."""
    first, _end, content = octets.removeprefix(FIRST_LINE).partition(b"\r\n")
    assert_answered_well(content, first.removesuffix(b">").decode("utf-8", "replace"))


def main() -> None:
    arguments = sys.argv[1:]
    if arguments and not arguments[0].isdigit():
        fuzz(Path(arguments[0]).read_bytes())
        return
    corpus = FOLDER / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for path in (ROOT / "tests" / "messages").glob("*.eml"):
        (corpus / path.name).write_bytes(path.read_bytes())
    options = [
        "-max_len=8192",
        "-timeout=10",
        f"-artifact_prefix={FOLDER}/",
        f"-dict={Path(__file__).parent / 'fields.dict'}",
    ]
    options.append(f"-max_total_time={arguments[0] if arguments else 60}")
    atheris.Setup([sys.argv[0], *options, str(corpus)], fuzz)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
