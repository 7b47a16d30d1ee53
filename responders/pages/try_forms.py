"""Trying a responder out: a sender, a moment and a message that nobody has sent."""

from email import message_from_bytes
from email.utils import parseaddr
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mailboxes import addresses
from mailboxes.models import Mailbox
from responders.core import schedule
from responders.fields import LocalDateTimeField
from responders.validation import own_addresses

MAX_MESSAGE_OCTETS = 1_000_000
OUTLOOK_FILE = bytes.fromhex("d0cf11e0a1b11ae1")  # how a compound file begins (MS-CFB §2.2)


class TryForm(forms.Form):
    """What would become of a message: typed in a few words, or a real one pasted or dropped in."""

    sender = forms.CharField(label=_("Sender"), max_length=320, required=False)
    at = LocalDateTimeField(label=_("When it comes"), required=False, help_text=_("Empty: now."))
    recipient = forms.ChoiceField(label=_("Written to"))
    subject = forms.CharField(label=_("Subject"), max_length=500, required=False)
    text = forms.CharField(label=_("Text of the message"), required=False, widget=forms.Textarea(attrs={"rows": 3}))
    source = forms.CharField(
        label=_("Or a whole message"),
        required=False,
        max_length=MAX_MESSAGE_OCTETS,
        widget=forms.Textarea(attrs={"rows": 4, "class": "letter"}),
        help_text=_("Its source, as mail programs show it: “show original”."),
    )
    file = forms.FileField(
        label=_("Or a file (.eml)"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(
            attrs={
                "accept": ".eml,message/rfc822",
                "data-drop": _("Or drop the message here: from your mail program, or as a file."),
                "data-drop-press": "try",
            }
        ),
    )

    def __init__(self, *args: Any, mailbox: Mailbox, **kwargs: Any) -> None:
        self._mailbox = mailbox
        super().__init__(*args, **kwargs)
        choices = [(address, addresses.display(address)) for address in own_addresses(mailbox)]
        self.fields["recipient"].choices = choices  # type: ignore[attr-defined]
        self.helper = FormHelper()
        self.helper.attrs = {"novalidate": ""}
        self.helper.layout = Layout(
            Div(
                Div("sender", "at", css_class="dates"), "recipient", "subject", "text", "source", "file",
                Div(Submit("try", _("See what happens")), css_class="actions"), css_class="sheet",
            )
        )  # fmt: skip

    def clean_at(self) -> Any:
        local = self.cleaned_data["at"]
        try:
            return local and schedule.to_utc(local, self._mailbox.time_zone)
        except schedule.LocalTimeError as error:
            raise forms.ValidationError(gettext("On this day the clock changes: this time is not clear.")) from error

    def clean_file(self) -> bytes:
        file = self.cleaned_data["file"]
        if file is None:
            return b""
        if file.size > MAX_MESSAGE_OCTETS:
            raise forms.ValidationError(gettext("This file is larger than 1 MB."))
        content: bytes = file.read()
        if content.startswith(OUTLOOK_FILE):
            raise forms.ValidationError(gettext("This is a .msg file of Outlook's own: save the message as .eml."))
        return content

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        values["content"] = values.get("file") or values.get("source", "").encode() or self._typed(values)
        if not values.get("sender"):
            values["sender"] = _author(values["content"])
        if not values["sender"]:
            self.add_error("sender", gettext("Write the sender's address."))
        return values

    def _typed(self, values: dict[str, Any]) -> bytes:
        fields = {
            "From": values.get("sender", ""), "To": values.get("recipient", ""), "Subject": values.get("subject", ""),
        }  # fmt: skip
        head = "".join(f"{name}: {' '.join(value.split())}\r\n" for name, value in fields.items())
        kind = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        return f"{head}{kind}\r\n{values.get('text', '')}".encode()


def _author(content: bytes) -> str:
    """Who a whole message is from: the Return-Path that a mail server put on it, else its From field."""
    parsed = message_from_bytes(content)
    named = [parseaddr(str(parsed[name]))[1] for name in ("Return-Path", "From") if parsed[name]]
    return next((address for address in named if addresses.normal_form_or_none(address)), "")
