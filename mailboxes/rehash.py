"""Hashes of other systems become ours when their owners sign in to a mail program, too: `manage.py rehash`.

Dovecot checks a hash and can make none, and its role of the database may not write one. So what it found to be the
right password behind an old hash goes in one datagram to this program of the panel's own, which checks it again and
does what a sign-in to the panel does. It answers nothing, and Dovecot waits for nothing: what does not arrive (nobody
listens, too many at once, the database is away) comes again with the next sign-in.
"""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from django.db import Error as DatabaseError
from django.db import connection

from mailboxes import hashers
from mailboxes.models import User

# Octets of a datagram: an address (RFC 5321, 4.5.3.1) and more of a password than Dovecot or the panel's form takes.
LARGEST = 8192
# Only where the password opens mail programs: not of who is suspended or barred, nor beside a second factor.
_WHOSE = """
SELECT u.* FROM mail_accounts a JOIN mailboxes_mailbox m ON m.address = a.address
    JOIN mailboxes_user u ON u.id = m.owner_id
    WHERE a.address = %s AND a.password IS NOT NULL
"""
log = logging.getLogger("rehash")


def read(datagram: bytes) -> tuple[str, str] | None:
    """Address and password, with an octet of 0 between; None where it is anything else."""
    address, _zero, password = datagram.partition(b"\0")
    if len(datagram) > LARGEST or not address or not password or b"\0" in password:
        return None
    with contextlib.suppress(UnicodeDecodeError):
        return address.decode(), password.decode()
    return None


def renew(address: str, password: str) -> bool:
    """Whether the hash of a mailbox's owner was old, and is one of ours now. Raises django.db.Error."""
    owner = next(iter(User.objects.raw(_WHOSE, [address])), None)
    # Several come at once from one mail program: the first makes the hash, and the others cost a question.
    return owner is not None and hashers.is_old(owner.password) and owner.check_password(password)


@contextlib.contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A socket that root and this user alone may write to. Raises OSError, also where somebody listens already."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with door:
        _clear_away(path)
        before = os.umask(0o177)
        try:
            door.bind(str(path))
        finally:
            os.umask(before)
        try:
            yield door
        finally:
            path.unlink(missing_ok=True)


def _clear_away(path: Path) -> None:
    """What one that was killed has left."""
    if not path.is_socket():
        return  # of anything else there bind() says that the address is in use
    try:
        knock(path)
    except ConnectionRefusedError:
        path.unlink()
    else:
        raise FileExistsError("somebody listens there already")


def knock(path: Path) -> None:
    """Whether somebody listens there and has room for more. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as visitor:
        visitor.setblocking(False)
        visitor.connect(str(path))
        visitor.send(b"")


def follow(door: socket.socket) -> None:
    """Take one after the other, without end. Each trouble is told once, and nothing of a password ever."""
    trouble = ""
    while True:
        read_one = read(door.recv(LARGEST + 1))
        if read_one is None:
            continue
        try:
            if renew(*read_one):
                log.info("%s: the hash came from another system and is one of ours now", read_one[0])
            trouble = ""
        except DatabaseError as error:
            said = str(error).partition("\n")[0]  # further lines may tell what a row holds
            if said != trouble:
                log.warning("old hashes stay until the next sign-in: %s", said)
            trouble = said
        finally:
            # Hours may pass until the next one.
            connection.close()
