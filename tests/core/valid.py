"""What every reply is, whatever the message was: read back with the standard library's strict parser."""

import email
import email.policy
import re
from email.message import EmailMessage

from mailboxes.addresses import display, normalise
from responders.core.body import body_text
from responders.core.decision import Policy, Reason, decide, explain
from responders.core.facts import Conditions, Text
from responders.core.message import Message, read_message
from responders.core.rendering import Rendered, render
from responders.core.reply import Reply, compose
from tests.core.facts import NOW, mailbox, responder

ONCE = (
    "Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "Precedence",
    "Content-Language", "MIME-Version", "Content-Type",
)  # fmt: skip
NEVER = ("Cc", "Bcc", "Sender", "Reply-To", "Return-Path", "Disposition-Notification-To", "Return-Receipt-To")
_STRICT = email.policy.SMTP.clone(raise_on_defect=True, utf8=True)
POLICY = Policy(spam_fields=("X-Spam-Flag: YES",), authserv_id="panel.example", system_senders=("robot-*",))
ANNA = mailbox(
    responder(id=1, conditions=Conditions(words=("reklamacja", "zwrot towaru"), in_body=True, word_forms=True)),
    responder(
        id=2,
        text_body="{{ sender.name }} {{ subject | truncate: 20 }} {% if subject %}{{ sender.address }}{% endif %}",
        html_body='<p title="{{ subject }}">{{ sender.name }}</p>',
        texts=(Text("en", "{{ subject }}", "{{ sender.name }}"), Text("de", "x", "{{ subject }}", "<b>{{ subject }}")),
    ),
)
_MESSAGE_ID = re.compile(r"<[^\s<>@]+@[^\s<>@]+>")


def assert_answered_well(content: bytes, reverse_path: str) -> Reason:
    """Whatever the octets: they are read, decided and explained, and a reply to them is a valid message."""
    message = read_message(content, reverse_path)
    body_text(content)
    explain(message, ANNA, POLICY, NOW)
    decided = decide(message, ANNA, POLICY, NOW)
    if decided.responder is not None and decided.reason is Reason.REPLIED:
        rendered = render(decided.responder, ANNA, message)
        reply = compose(rendered, ANNA, message, now=NOW, hostname="panel.example", from_address=ANNA.address)
        assert_valid(reply, message, rendered, ANNA.address)
    return decided.reason


def assert_valid(reply: Reply, message: Message, rendered: Rendered, from_address: str) -> EmailMessage:
    """The reply as read; whatever is against RFC 5322, 2045, 2047 or 3834 fails."""
    _assert_lines(reply.content)
    read = email.message_from_bytes(reply.content, policy=_STRICT)
    assert isinstance(read, EmailMessage)
    assert [name for name in ONCE if len(read.get_all(name, [])) != 1] == []
    assert [name for name in NEVER if name in read] == []
    assert read["Auto-Submitted"] == "auto-replied"
    assert read["From"].addresses[0].addr_spec == from_address
    assert len(read["From"].addresses) == 1
    _assert_goes_to(reply, message, read)
    _assert_threads(message, read)
    assert "".join(str(read["Subject"]).split()) == "".join(rendered.subject.split())
    return read


def _assert_lines(content: bytes) -> None:
    lines = content.split(b"\r\n")
    assert all(b"\n" not in line and b"\r" not in line and b"\0" not in line for line in lines)
    assert max(map(len, lines)) <= 998
    head = content.split(b"\r\n\r\n")[0]
    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^ ]+\?=", head))


def _assert_goes_to(reply: Reply, message: Message, read: EmailMessage) -> None:
    assert reply.reverse_path == ""
    assert normalise(reply.forward_path) == normalise(message.reverse_path)
    assert reply.forward_path.rpartition("@")[0] == message.reverse_path.rpartition("@")[0]
    # The parser of octets keeps what is beyond ASCII as surrogates (RFC 6532 came after it).
    to = read["To"].addresses[0].addr_spec.encode("utf-8", "surrogateescape").decode("utf-8")
    assert display(to) == display(reply.forward_path)
    assert len(read["To"].addresses) == 1
    assert reply.needs_smtputf8 or reply.content.split(b"\r\n\r\n")[0].isascii()


def _assert_threads(message: Message, read: EmailMessage) -> None:
    replied_to = str(read.get("In-Reply-To", "")).split()
    references = str(read.get("References", "")).split()
    assert all(_MESSAGE_ID.fullmatch(each) and each.isascii() for each in [*replied_to, *references])
    assert len(references) <= 20
    assert replied_to == references[-1:] or not replied_to
    if replied_to:
        assert replied_to == [message.message_id]
