"""What the spam filter marked lies in Junk; the owner's own rules see the rest."""

import shutil

import pytest
from django.core.management import CommandError

from responders.mailconfig.dovecot import spam_tests
from tests.mta.conftest import Hosting
from tests.mta.stack import MAIL_USER, Stack, message

OWN_RULES = """
require ["fileinto", "mailbox"];
if header :contains "subject" "faktura" { fileinto :create "Faktury"; }
"""


def marked(sender: str, recipient: str, subject: str, **fields: str) -> bytes:
    letter = message(sender, recipient, subject)
    for name, value in fields.items():
        letter[name.replace("_", "-")] = value
    return letter.as_bytes()


def give_rules(stack: Stack, address: str, rules: str) -> None:
    script = stack.home(address) / ".dovecot.sieve"
    script.write_text(rules)
    shutil.chown(script, MAIL_USER)


def test_marked_mail_lies_in_junk_whatever_the_owners_rules_say(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.mailbox("anna")
    stack.send(sender, anna)  # makes the folder of the mailbox
    stack.wait_until_stored(anna)
    give_rules(stack, anna, OWN_RULES)
    marks = [{"X_Spam_Flag": "YES"}, {"X_Spam": "yes"}, {"X_Spam_Status": "Yes, score=7.2 required=5.0"}]
    for fields in marks:
        stack.send(sender, anna, marked(sender, anna, "faktura", **fields))
    for fields in ({"X_Spam_Flag": "NO"}, {"X_Spam_Status": "No, score=-1"}, {}):
        stack.send(sender, anna, marked(sender, anna, "Faktura 1/2026", **fields))
    assert len(stack.wait_until_stored(anna, 3, folder_name="Junk")) == 3
    assert len(stack.wait_until_stored(anna, 3, folder_name="Faktury")) == 3
    stack.wait_for_empty_queue()
    assert len(stack.stored(anna)) == 1


def test_the_script_is_compiled_once_and_nothing_complains(stack: Stack, hosting: Hosting, sender: str) -> None:
    for name in ("anna", "ewa"):
        address = hosting.mailbox(name)
        stack.send(sender, address, marked(sender, address, "Oferta", X_Spam="Yes"))
        stack.wait_until_stored(address, folder_name="Junk")
    assert [path.name for path in (stack.folder / "mail" / ".sieve").iterdir()] == ["spam-to-junk.svbin"]
    log = (stack.folder / "log" / "dovecot.log").read_text()
    assert [line for line in log.splitlines() if "sieve" in line and "Error" in line] == []


def test_spam_is_not_answered(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.away("anna")
    stack.send(sender, anna, marked(sender, anna, "Oferta", X_Spam_Flag="YES"))
    stack.wait_until_stored(anna, folder_name="Junk")
    stack.wait_for_empty_queue()
    assert hosting.decisions(anna) == ["spam"]
    assert stack.sink.mail_for(sender) == []


def test_any_value_of_the_setting_is_a_valid_script() -> None:
    assert spam_tests([r"X-A: *?\"b"]) == r'header :matches "X-A" "\\*\\?\\\\\"b*"'
    assert spam_tests(["X-A:", "X-B: y"]) == 'header :matches "X-A" "*",\n    header :matches "X-B" "y*"'
    assert spam_tests([]) == "false"
    with pytest.raises(CommandError, match="SPAM_FIELDS"):
        spam_tests(["X-A: a\rb"])
