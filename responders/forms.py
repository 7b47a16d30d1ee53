"""The responder form: what a person types, and how it becomes `services.ResponderInput`."""

from datetime import datetime
from functools import partial
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Div, Field, Layout, Submit
from django import forms
from django.utils.functional import Promise, lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from mailboxes.models import Mailbox
from responders.core.rendering import DEFAULT_SUBJECT, placeholders_used
from responders.models import Responder, ResponderType
from responders.services import ResponderInput, as_input

# Placeholder → what it stands for, and an example.
PLACEHOLDER_WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "sender.name": (_("the sender's name, or the address where there is none"), "Jan Kowalski"),
    "sender.address": (_("the sender's address"), "jan@example.com"),
    "subject": (_("the subject of the message that is answered"), _("A question about the offer")),
    "mailbox.name": (_("the name of this mailbox"), "Anna Nowak"),
    "mailbox.address": (_("the address of this mailbox"), "anna@example.com"),
    "absence.start": (_("when the absence begins"), _("24 December 2026, 17:00")),
    "absence.end": (_("when the absence ends"), _("4 January 2027, 08:00")),
    "absence.return_date": (_("the day on which the absence ends"), _("4 January 2027")),
}


class LocalDateTimeField(forms.DateTimeField):
    """A wall-clock time: naive in, naive out, whatever zone is active."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def to_python(self, value: Any) -> datetime | None:
        if not value or isinstance(value, datetime):
            return value or None
        try:
            local = datetime.fromisoformat(value.strip())
        except ValueError:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None
        return local.replace(tzinfo=None)

    def prepare_value(self, value: Any) -> Any:
        return value


_card = lazy(partial(format_html, "<strong>{}</strong> <span>{}</span>"), SafeString)


class Folded(Div):
    """Fields that most people leave alone; open where one of them needs a look."""

    template = "responders/folded.html"

    def __init__(self, form: "ResponderForm", *fields: str) -> None:
        super().__init__(*fields)
        self._form = form
        self._names = fields

    @property
    def is_open(self) -> bool:
        form = self._form
        return any(name in form.errors for name in self._names) or not form["is_enabled"].value()


class ResponderForm(forms.Form):
    """All that a responder needs, the type first. Times are in the mailbox's zone."""

    type = forms.ChoiceField(
        label=_("What kind of reply?"),
        choices=[
            (ResponderType.ABSENCE, _card(_("Absence message"), _("It starts and stops by itself."))),
            (ResponderType.STANDING, _card(_("Standing reply"), _("It stays on until you switch it off."))),
        ],
        initial=ResponderType.ABSENCE,
        widget=forms.RadioSelect(attrs={"class": "form-check-input"}),
    )
    from_date = LocalDateTimeField(label=_("From when"), required=False, help_text=_("Empty: from now on."))
    to_date = LocalDateTimeField(label=_("Until when"), required=False, help_text=_("Empty: until you switch it off."))
    subject = forms.CharField(label=_("Subject"), max_length=500, initial=DEFAULT_SUBJECT)
    text_body = forms.CharField(label=_("Text of the reply"), widget=forms.Textarea(attrs={"rows": 9}))
    html_body = forms.CharField(
        label=_("Formatted text (HTML)"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("For mail programs that show it; the others show the text above."),
    )
    interval_days = forms.IntegerField(
        label=_("Answer the same sender again after (days)"), min_value=1, max_value=365, initial=7
    )
    is_enabled = forms.BooleanField(label=_("Switched on"), required=False, initial=True)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, mailbox: Mailbox, responder: Responder | None = None, **kwargs: Any) -> None:
        self.time_zone = responder.time_zone if responder else mailbox.time_zone
        if responder is not None:
            kwargs["initial"] = {**vars(as_input(responder)), "version": responder.version}
        super().__init__(*args, **kwargs)
        self.fields["text_body"].widget.attrs["placeholder"] = _("Thank you for your message. I am away until…")
        self.helper = FormHelper()
        self.helper.attrs = {"novalidate": ""}  # our own words stand beside the fields, in the panel's language
        self.helper.layout = self._layout()

    def _layout(self) -> Layout:
        return Layout(
            "version",
            Div(Field("type", template="responders/type_cards.html"), css_class="sheet"),
            Div(
                Div("from_date", "to_date", css_class="dates"),
                HTML('{% include "responders/zone.html" %}'),
                css_class="sheet only-absence",
            ),
            Div("subject", "text_body", HTML('{% include "responders/placeholders.html" %}'), css_class="sheet"),
            Folded(self, "html_body", "interval_days", "is_enabled"),
            Div(
                Submit("save", _("Save")),
                HTML('{% include "responders/cancel.html" %}'),
                css_class="actions",
            ),
        )

    def as_input(self) -> ResponderInput:
        """What was typed; `clean` has run."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "version"}
        return ResponderInput(time_zone=self.time_zone, **values)


def warnings_about(values: ResponderInput) -> list[str | Promise]:
    """What a person should know about a text that was saved all the same."""
    used = placeholders_used(values.subject) | placeholders_used(values.text_body) | placeholders_used(values.html_body)
    found: list[str | Promise] = []
    if used & {"absence.end", "absence.return_date"} and values.to_date is None:
        found.append(_("The text names the end of the absence, but no end is set: its place stays empty."))
    if "absence.start" in used and values.from_date is None:
        found.append(_("The text names the start of the absence, but no start is set: its place stays empty."))
    return found
