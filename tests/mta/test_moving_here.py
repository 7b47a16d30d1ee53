"""A company that moves here, on the real servers: a dump, then mail, sign-ins, replies and the mail itself."""

import io
import subprocess
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from mailboxes import services
from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import Stack, message, until
from tests.mta.test_spam_folder import OWN_RULES, give_rules
from tests.mta.test_the_main_job import read_inbox

DUMP = """
CREATE TABLE `domain` (`domain` varchar(255), `active` tinyint(1));
INSERT INTO `domain` VALUES ('DOMAIN',1);
CREATE TABLE `mailbox` (`username` varchar(255), `password` varchar(255), `name` varchar(255), `active` tinyint(1));
INSERT INTO `mailbox` VALUES ('anna@DOMAIN','HASH','Anna Żółć',1),('jan@DOMAIN','HASH','',1);
CREATE TABLE `alias` (`address` varchar(255), `goto` text, `active` tinyint(1));
INSERT INTO `alias` VALUES ('anna@DOMAIN','anna@DOMAIN,anna#DOMAIN@autoreply.DOMAIN',1),
    ('biuro@DOMAIN','anna@DOMAIN',1),
    ('@DOMAIN','jan@DOMAIN',1);
CREATE TABLE `vacation` (`email` varchar(255), `subject` varchar(255), `body` text, `activefrom` timestamp,
    `activeuntil` timestamp, `interval_time` int, `active` tinyint(1));
INSERT INTO `vacation` VALUES ('anna@DOMAIN','Urlop: $SUBJECT','Rabat 100%, {{ dosłownie }}.','2000-01-01 00:00:00',
    '2038-01-18 00:00:00',0,1);
"""


@pytest.fixture
def moved(hosting: Hosting, tmp_path: Path) -> str:
    """The domain of a company whose PostfixAdmin was imported, with Dovecot's own hash of everybody's password."""
    made = subprocess.run(
        ["doveadm", "pw", "-s", "SHA512-CRYPT", "-p", PASSWORD], check=True, capture_output=True, text=True
    )  # fmt: skip
    dump = tmp_path / "postfix.sql"
    dump.write_text(DUMP.replace("DOMAIN", hosting.domain).replace("HASH", made.stdout.strip()))
    call_command("import", "postfixadmin", str(dump), "--apply", stdout=io.StringIO())
    return hosting.domain


def test_mail_comes_and_is_answered_and_everybody_signs_in_as_before(
    stack: Stack, hosting: Hosting, moved: str, sender: str
) -> None:
    assert stack.send(sender, f"biuro@{moved}", message(sender, f"biuro@{moved}", subject="Oferta")) == {}
    [reply] = stack.sink.wait_for(sender)
    assert reply.message["Subject"] == "Urlop: Oferta"
    assert reply.message["From"] == f"Anna Żółć <biuro@{moved}>"  # as she was written to
    assert "Rabat 100%, {{ dosłownie }}." in reply.text
    stack.wait_until_stored(f"anna@{moved}")
    assert [letter["Subject"] for letter in read_inbox(stack, f"anna@{moved}")] == ["Oferta"]
    assert stack.send(sender, f"nikt@{moved}", message(sender, f"nikt@{moved}", subject="Do nikogo")) == {}
    stack.wait_until_stored(f"jan@{moved}")
    assert [letter["Subject"] for letter in read_inbox(stack, f"jan@{moved}")] == ["Do nikogo"]


def test_the_mail_itself_is_copied_as_the_documentation_says(
    stack: Stack, hosting: Hosting, moved: str, sender: str
) -> None:
    """From one mailbox to another of the same Dovecot, over IMAP, twice: the second time nothing comes twice."""
    old, new = f"anna@{moved}", f"jan@{moved}"
    for number in range(2):
        stack.send(sender, old, message(sender, old, subject=f"Stary list {number}"))
        stack.wait_until_stored(old, number + 1)
    options = {"host": "127.0.0.1", "port": stack.imap_port, "ssl": "no", "user": old, "password": PASSWORD}
    options["features"] = "rfc822.size fetch-headers"
    settings = [argument for name, value in options.items() for argument in ("-o", f"imapc_{name}={value}")]
    command = ["doveadm", "-c", str(stack.folder / "dovecot/dovecot.conf"), *settings]
    for action in (["backup", "-R"], ["sync", "-1", "-R"]):
        subprocess.run([*command, *action, "-u", new, "imapc:"], check=True, timeout=300, capture_output=True)
        subjects = sorted(str(letter["Subject"]) for letter in read_inbox(stack, new))
        assert subjects == ["Stary list 0", "Stary list 1"]


def test_it_moves_again_without_a_change(hosting: Hosting, moved: str, tmp_path: Path) -> None:
    services.add_alias(f"nowy@{moved}", [f"anna@{moved}"])
    out = io.StringIO()
    try:
        call_command("import", "postfixadmin", str(tmp_path / "postfix.sql"), "--apply", "--json", stdout=out)
    except CommandError as error:
        pytest.fail(str(error))
    assert '"new"' not in out.getvalue()


def test_a_vacation_script_in_dovecots_folder_becomes_the_panels_reply(
    stack: Stack, hosting: Hosting, sender: str
) -> None:
    """Before, it answers nobody and loses nothing; taken out of the script, it lets the owner's other rules work."""
    anna, other = hosting.mailbox("anna"), f"x{sender}"
    stack.send(sender, anna)  # makes the folder of the mailbox
    stack.wait_until_stored(anna)
    vacation = 'vacation :days 3 :subject "Urlop" "Wracam w poniedziałek.";'
    give_rules(stack, anna, f'require "vacation"; {OWN_RULES.strip()}\n{vacation}\n')
    stack.send(sender, anna, message(sender, anna, "faktura 1"))
    stack.wait_until_stored(anna, 2)
    stack.wait_for_empty_queue()
    assert stack.sink.mail_for(sender) == []
    call_command("import", "sieve", str(stack.folder / "mail"), "--address", anna, "--apply", stdout=io.StringIO())
    give_rules(stack, anna, OWN_RULES)
    for writer, subject in ((sender, "Pytanie"), (sender, "Pytanie znowu"), (other, "faktura 2")):
        stack.send(writer, anna, message(writer, anna, subject))
    stack.wait_until_stored(anna, 4)
    [filed] = stack.wait_until_stored(anna, folder_name="Faktury")
    assert filed["Subject"] == "faktura 2"
    stack.sink.wait_for(other)
    until(lambda: len(hosting.decisions(anna)) == 3, "three decisions")
    stack.wait_for_empty_queue()
    [reply] = stack.sink.mail_for(sender)
    assert (reply.message["Subject"], reply.text.strip()) == ("Urlop", "Wracam w poniedziałek.")
