"""Postfix and Dovecot: whether they run, understand their files, and find in the database what is hosted."""

import json
import os
import smtplib
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from responders.hook.relay import COMMAND_TIMEOUT
from webmail_panel.doctor.finding import Finding, fail, ok, unknown, warn
from webmail_panel.doctor.panel import PATIENCE, Known

SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"
# Seconds. Postfix tries again within minutes: what waits for longer waits for somebody.
LONG_WAIT = 3600
RELAY_PATIENCE = 20  # its answer to RCPT waits for what it asks others: Dovecot, the database
# What each map must find; the others need only answer.
NOBODY = "nobody@nowhere.invalid"
COUNTING = {"pgsql-sending.cf"}  # each question about a mailbox counts as a recipient that it wrote to
KEYS = {"pgsql-domains.cf": "domain", "pgsql-mailboxes.cf": "mailbox"}


def check_postfix(folder: Path) -> Iterator[Finding]:
    """Whether it runs, with files that it understands. For root alone: programs of Postfix refuse others."""
    if os.geteuid() != 0:
        yield unknown("postfix", "only root may look", "Run it as root.")
        return
    complaints = _run(["postfix", "-c", str(folder), "check"])
    yield judge_postfix_check(complaints)
    if _run(["postfix", "-c", str(folder), "status"]).returncode == 0:
        yield ok("postfix", "runs")
    else:
        yield fail(
            "postfix", "does not run: no mail goes in or out", "systemctl start postfix; journalctl -u postfix@-"
        )


def judge_postfix_check(finished: subprocess.CompletedProcess[str]) -> Finding:
    said = (finished.stderr + finished.stdout).strip()
    if finished.returncode:
        return fail(
            "postfix check", said or "it fails without a word", "Mend what it names; `postfix check` says the same."
        )
    if said:
        return warn("postfix check", said, "Mend what it names; `postfix check` says the same.")
    return ok("postfix check", "Postfix has nothing against its files")


def postfix_value(folder: Path, name: str) -> str:
    """A parameter of main.cf, with what it refers to filled in; empty where there is no Postfix."""
    if not (folder / "main.cf").exists():
        return ""
    return _run(["postconf", "-c", str(folder), "-x", "-h", name]).stdout.strip()


def check_maps(folder: Path, something: Known) -> Iterator[Finding]:
    """Ask each map as Postfix does; they hold a password, so root alone may."""
    if os.geteuid() != 0:
        yield unknown("maps", "only root may ask them", "Run it as root.")
        return
    maps = sorted(folder.glob("pgsql-*.cf"))
    # All at once: of a database that lets everybody wait, each would tell only after its own time-outs.
    with ThreadPoolExecutor() as asking:
        yield from asking.map(lambda path: _check_map(folder, path, something), maps)


def _check_map(folder: Path, path: Path, something: Known) -> Finding:
    key = NOBODY if path.name in COUNTING else getattr(something, KEYS.get(path.name, "mailbox"))
    wants_result = path.name in KEYS and bool(key)
    finished = _run(["postmap", "-c", str(folder), "-q", key or NOBODY, f"pgsql:{path}"])
    return judge_map(path.name, key, finished, wants_result=wants_result)


def judge_map(name: str, key: str, finished: subprocess.CompletedProcess[str], *, wants_result: bool) -> Finding:
    """postmap(1): 0 is a result, 1 without a word is none; whatever is said on stderr is trouble."""
    check = f"map {name.removeprefix('pgsql-').removesuffix('.cf')}"
    remedy = "`mailrole postfix`, then `mailconfig` with the same password; is PostgreSQL reachable from here?"
    if finished.stderr.strip():
        return fail(check, finished.stderr, remedy)
    if wants_result and finished.returncode:
        return fail(check, f"does not know {key}, which is hosted here", f"Does {name} ask the panel's own database?")
    if finished.returncode:
        return ok(check, f"answers (nothing for {key})" if key else "answers")
    return ok(check, f"answers for {key}")


def check_dovecot(folder: Path, something: Known) -> Iterator[Finding]:
    """Whether it understands its files, runs, and finds a mailbox. For root alone, who may read its key."""
    if os.geteuid() != 0:
        yield unknown("dovecot", "only root may look", "Run it as root.")
        return
    conf = str(folder / "dovecot.conf")
    understood = _run(["doveconf", "-c", conf, "-n"])
    if understood.returncode:
        yield fail("dovecot check", understood.stderr, "Mend what it names; `doveconf -n` says the same.")
        return
    yield ok("dovecot check", "Dovecot understands its files")
    if not something.mailbox:
        yield unknown("dovecot", f"not asked: {something.why}")
        return
    yield judge_dovecot_user(something.mailbox, _run(["doveadm", "-c", conf, "user", something.mailbox]))


