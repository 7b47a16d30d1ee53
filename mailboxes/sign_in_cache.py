"""`python -m mailboxes.sign_in_cache FILE`: beside Dovecot, lets it forget who signed in as soon as that changed, and
disconnects who may be signed in no more.

Dovecot keeps what the database said of somebody who signed in, for outages. The database tells with each commit
whom it concerns (migration 0031: NOTIFY), and Dovecot is told to forget them. Whose password somebody else changed, who
was barred, suspended, deleted (migration 0042) is disconnected besides: a mail program stays signed in otherwise, as
long as it likes. Mail programs come again by themselves. FILE comes from `mailconfig dovecot`.

Without Django, whose settings hold more than this program may know: it signs in as Dovecot's role, which need
not be able to read anything for it. It asks the primary alone, for a replica takes no LISTEN, and whatever it may have
missed (a connection that was lost, Dovecot that did not answer) it makes good by letting Dovecot forget everybody.
"""

import argparse
import configparser
import logging
import select
import socket
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

import psycopg
from psycopg import pq

CHANNEL, SIGN_OUTS = "mail_sign_ins", "mail_sign_outs"
EVERYBODY = ""  # in place of an address
# How the session is called in pg_stat_activity, where everybody may see that somebody listens.
SESSION = "webmail-panel-sign-ins"
LISTENERS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE application_name = 'webmail-panel-sign-ins' AND datname = current_database()"
)
# Dovecot looks at all it remembers for each name. More at once cost more than asking for everybody anew.
MANY = 100
# Octets of a line that Dovecot takes; at a longer one it hangs up.
LONGEST = 1000
# Seconds. A look-up that read the old row may come to its end after we were told; it takes as long as the patience of
# sign-in.lua and a hash on a busy machine. A replica may be a moment late.
AGAIN_AFTER = 10.0
# Between two messages to Dovecot: what changes meanwhile goes into the next.
GATHER = 0.05
# A server that says nothing is asked whether it is there as often as this, and waited for as long as that.
SILENCE, PATIENCE = 15.0, 5.0
RETRY = 1.0
log = logging.getLogger("sign_in_cache")


class NotFollowedError(RuntimeError):
    """Nobody listens; what is wrong stands in the text."""


@dataclass(frozen=True)
class Place:
    """Where the database is, in libpq's words, and the sockets on which Dovecot takes commands. A file that an earlier
    version wrote has no `kick`: then nobody is disconnected.
    """

    database: str
    socket: str
    kick: str = ""


def read_place(path: Path) -> Place:
    """Raises ValueError, with what is wrong in one line."""
    file = configparser.ConfigParser(interpolation=None)
    try:
        file.read_string(path.read_text())
        said = file["sign-ins"]
        return Place(said["database"], said["socket"], said.get("kick", ""))
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError) as error:
        raise ValueError(f"{path} cannot be used: {' '.join(str(error).split())}") from error


def command(names: Iterable[str]) -> bytes:
    """What Dovecot's auth process is told: `CACHE-FLUSH id [user…]`, no user for all of them.

    A notice may come from whoever may connect to the database: what is no address cannot become a command.
    """
    named = sorted(set(names))
    if len(named) > MANY or not all(name.isprintable() and name for name in named):
        named = []
    line = "\t".join(["CACHE-FLUSH\t1", *named]).encode()
    return b"VERSION\t1\t0\n" + (line if len(line) <= LONGEST else b"CACHE-FLUSH\t1") + b"\n"


