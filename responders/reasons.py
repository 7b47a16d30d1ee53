"""Each reason as one plain sentence for the owner of the mailbox."""

from collections.abc import Iterable

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from responders.core.facts import Reason

SENTENCES: dict[Reason, str | Promise] = {
    Reason.REPLIED: _("The automatic reply was sent."),
    Reason.NULL_REVERSE_PATH: _("The message has no sender address to reply to: it is a report or an automatic reply."),
    Reason.BAD_REVERSE_PATH: _("The sender's address is not one that mail can be sent to."),
    Reason.SYSTEM_SENDER: _("The sender is a mail system, or its address says that it reads no replies."),
    Reason.AUTO_SUBMITTED: _("The message says itself that a machine wrote it."),
    Reason.LIST_OR_BULK: _("The message is from a mailing list, a newsletter or another mass mailing."),
    Reason.REPORT: _("The message is a delivery report or a read receipt."),
    Reason.AUTO_RESPONSE_SUPPRESS: _("The sender's program asked for no automatic replies."),
    Reason.MACHINE_MADE: _("The message comes from another autoresponder."),
    Reason.SPAM: _("The spam filter marked the message as spam."),
    Reason.FORGED: _("The sender's address is forged: the sender's domain disowns this message."),
    Reason.NO_MAILBOX: _("No mailbox stands behind this address any more."),
    Reason.OWN_ADDRESS: _("The message came from this mailbox itself."),
    Reason.NOT_ADDRESSED: _(
        "None of the mailbox's addresses is in To or Cc: it was a blind copy or a redirected message."
    ),
    Reason.INACTIVE: _("No autoresponder was on when the message came, or it was switched off before the reply."),
    Reason.AUDIENCE: _("The autoresponder that was on is not meant for this sender."),
    Reason.CONDITION: _("The autoresponder that was on is not meant for such messages."),
    Reason.ALREADY_REPLIED: _("This sender has had this reply lately."),
    Reason.RATE_LIMITED: _(
        "As many replies as are allowed were sent within the last hour; the brake lets go by itself."
    ),
    Reason.UNDELIVERABLE: _(
        "No reply could arrive: the sender's domain takes no mail, or refused an earlier reply for good."
    ),
    Reason.REFUSED: _("The reply was sent, but the mail server refused to accept it for this address."),
    Reason.ERROR: _("Something went wrong on our side; the operator can see what."),
}

# What each rule of the table found where it let a message pass.
PASSED: dict[Reason, str | Promise] = {
    Reason.NULL_REVERSE_PATH: _("The message has a sender to reply to."),
    Reason.SYSTEM_SENDER: _("The sender is not a mail system, and its address does not refuse replies."),
    Reason.BAD_REVERSE_PATH: _("Mail can be sent to the sender's address."),
    Reason.AUTO_SUBMITTED: _("The message does not say that a machine wrote it."),
    Reason.LIST_OR_BULK: _("It is not from a mailing list or a newsletter."),
    Reason.REPORT: _("It is not a delivery report or a read receipt."),
    Reason.AUTO_RESPONSE_SUPPRESS: _("The sender's program did not ask for silence."),
    Reason.MACHINE_MADE: _("It does not come from another autoresponder."),
    Reason.SPAM: _("The spam filter did not mark it."),
    Reason.FORGED: _("Nothing says that the sender's address is forged."),
    Reason.NO_MAILBOX: _("A mailbox stands behind the address."),
    Reason.OWN_ADDRESS: _("It did not come from this mailbox itself."),
    Reason.NOT_ADDRESSED: _("One of the mailbox's own addresses is in To or Cc."),
    Reason.INACTIVE: _("An autoresponder is on at that time."),
    Reason.AUDIENCE: _("An autoresponder is meant for this sender."),
    Reason.CONDITION: _("An autoresponder is meant for such messages."),
    Reason.ALREADY_REPLIED: _("The sender has not had this reply lately."),
    Reason.RATE_LIMITED: _("Not too many replies were sent within the last hour."),
    Reason.UNDELIVERABLE: _("Nothing is known that would keep a reply from arriving."),
}

# What support can do about each, or tell the customer.
ADVICE: dict[Reason, str | Promise] = {
    Reason.REPLIED: _(
        "Nothing: the reply left. If the sender did not see it, their spam folder or the log of their mail server"
        " knows more."
    ),
    Reason.NULL_REVERSE_PATH: _(
        "Nothing: reports are never answered, or two machines would write to each other for ever."
    ),
    Reason.BAD_REVERSE_PATH: _(
        "The sender's administrator has to mend the envelope address of the program that wrote it."
    ),
    Reason.SYSTEM_SENDER: _(
        "If people read that address, an administrator can look at the list of machine senders in the settings; "
        "the built-in names stay."
    ),
    Reason.AUTO_SUBMITTED: _(
        "Nothing on our side. If a person wrote it, the sender's program wrongly says that a machine did (Auto-"
        "Submitted)."
    ),
    Reason.LIST_OR_BULK: _(
        "Nothing: lists and newsletters are never answered. A person behind it can write directly to the mailbox."
    ),
    Reason.REPORT: _("Nothing: reports and receipts are never answered."),
    Reason.AUTO_RESPONSE_SUPPRESS: _(
        "Nothing on our side: the sender's mail program or server asked for no automatic replies."
    ),
    Reason.MACHINE_MADE: _("Nothing: two autoresponders never answer each other."),
    Reason.SPAM: _("If it is no spam, the spam filter has to learn it; the next message is then answered."),
    Reason.FORGED: _("If the sender is real, their administrator has to mend SPF, DKIM or DMARC of their domain."),
    Reason.NO_MAILBOX: _("Look whether the mailbox or the alias was deleted or renamed: the domain's page shows it."),
    Reason.OWN_ADDRESS: _(
        "Nothing: nobody gets a reply to a message to themselves. For a trial, write from another address or use "
        "“Try it”."
    ),
    Reason.NOT_ADDRESSED: _(
        "If it came by a group address, the owner can have that answered: “Group addresses” on the mailbox's "
        "page. Blind copies stay without a reply."
    ),
    Reason.INACTIVE: _(
        "Look at the dates, the hours and the switch on the mailbox's page; the history says who changed them."
    ),
    Reason.AUDIENCE: _("If this sender should get a reply, change “Who gets a reply” of the autoresponder."),
    Reason.CONDITION: _(
        "If such messages should get a reply, change “Which messages it answers” of the autoresponder."
    ),
    Reason.ALREADY_REPLIED: _(
        "If everybody should get it once more, “Answer everyone again” under “More” does that; the number of days"
        " is in the autoresponder's settings."
    ),
    Reason.RATE_LIMITED: _(
        "Look who wrote so often: if it was a machine, the brake did its work. If not, a higher number of replies"
        " an hour can be set."
    ),
    Reason.UNDELIVERABLE: _(
        "If the sender's address works again, take it off the refused addresses; a domain that takes no mail is "
        "the sender's to mend."
    ),
    Reason.REFUSED: _(
        "The evidence says what the sender's mail server answered. When it is mended there, take the address off "
        "the refused ones."
    ),
    Reason.ERROR: _("Tell the operator: the message is kept for a look (manage.py quarantine)."),
}


def sentence(reason: str) -> str | Promise:
    """Of a stored reason; one that this version does not know stands as it is."""
    return SENTENCES[Reason(reason)] if reason in set(Reason) else reason


def passed(names: Iterable[str]) -> list[str | Promise]:
    """Of stored misses: what each rule found in order."""
    return [PASSED[Reason(name)] for name in names if name in set(Reason) and Reason(name) in PASSED]