def judge_dovecot_user(mailbox: str, finished: subprocess.CompletedProcess[str]) -> Finding:
    """doveadm-user(1) asks the running auth process, which asks the database."""
    if finished.returncode == 0 and "home" in finished.stdout:
        return ok("dovecot", f"runs and knows {mailbox}")
    seen = finished.stderr.strip() or f"does not know {mailbox}, which is hosted here"
    return fail("dovecot", seen, "systemctl restart dovecot; journalctl -u dovecot")


def check_queue(folder: Path, now: float) -> Finding:
    """What waits, and for how long (`now` in seconds since the epoch)."""
    finished = _run(["postqueue", "-c", str(folder), "-j"])
    if finished.returncode:
        return unknown("queue", finished.stderr or "postqueue does not answer")
    messages = [json.loads(line) for line in finished.stdout.splitlines() if line.startswith("{")]
    return judge_queue(messages, settings.AUTOREPLY_DOMAIN, now)


def judge_queue(messages: Sequence[dict[str, object]], autoreply_domain: str, now: float) -> Finding:
    """Copies that wait are the hook's; other mail is somebody's."""
    old = [message for message in messages if now - float(str(message["arrival_time"])) > LONG_WAIT]
    copies = [message for message in old if _is_copy(message, autoreply_domain)]
    if copies:
        return warn(
            "queue", f"{len(copies)} copies wait for the hook for over an hour", "Mend the hook, then `postqueue -f`."
        )
    if old:
        return warn(
            "queue",
            f"{len(old)} of {len(messages)} messages wait for over an hour",
            "`postqueue -p` says why each waits.",
        )
    return ok("queue", f"{len(messages)} messages on their way, none for over an hour")


def _is_copy(message: dict[str, object], domain: str) -> bool:
    recipients = message.get("recipients")
    return isinstance(recipients, list) and any(
        str(recipient.get("address", "")).endswith(f"@{domain}") for recipient in recipients
    )


def check_relay(something: Known) -> Finding:
    """Let the relay say that it would take a reply, and leave before its content: nothing is sent."""
    recipient = something.mailbox or f"postmaster@{settings.MAIL_HOSTNAME}"
    begun = time.monotonic()
    try:
        refusal = _refusal_of_reply(settings.RELAY_URL, recipient)
    except (OSError, smtplib.SMTPException) as error:
        refusal = f"{settings.RELAY_URL}: {error}"
    return judge_relay(refusal, f"{settings.RELAY_URL} takes MAIL FROM:<> to {recipient}", time.monotonic() - begun)


def judge_relay(refusal: str, otherwise: str, seconds: float) -> Finding:
    """`refusal` is empty where the relay took everything."""
    if refusal:
        remedy = "Postfix must run at RELAY_URL and let this host in (mailconfig postfix --reply-clients)."
        return fail("relay", refusal, remedy)
    if seconds > COMMAND_TIMEOUT:
        seen = f"takes {seconds:.0f} s to answer; the hook waits {COMMAND_TIMEOUT:.0f} s for each command"
        return warn("relay", seen, "Ask once more; if it stays so, what do Postfix's maps and Dovecot wait for?")
    return ok("relay", otherwise)


def _refusal_of_reply(relay_url: str, recipient: str) -> str:
    """What it says against a reply; empty if nothing. Raises OSError, SMTPException."""
    url = urlsplit(relay_url)
    with smtplib.SMTP(url.hostname or "", url.port or 25, settings.MAIL_HOSTNAME, timeout=RELAY_PATIENCE) as relay:
        relay.ehlo()
        for command in ("MAIL FROM:<>", f"RCPT TO:<{recipient}>"):
            code, text = relay.docmd(command)
            if code >= 400:
                return f"{command} was answered {code} {text.decode(errors='replace')}"
        relay.rset()
    return ""


def check_signer(address: str) -> Finding:
    """The milter at HOST:PORT or unix:PATH that signs what leaves; Postfix sends unsigned while it is away."""
    if not address:
        return warn("signer", "Postfix was given no milter: what leaves is not signed", "mailconfig postfix --milter …")
    try:
        with _connected(address):
            return ok("signer", f"{address} takes connections")
    except (OSError, ValueError) as error:
        return fail(
            "signer", f"{address}: {error}; mail leaves unsigned", "systemctl restart rspamd; journalctl -u rspamd"
        )


def _connected(address: str) -> socket.socket:
    """Raises OSError, ValueError."""
    if path := address.removeprefix("unix:") if address.startswith("unix:") else "":
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(PATIENCE)
        made.connect(path)
        return made
    host, _colon, port = address.rpartition(":")
    return socket.create_connection((host.removeprefix("[").removesuffix("]"), int(port)), timeout=PATIENCE)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A program of the mail servers, found also where a user's PATH lacks sbin."""
    environment = os.environ | {"PATH": f"{os.environ.get('PATH', '')}:{SBIN}", "LC_ALL": "C.UTF-8"}
    try:
        return subprocess.run(  # noqa: S603 (no shell; the folder is the operator's)
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=30, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]} is not installed here")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"{command[0]} did not end within 30 seconds")
