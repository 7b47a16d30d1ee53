"""`manage.py mailconfig postfix|dovecot|rspamd|nginx --output DIR`: the servers' files, from the templates in deploy/.

In a template @NAME@ is a placeholder. Every value is checked before it is written: what stands in a
mail server's configuration must not be able to add a line to it. The servers' values, and the checks, are in
`responders/mailconfig/`.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from responders.mailconfig import arguments, dovecot, files, nginx, postfix, rspamd

MADE_BY = "Made by `manage.py mailconfig {server}`, which writes it anew; templates: deploy/{server}/."
MAIN_FILES = {
    "postfix": "main.cf",
    "dovecot": "dovecot.conf",
    "rspamd": "dkim_signing.conf",
    "nginx": "webmail-panel.conf",
}
VALUES = {"postfix": postfix.values, "dovecot": dovecot.values, "rspamd": rspamd.values, "nginx": nginx.values}
SECRET_FILES = {"postfix": "pgsql-domains.cf", "dovecot": "sign-in.lua"}
# Of each call alone, not of what is written.
NOT_KEPT = {"server", "output", "force", "again", "password_stdin", "password"}
_OPTIONS_LINE = re.compile(r"^# Options: (.*)$", re.MULTILINE)
PASSWORD_LINE = re.compile(r"^(?:[^#\n]* )?password ?= ?(\S+)", re.MULTILINE)


class Command(BaseCommand):
    help = "Write the configuration of Postfix, Dovecot or rspamd for this panel."

    def add_arguments(self, parser: CommandParser) -> None:
        servers = parser.add_subparsers(dest="server", required=True)
        arguments.add_postfix(servers.add_parser("postfix", help="main.cf, master.cf and the maps"))
        arguments.add_dovecot(servers.add_parser("dovecot", help="dovecot.conf, its SQL, who signs in"))
        arguments.add_nginx(servers.add_parser("nginx", help="what goes into its conf.d: the panel's site"))
        arguments.add_rspamd(servers.add_parser("rspamd", help="what goes into its local.d: signing, the milter"))

    def handle(self, *args: Any, **options: Any) -> None:
        server, output = options["server"], Path(options["output"])
        if options["again"]:
            options = options_of_last_time(server, output) | _given_anew(options)
        for path in files.write(server, output, values_of(server, options), options):
            self.stdout.write(str(path))


def _given_anew(options: Mapping[str, Any]) -> dict[str, Any]:
    """What counts beside the options of last time: what is not as ever, and another role, with its password."""
    ever = _as_ever(_parser(), options)
    given = {name: options[name] for name, value in ever.items() if options[name] != value}
    return given | ({"database_user": options["database_user"]} if options.get("password_stdin") else {})


def values_of(server: str, options: Mapping[str, Any]) -> dict[str, str]:
    """What the placeholders of a server's templates stand for. Raises CommandError."""
    return VALUES[server](options) | {
        "MADE_BY": MADE_BY.format(server=server),
        "OPTIONS": _in_words(_parser(), options),
    }


def rendered_again(server: str, output: Path) -> dict[str, str]:
    """The files as they would be written now with the options of last time, by name. Raises CommandError."""
    return files.filled_in(server, values_of(server, options_of_last_time(server, output)))


def options_of_last_time(server: str, output: Path) -> dict[str, Any]:
    """The options that the files in a folder were written with, the role's password included. Raises CommandError."""
    try:
        main = (output / MAIN_FILES[server]).read_text(errors="replace")
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be read: {error.strerror}") from error
    words = _OPTIONS_LINE.search(main)
    if words is None or MADE_BY.format(server=server) not in main:
        raise CommandError(f"{output / MAIN_FILES[server]} does not say with what options it was made")
    given = [word.removesuffix("=True") for word in shlex.split(words[1])]  # so switches were written once
    parsed = vars(_parser().parse_args([server, f"--output={output}", *given]))
    return parsed | {"password": _written_password(server, output)}


def _written_password(server: str, output: Path) -> str:
    """Out of a file of ours: Debian's own beside it have examples of passwords. Raises CommandError."""
    if server not in SECRET_FILES:
        return ""
    path = output / SECRET_FILES[server]
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    found = PASSWORD_LINE.search(text)
    if found is None or MADE_BY.format(server=server) not in text:
        raise CommandError(f"{path} does not hold the role's password")
    return found[1]


def _parser() -> CommandParser:
    return Command().create_parser("manage.py", "mailconfig")


def _as_ever(parser: CommandParser, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of somebody who names none."""
    return vars(parser.parse_args([options["server"], f"--output={options['output']}"]))


def _in_words(parser: CommandParser, options: Mapping[str, Any]) -> str:
    """The options as a command line that gives them again; what is as ever (and no secret) is left out."""
    ever = _as_ever(parser, options)
    not_kept = NOT_KEPT | set(vars(BaseCommand().create_parser("manage.py", "any").parse_args([])))
    chosen = {name: value for name, value in options.items() if name in ever and name not in not_kept}
    words = [
        _in_a_word(name, one)
        for name, value in sorted(chosen.items())
        if value != ever[name] or name == "database_user"  # its default may come from the environment of the moment
        for one in (value if isinstance(value, list) else [value])
    ]
    return shlex.join(words)


def _in_a_word(name: str, value: Any) -> str:
    """A switch takes no value."""
    option = f"--{name.replace('_', '-')}"
    return option if value is True else f"{option}={value}"
