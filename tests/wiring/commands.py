"""Checks that a command line of a unit or a container is one that the panel understands."""

import subprocess
import sys
from pathlib import Path

import click
from celery.bin.celery import celery
from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandError

ROOT = Path(__file__).resolve().parents[2]


def assert_understood(words: list[str]) -> None:
    """The words after the interpreter: manage.py …, gunicorn …, or celery …; options are parsed by the real parser."""
    program, arguments = Path(words[0]).name, words[1:]
    if program.startswith("python"):
        program, arguments = arguments[0], arguments[1:]
    match program:
        case "-m":
            _assert_module(arguments)
        case "manage.py":
            _assert_managed(arguments)
        case "gunicorn":
            _assert_served(arguments)
        case "celery":
            _assert_celery(arguments)
        case _:
            raise AssertionError(f"an unknown program: {words}")


def _assert_managed(arguments: list[str]) -> None:
    name, *rest = arguments
    application = get_commands()[name]
    command = load_command_class(application, name) if isinstance(application, str) else application
    parser = command.create_parser("manage.py", name)
    try:
        parser.parse_args(rest)
    except (CommandError, SystemExit) as error:
        raise AssertionError(f"{arguments}: {error}") from error


def _assert_module(arguments: list[str]) -> None:
    """A program of ours that does without Django; its file is not here, and it says no more than that."""
    finished = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert (finished.returncode, "cannot be used" in finished.stderr) == (1, True), finished.stderr


def _assert_served(arguments: list[str]) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--check-config", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr


def _assert_celery(arguments: list[str]) -> None:
    application, name, *rest = arguments
    assert application == "--app=webmail_panel"
    command = celery.commands[name]
    command.make_parser(click.Context(command, info_name=name)).parse_args(rest)
