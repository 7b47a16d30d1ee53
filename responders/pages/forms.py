"""The responder form: what a person types, and how it becomes `validation.ResponderInput`."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import time
from functools import partial
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Div, Field, Layout, Submit
from django import forms
from django.utils import timezone
from django.utils.functional import Promise, lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from mailboxes.addresses import display
from mailboxes.models import Mailbox
from responders.core.facts import Audience, CaseForm, Text
from responders.core.hours import HoursMode
from responders.core.rendering import DEFAULT_SUBJECT
from responders.core.schedule import to_local
from responders.drafting import writing
from responders.fields import ListField, LocalDateTimeField
from responders.models import AudienceChoices, CaseFormChoices, HoursModeChoices, Responder, ResponderType, working_days
from responders.sentences import days_to_choose, language_name
from responders.validation import TEXT_LANGUAGES, ResponderInput, as_input, own_addresses

TEXTS = "texts"

# Placeholder → what it stands for, and an example.
PLACEHOLDER_WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "sender.name": (_("the sender's name, or the address where there is none"), "Jan Kowalski"),
    "sender.address": (_("the sender's address"), "jan@example.com"),
    "subject": (_("the subject of the message that is answered"), _("A question about the offer")),
    "mailbox.name": (_("the name of this mailbox"), "Anna Nowak"),
    "mailbox.address": (_("the address of this mailbox"), "anna@example.com"),
    "absence.start": (_("when the absence begins"), _("24 December 2026, 17:00")),
    "absence.end": (_("when the absence ends"), _("4 January 2027, 08:00")),
    "absence.return_date": (_("the first working day after the absence"), _("4 January 2027")),
    "deputy.name": (_("the deputy's name, or the address where there is none"), "Ewa Lis"),
    "deputy.address": (_("the deputy's address"), "ewa@example.com"),
    "case.number": (_("the number of the conversation, where the standing reply gives numbers"), "2026/000123"),
}


_card = lazy(partial(format_html, "<strong>{}</strong> <span>{}</span>"), SafeString)


class Folded(Div):
    """Fields that most people leave alone; open where one of them holds something unusual or needs a look."""

    template = "responders/folded.html"

    def __init__(self, form: forms.Form, title: str | Promise, *fields: str | HTML, css_class: str = "") -> None:
        self._names = [name for name in fields if isinstance(name, str) and name in form.fields]
        super().__init__(
            *(name for name in fields if name in form.fields or isinstance(name, HTML)), css_class=css_class
        )
        self.title = title
        self._form = form

    @property
    def is_open(self) -> bool:
        return any(name in self._form.errors or self._is_unusual(name) for name in self._names)

    def _is_unusual(self, name: str) -> bool:
        value, usual = self._form[name].value(), self._form.fields[name].initial
        if isinstance(usual, bool):
            return bool(value) != usual
        return bool(value) and _as_typed(value) != _as_typed(usual)


def _as_typed(value: Any) -> str:
    """A stored value as a browser sends it."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return f"{value:%H:%M}" if isinstance(value, time) else str(value)


def _clock() -> forms.TimeInput:
    return forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


