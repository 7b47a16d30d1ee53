"""What support types about a message that somebody asks about."""

from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes import addresses
from responders.core import schedule
from responders.fields import LocalDateTimeField
from responders.support.support_why import MAX_HEADER, Asked, read_header


class WhyForm(forms.Form):
    """A header, or what the caller remembers."""

    header = forms.CharField(
        label=gettext_lazy("Header of the message"), required=False, max_length=MAX_HEADER,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=gettext_lazy("As the sender's mail program shows it (“show original”). It says the most."),
    )  # fmt: skip
    sender = forms.CharField(label=gettext_lazy("Sender"), required=False, max_length=320)
    recipient = forms.CharField(label=gettext_lazy("Written to"), required=False, max_length=320)
    at = LocalDateTimeField(label=gettext_lazy("When about"), required=False)
    message_id = forms.CharField(label="Message-ID", required=False, max_length=998)

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        self._zone = zone
        super().__init__(*args, **kwargs)
        words = {"zone": zone}
        self.fields["at"].help_text = _("In the time zone %(zone)s; a day before and after is looked at.") % words
        self.helper = FormHelper()
        self.helper.layout = Layout(
            Div(
                "header", Div("sender", "recipient", css_class="dates"), Div("at", "message_id", css_class="dates"),
                Div(Submit("ask", _("Find out why")), css_class="actions mt-3"), css_class="sheet",
            )
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name in ("sender", "recipient"):
            typed = values.get(name, "").strip()
            if typed and addresses.normal_form_or_none(typed) is None:
                self.add_error(name, _("This is not a mail address: write name@example.com."))
        if not self.errors and not any(values.get(name) for name in ("header", "sender", "message_id")):
            self.add_error("header", _("Paste the header, or say at least who wrote."))
        return values

    def asked(self) -> Asked:
        """What was typed, over what the header says; the form is valid."""
        typed = self.cleaned_data
        found = read_header(typed["header"]) if typed["header"] else Asked()
        message_id = typed["message_id"].strip() or found.message_id
        if message_id and not message_id.startswith("<"):
            message_id = f"<{message_id}>"
        return Asked(
            sender=addresses.normal_form_or_none(typed["sender"]) or found.sender,
            recipient=addresses.normal_form_or_none(typed["recipient"]) or found.recipient,
            message_id=message_id, at=self._at() or found.at, header=found.header,
        )  # fmt: skip

    def _at(self) -> Any:
        local = self.cleaned_data["at"]
        if local is None:
            return None
        try:
            return schedule.to_utc(local, self._zone)
        except schedule.LocalTimeError as error:  # a clock that was put on: an hour more or less does not matter
            return schedule.to_utc(error.before, self._zone)
