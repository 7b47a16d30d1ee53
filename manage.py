#!/usr/bin/env python
"""Django's command line for Webmail Panel."""

import gc
import os
import select
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webmail_panel.settings")
    # What is imported stays, and to look again and again for what might not would take a sixth of a short command.
    gc.disable()  # webmail_panel/apps.py enables it
    from django.core.management import execute_from_command_line  # noqa: PLC0415 (settings first)

    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except BrokenPipeError:
        if _is_read():
            raise
        sys.exit(1)
    except Exception as error:
        if not _is_the_databases(error) or "--traceback" in sys.argv:
            raise
        sys.exit(f"The database cannot be asked: {' '.join(str(error).split())}")


def _is_the_databases(error: Exception) -> bool:
    """Whether it is away, or gave up: no fault of the command, and told in one line."""
    from django.db import InterfaceError, OperationalError  # noqa: PLC0415 (settings first)

    return isinstance(error, (InterfaceError, OperationalError))


def _is_read() -> bool:
    """Whether anybody reads what is printed: not after `| head`. What is left of it then goes nowhere."""
    poll = select.poll()
    poll.register(sys.stdout, select.POLLOUT)
    is_left = any(found & (select.POLLERR | select.POLLHUP) for _file, found in poll.poll(0))
    if is_left:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return not is_left


if __name__ == "__main__":
    main()