def forget(path: str, names: Iterable[str]) -> None:
    """Tell Dovecot, and wait until it has. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as dovecot:
        dovecot.settimeout(PATIENCE)
        dovecot.connect(path)
        dovecot.sendall(command(names))
        with dovecot.makefile("rb") as answers:
            for line in answers:
                if line.startswith(b"OK\t1"):
                    return
    raise OSError(f"Dovecot hung up on {path}")


def mask(name: str) -> str:
    """Whom `doveadm kick` shall disconnect: an address, or `@domain` for everybody there. Nobody: empty.

    A notice may come from whoever may connect to the database, so it disconnects no more than a domain: `*` stands for
    any names, and becomes `?`, for one character. So does `-` at the beginning, which doveadm would take for an option.
    It knows no other sign (wildcard_match), nor how to write one plainly; who is disconnected by mistake comes again.
    """
    if not name.isprintable() or name.count("@") != 1 or name.endswith("@"):
        return ""
    plain = name.replace("*", "?")
    plain = f"?{plain[1:]}" if plain.startswith("-") else plain
    return f"*{plain}" if plain.startswith("@") else plain


def kick(path: str, names: Iterable[str]) -> None:
    """Let Dovecot end the connections of these, one after the other; who has none is no trouble. Raises OSError.

    The protocol of its doveadm-server: flags, user, command and arguments; each is answered by a line that begins with
    + or -. It refuses every command but this one (`doveadm_allowed_commands`).
    """
    masks = sorted({mask(name) for name in names} - {""})
    if not masks:
        return
    with socket.socket(socket.AF_UNIX) as dovecot:
        dovecot.settimeout(PATIENCE)
        dovecot.connect(path)
        dovecot.sendall(b"VERSION\tdoveadm-server\t1\t2\n")
        with dovecot.makefile("rb") as answers:
            _await_answer(answers, path)  # that it is us
            for one in masks:
                dovecot.sendall(f"\t\tkick\t{one}\n".encode())
                _await_answer(answers, path)


def _await_answer(answers: Iterable[bytes], path: str) -> None:
    for line in answers:
        if line.startswith((b"+", b"-")):
            return
    raise OSError(f"Dovecot hung up on {path}")


class Changes:
    """A connection to the database over which it tells who changed; never waited for without end.

    psycopg waits for the answer to a question as long as it takes, so libpq is asked itself.
    """

    def __init__(self, database: str) -> None:
        """Raises psycopg.Error, OSError."""
        self._connection = psycopg.connect(database, autocommit=True, application_name=SESSION)
        self._pgconn = self._connection.pgconn
        self._told: set[str] = set()
        self._signed_out: set[str] = set()
        self._ask(f"LISTEN {CHANNEL}")
        self._ask(f"LISTEN {SIGN_OUTS}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def within(self, seconds: float) -> set[str]:
        """Whom the database told of, at the latest after so many seconds; nobody: it is there. Raises like __init__."""
        if not self._told:
            self._read(seconds)
        if not self._told:
            self._ask("SELECT")
        told, self._told = self._told, set()
        return told

    def signed_out(self) -> set[str]:
        """Who is to be disconnected, of those that were told; each is said once."""
        said, self._signed_out = self._signed_out, set()
        return said

    def _ask(self, question: str) -> None:
        self._pgconn.send_query(question.encode())
        end = time.monotonic() + PATIENCE
        while self._pgconn.is_busy():
            self._pgconn.flush()
            if not self._read(end - time.monotonic()) and time.monotonic() >= end:
                raise TimeoutError("the database does not answer")
        while (result := self._pgconn.get_result()) is not None:
            if result.status not in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}:
                raise psycopg.OperationalError(result.error_message.decode(errors="replace"))

    def _read(self, seconds: float) -> bool:
        """Whether something came."""
        readable, _writable, _other = select.select([self._pgconn.socket], [], [], max(0.0, seconds))
        if readable:
            self._pgconn.consume_input()
            while (notice := self._pgconn.notifies()) is not None:
                name = notice.extra.decode(errors="replace")
                if notice.relname == SIGN_OUTS.encode():
                    self._signed_out.add(name)
                    name = EVERYBODY if name.startswith("@") else name
                self._told.add(name)
        return bool(readable)


class SignOuts:
    """Ends connections, at once and once more a moment later, for a sign-in that was on its way.

    Who was to be disconnected stays so until Dovecot has done it, whatever goes away meanwhile; what is in the way is
    told once, and keeps nobody from being forgotten.
    """

    def __init__(self, path: str, now: Callable[[], float]) -> None:
        self._path, self._now = path, now
        self._first: set[str] = set()
        self._again: dict[str, float] = {}
        self._trouble = ""

    def expect(self, names: set[str]) -> None:
        """These, at the next `end`; nobody where Dovecot has no socket for it."""
        if self._path:
            self._first |= names

    def patience(self, seconds: float) -> float:
        """How long to wait for news, of so many seconds: not long while somebody is still to be disconnected."""
        return min(seconds, PATIENCE) if self._trouble else seconds

    def end(self) -> None:
        """Those expected, and those whose second time has come: all of them later where it fails."""
        moment = self._now()
        due = {name for name, at in self._again.items() if at <= moment}
        try:
            if names := self._first | due:
                kick(self._path, names)
        except OSError as error:
            if str(error) != self._trouble:
                log.warning("nobody can be disconnected: %s", error)
            self._trouble = str(error) or type(error).__name__
            return
        self._again = {name: at for name, at in self._again.items() if name not in due}
        self._again |= dict.fromkeys(self._first, moment + AGAIN_AFTER)
        self._first, self._trouble = set(), ""


class Following:
    """What the database tells is passed on: forgotten first, so that whoever is disconnected is refused, then ended."""

    def __init__(self, place: Place, changes: Changes, sign_outs: SignOuts) -> None:
        self._place, self._changes, self._sign_outs = place, changes, sign_outs

    def within(self, seconds: float) -> set[str]:
        """Whom the database told of. Raises like Changes.within."""
        told = self._changes.within(self._sign_outs.patience(seconds))
        if not told:
            self._sign_outs.end()  # who could not be
        return told

    def pass_on(self, names: set[str]) -> None:
        """To Dovecot. Raises OSError; who was to be disconnected is so later."""
        self._sign_outs.expect(self._changes.signed_out())
        forget(self._place.socket, names)
        self._sign_outs.end()
        time.sleep(GATHER)


def follow(
    within: Callable[[float], set[str]], forget_them: Callable[[set[str]], None], now: Callable[[], float]
) -> NoReturn:
    """Hand on what is told, at once and once more a moment later. Ends with the error of what failed."""
    told, again = {EVERYBODY}, dict[str, float]()  # before now, nobody listened
    while True:
        moment = now()
        due = {name for name, at in again.items() if at <= moment}
        if told | due:
            forget_them(told | due)
        again = {name: at for name, at in again.items() if name not in due} | dict.fromkeys(told, moment + AGAIN_AFTER)
        told = within(max(0.0, min([SILENCE, *(at - moment for at in again.values())])))


def run(place: Place) -> NoReturn:
    """Follow, whatever goes away and comes back; each trouble is told once."""

    trouble, sign_outs = "", SignOuts(place.kick, time.monotonic)
    while True:
        try:
            with Changes(place.database) as changes:
                following = Following(place, changes, sign_outs)
                try:
                    forget(place.socket, [EVERYBODY])
                    log.info("Dovecot forgets who signed in as soon as the database says that it changed")
                    trouble = ""
                    follow(following.within, following.pass_on, time.monotonic)
                finally:  # whoever it was told of before it was lost
                    sign_outs.expect(changes.signed_out())
        except (psycopg.Error, OSError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            if said != trouble:
                log.warning("what changed is not told to Dovecot: %s", said)
            trouble = said
        time.sleep(RETRY)


def check(place: Place) -> None:
    """Whether somebody listens. Raises NotFollowedError."""
    try:
        with psycopg.connect(place.database, autocommit=True) as asked:
            row = asked.execute(LISTENERS.encode()).fetchone()
    except psycopg.Error as error:
        raise NotFollowedError(f"the database does not answer: {' '.join(str(error).split())}") from error
    if row is None or not row[0]:
        raise NotFollowedError("nobody listens for changes")


def main(arguments: list[str]) -> None:
    """Runs until it is ended."""
    parser = argparse.ArgumentParser("sign_in_cache", description="Let Dovecot forget who signed in when it changed.")
    parser.add_argument("file", type=Path, help="sign-in-cache.conf.ext, as `mailconfig dovecot` wrote it")
    parser.add_argument("--check", action="store_true", help="only say whether somebody listens, by the exit code")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="{asctime} {levelname} {name} {message}", style="{")
    try:
        place = read_place(options.file)
        if options.check:
            check(place)
        else:
            run(place)
    except (ValueError, NotFollowedError) as error:
        parser.exit(1, f"{error}\n")
    except KeyboardInterrupt:
        parser.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
