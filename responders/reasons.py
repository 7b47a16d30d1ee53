"""Each reason as one plain sentence for the owner of the mailbox."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from responders.core.facts import Reason

SENTENCES: dict[Reason, str | Promise] = {
    Reason.REPLIED: _("Your automatic reply was sent."),
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
    Reason.NOT_ADDRESSED: _("None of your addresses is in To or Cc: it was a blind copy or a redirected message."),
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
