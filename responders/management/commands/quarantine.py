"""`manage.py quarantine list|show|retry`: the messages on which the hook failed unexpectedly."""

import json
import smtplib
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailboxes import addresses
from mailboxes.log import COMMAND, record
from responders.models import QuarantinedMessage

LMTP_SECONDS = 60


class Command(BaseCommand):
    help = "List and show the messages on which the hook failed, and give them to it again."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="every message, oldest first, with the last line of its traceback")
        listing.add_argument("--json", action="store_true", help="a JSON object a line")
        show = actions.add_parser("show", help="the traceback and the content: header block and beginning of the body")
        show.add_argument("id", type=int)
        retry = actions.add_parser(
            "retry", help="give a message to the hook again; what the hook takes is deleted here"
        )
        retry.add_argument("id", type=int, nargs="+")
        retry.add_argument("--hook", default="127.0.0.1:8024", help="HOST:PORT of the hook's LMTP; default %(default)s")

    def handle(self, *args: Any, **options: Any) -> None:
        {"list": self._list, "show": self._show, "retry": self._retry}[options["action"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        for row in QuarantinedMessage.objects.defer("content").order_by("pk").iterator():
            error = row.traceback.strip().rpartition("\n")[2]
            shown = {
                "id": row.pk,
                "received_at": row.received_at.isoformat(),
                "reverse_path": row.reverse_path,
                "forward_path": row.forward_path,
                "error": error,
            }
            if options["json"]:
                self.stdout.write(json.dumps(shown, ensure_ascii=False))
            else:
                self.stdout.write("\t".join(str(value) for value in shown.values()))

    def _show(self, options: dict[str, Any]) -> None:
        row = _row(options["id"])
        self.stdout.write(f"received  {row.received_at.isoformat()}\nsender    <{row.reverse_path}>")
        self.stdout.write(f"recipient <{row.forward_path}>\n\n{row.traceback}\n")
        self.stdout.flush()
        self.stdout.write(bytes(row.content).decode("utf-8", "backslashreplace"))

    def _retry(self, options: dict[str, Any]) -> None:
        failed = 0
        for number in options["id"]:
            row = _row(number)
            answer = _deliver(row, options["hook"])
            # A bug that is still there makes a new row of the same message: the old one goes all the same.
            if answer.startswith("250"):
                record(row, "given to the hook again", COMMAND)
                row.delete()
                self.stdout.write(f"{number} taken: {answer}")
            else:
                failed += 1
                self.stdout.write(f"{number} not taken: {answer}")
        if failed:
            sys.exit(1)


def _row(number: int) -> QuarantinedMessage:
    row = QuarantinedMessage.objects.filter(pk=number).first()
    if row is None:
        raise CommandError(f"there is no message {number} in the quarantine")
    return row


def _deliver(row: QuarantinedMessage, hook: str) -> str:
    """Hand the message over as Postfix would, and return the hook's reply to it. Raises CommandError."""
    host, _colon, port = hook.rpartition(":")
    options = [] if row.forward_path.isascii() and row.reverse_path.isascii() else ["SMTPUTF8"]
    try:
        with smtplib.LMTP(host, int(port), timeout=LMTP_SECONDS) as session:
            session.sendmail(row.reverse_path, [_recipient(row)], bytes(row.content), mail_options=options)
    except smtplib.SMTPResponseException as error:
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        return f"{code} {_text(words)}"
    except (OSError, ValueError, smtplib.SMTPException) as error:
        raise CommandError(f"the hook at {hook} cannot be reached: {error}") from error
    return "250"


def _recipient(row: QuarantinedMessage) -> str:
    return addresses.normal_form_or_none(row.forward_path) or row.forward_path


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