class TextForm(forms.Form):
    """One more text of a responder: in another language, or for colleagues."""

    language = forms.ChoiceField(label=_("Language"))
    for_colleagues = forms.ChoiceField(
        label=_("Who reads it"),
        choices=[("", _("Everyone")), ("True", _("Only colleagues"))],
        required=False,
        help_text=_("Colleagues write from a domain of your company."),
    )
    subject = forms.CharField(label=_("Subject"), max_length=500)
    text_body = forms.CharField(label=_("Text of the reply"), widget=forms.Textarea(attrs={"rows": 6}))
    html_body = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [("", "–"), *languages()]  # type: ignore[attr-defined]
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.disable_csrf = True

    @property
    def title(self) -> str | Promise:
        """What the text is, for its folded head."""
        code = self["language"].value()
        if not code or code not in TEXT_LANGUAGES:
            return _("Add a text in another language, or for colleagues")
        name = language_name(code)
        return _("%(language)s, for colleagues") % {"language": name} if self["for_colleagues"].value() else name

    def as_text(self) -> Text:
        """What was typed; the form is valid."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "DELETE"}
        return Text(**values | {"for_colleagues": bool(values["for_colleagues"])})


TextFormSet = forms.formset_factory(TextForm, extra=1, can_delete=True, can_delete_extra=False, max_num=20)


def languages() -> list[tuple[str, str]]:
    return sorted(((code, language_name(code)) for code in TEXT_LANGUAGES), key=lambda pair: pair[1])


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
    answers_once = forms.BooleanField(
        label=_("Answer each sender only once"),
        required=False,
        initial=False,
        help_text=_("Once an absence, however many days pass."),
    )
    language = forms.ChoiceField(label=_("Language of the text above"), required=False)
    audience = forms.ChoiceField(
        label=_("Who gets a reply"),
        choices=AudienceChoices.choices,
        required=False,
        initial=Audience.EVERYONE.value,
        help_text=_("Colleagues write from a domain of your company."),
    )
    addresses = forms.MultipleChoiceField(
        label=_("Only for mail to"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Nothing chosen: for mail to any of these addresses."),
    )
    words = ListField(
        label=_("Only for messages with one of these words"),
        required=False,
        help_text=_("With commas between them: complaint, refund. Capitals and accents do not matter."),
    )
    words_in_body = forms.BooleanField(
        label=_("Look for them in the text, too, not only in the subject"), required=False, initial=False
    )
    word_forms = forms.BooleanField(
        label=_("Find other forms of these words, too"),
        required=False,
        initial=False,
        help_text=_("“reklamacja” then finds “reklamację” and “reklamacji”."),
    )
    senders = ListField(
        label=_("Only for messages from"),
        required=False,
        help_text=_("Addresses or domains with commas between them: jan@example.com, example.org."),
    )
    deputy_name = forms.CharField(label=_("Deputy's name"), required=False, max_length=200)
    deputy_address = forms.CharField(label=_("Deputy's address"), required=False, max_length=320)
    deputy_gets_copy = forms.BooleanField(
        label=_("The deputy gets a copy of each message while I am away"),
        required=False,
        initial=False,
        help_text=_("Only to a mailbox of your own company; it ends together with the absence."),
    )
    gives_case_numbers = forms.BooleanField(
        label=_("Give each conversation a number"),
        required=False,
        initial=False,
        help_text=_("Write {{ case.number }} into the subject and the text. Later messages keep their number."),
    )
    case_form = forms.ChoiceField(
        label=_("Form of the number"), choices=CaseFormChoices.choices, required=False, initial=CaseForm.YEAR.value
    )
    case_prefix = forms.CharField(
        label=_("Before the number"), required=False, max_length=20, help_text=_("For example R- for R-2026/000123.")
    )
    hours_mode = forms.ChoiceField(
        label=_("When it answers"), choices=HoursModeChoices.choices, required=False, initial=HoursMode.ALWAYS.value
    )
    office_days = forms.TypedMultipleChoiceField(
        label=_("Office days"), coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )
    office_opens = forms.TimeField(label=_("Office opens"), required=False, initial=time(8), widget=_clock())
    office_closes = forms.TimeField(label=_("Office closes"), required=False, initial=time(16), widget=_clock())
    holidays_are_off = forms.BooleanField(label=_("Closed on public holidays"), required=False, initial=True)
    is_enabled = forms.BooleanField(label=_("Switched on"), required=False, initial=True)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    draft = forms.CharField(required=False, widget=forms.HiddenInput, initial=writing.new_key)
    ics = forms.FileField(
        label=_("Take the dates from a calendar file (.ics)"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".ics,text/calendar", "data-drop": _("Or drop the file here.")}),
    )

    def __init__(
        self, *args: Any, mailbox: Mailbox, may_send_copies: bool, responder: Responder | None = None, **kwargs: Any
    ) -> None:
        self.mailbox = mailbox
        self.responder = responder
        self.time_zone = responder.time_zone if responder else mailbox.time_zone
        self._language = (responder and responder.language) or mailbox.language
        self._stored_texts = as_input(responder).texts if responder else ()
        if responder is not None:
            kwargs["initial"] = {**vars(as_input(responder)), "version": responder.version, "language": self._language}
        super().__init__(*args, **kwargs)
        self._choose_from(mailbox)
        if not may_send_copies:
            self._leave_copies_alone()
        typed_texts = self.data if f"{TEXTS}-TOTAL_FORMS" in self.data else None
        self.texts = TextFormSet(typed_texts, prefix=TEXTS, initial=[asdict(text) for text in self._stored_texts])
        self.fields["text_body"].widget.attrs["placeholder"] = _("Thank you for your message. I am away until…")
        self.helper = FormHelper()
        self.helper.form_id = "responder-form"
        self.helper.attrs = {
            "novalidate": "",  # our own words stand beside the fields, in the panel's language
            "data-now": f"{to_local(timezone.now(), self.time_zone):%Y-%m-%dT%H:%M}",
            "data-replace": _("Replace what you have written?"),
        }
        if responder is None and not self.is_bound and self.initial.get("text_body"):
            self.helper.attrs["data-filled-in"] = ""  # by us: whoever picks another text need not be asked
        self.helper.layout = self._layout()

    def _choose_from(self, mailbox: Mailbox) -> None:
        """The choices that depend on the mailbox and the active language; with one address there is none."""
        self.fields["language"].choices = languages()  # type: ignore[attr-defined]
        self.fields["language"].initial = self._language
        self.fields["office_days"].choices = days_to_choose()  # type: ignore[attr-defined]
        self.fields["office_days"].initial = working_days()
        own = self.own_addresses = own_addresses(mailbox)
        chosen = [address for address in self.initial.get("addresses", ()) if address not in own]
        self.fields["addresses"].choices = [  # type: ignore[attr-defined]
            (address, display(address)) for address in [*own, *chosen]
        ]
        if len(own) + len(chosen) < 2:
            del self.fields["addresses"]

    def _leave_copies_alone(self) -> None:
        """Whatever is sent: nobody new gets a copy of the mail."""
        gets_copy = self.fields["deputy_gets_copy"]
        gets_copy.disabled = True
        gets_copy.help_text = _("Only the owner says who gets a copy of the mail.")
        self.fields["deputy_address"].disabled = self.responder is not None and self.responder.deputy_gets_copy

    def is_valid(self) -> bool:
        return super().is_valid() and (not self.texts.is_bound or self.texts.is_valid())

    @property
    def has_mistakes(self) -> bool:
        """Whether something needs another look, in a further text as well."""
        return bool(self.errors) or (self.texts.is_bound and self.texts.total_error_count() > 0)

    def _layout(self) -> Layout:
        return Layout(
            "version",
            "draft",
            Div(Field("type", template="responders/type_cards.html"), css_class="sheet"),
            self._dates_sheet(),
            Div(
                HTML('{% include "responders/ready.html" %}'),
                "subject",
                "text_body",
                HTML('{% include "responders/placeholders.html" %}'),
                css_class="sheet",
            ),
            HTML('{% include "responders/texts.html" %}'),
            *self._folded(),
            HTML('{% include "responders/preview_area.html" %}'),
            Div(
                Submit("save", _("Save")),
                HTML('{% include "responders/preview_button.html" %}'),
                HTML('{% include "responders/cancel.html" %}'),
                css_class="actions",
            ),
        )

    def _dates_sheet(self) -> Div:
        return Div(
            Div("from_date", "to_date", css_class="dates"),
            HTML('{% include "responders/quick_ends.html" %}'),
            HTML('{% include "responders/zone.html" %}'),
            Folded(self, _("From a calendar"), "ics", HTML('{% include "responders/take_ics.html" %}')),
            css_class="sheet only-absence",
        )

    def _folded(self) -> list[Folded]:
        """What most people leave alone."""
        which = ("audience", "addresses", "words", "words_in_body", "word_forms", "senders")
        cases = ("gives_case_numbers", "case_form", "case_prefix")
        hours = ("hours_mode", "office_days", "office_opens", "office_closes", "holidays_are_off")
        deputy = ("deputy_name", "deputy_address", "deputy_gets_copy")
        more = ("html_body", "language", "interval_days", "answers_once", "is_enabled")
        return [
            Folded(self, _("Which messages it answers"), *which),
            Folded(self, _("Case numbers"), *cases, css_class="only-standing"),
            Folded(self, _("Office hours"), *hours, css_class="only-standing"),
            Folded(self, _("Deputy"), *deputy, css_class="only-absence"),
            Folded(self, _("More settings"), *more),
        ]

    def as_input(self) -> ResponderInput:
        """What was typed; `clean` has run."""
        values = {name: value for name, value in self.cleaned_data.items() if name not in {"version", "draft", "ics"}}
        values["addresses"] = tuple(values.get("addresses", ()))
        values["language"] = values["language"] or self._language
        values["audience"] = values["audience"] or Audience.EVERYONE.value
        values["case_form"] = values["case_form"] or CaseForm.YEAR.value
        values["hours_mode"] = values["hours_mode"] or HoursMode.ALWAYS.value
        values["office_days"] = tuple(values["office_days"])
        values["office_opens"] = values["office_opens"] or time(8)
        values["office_closes"] = values["office_closes"] or time(16)
        return ResponderInput(time_zone=self.time_zone, texts=self._texts(), **values)

    def _texts(self) -> tuple[Text, ...]:
        if not self.texts.is_bound:
            return self._stored_texts
        return tuple(form.as_text() for form in self._kept_texts())

    def _kept_texts(self) -> list[TextForm]:
        deleted = self.texts.deleted_forms
        initial = self.texts.initial_form_count()
        return [
            form
            for place, form in enumerate(self.texts)
            if form not in deleted and (place < initial or form.has_changed())
        ]

    def show(self, errors: Mapping[str, list[str]]) -> None:
        """Put each error beside its field; those of a further text beside that text's."""
        for name, sentences in errors.items():
            prefix, _dash, rest = name.partition("-")
            place, _dash, field = rest.partition("-")
            if prefix == TEXTS:
                self._kept_texts()[int(place)].add_error(field, sentences)
            else:
                self.add_error(name, sentences)
