"""What a person types to change many mailboxes at once."""

from datetime import datetime
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes.files import csv_files
from mailboxes.models import User
from responders.core.facts import Text
from responders.core.rendering import DEFAULT_SUBJECT
from responders.fields import ListField, LocalDateTimeField
from responders.many import batch_scope, new_addresses
from responders.models import Responder, ResponderType
from responders.pages.forms import Folded, languages
from responders.validation import ResponderInput, as_input, as_json

# Headings of a file's columns, in both languages.
COLUMNS = {
    "address": "address", "adres": "address", "mailbox": "address", "skrzynka": "address", "e-mail": "address",
    "email": "address", "subject": "subject", "temat": "subject", "text": "text_body", "treść": "text_body",
    "tekst": "text_body", "from": "from_date", "od": "from_date", "to": "to_date", "do": "to_date",
    "successor": "successor", "następca": "successor", "zastępca": "successor",
}  # fmt: skip


class BatchForm(forms.Form):
    """Which mailboxes, and for staff why."""

    where = ListField(
        label=gettext_lazy("Which mailboxes"), required=False, max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=gettext_lazy("Domains, customer numbers or addresses, with commas or one a line."),
    )  # fmt: skip
    file = forms.FileField(
        label=gettext_lazy("Or a CSV file"), required=False,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
    )  # fmt: skip
    reason = forms.CharField(
        label=gettext_lazy("Why do you change it?"), max_length=500,
        help_text=gettext_lazy("The owner reads this in a notice, with what was changed, and may undo it for 14 days."),
    )  # fmt: skip
    columns: str = gettext_lazy("Its first line names the columns: address.")  # type: ignore[assignment]
    own: tuple[str | Div, ...] = ()

    def __init__(self, *args: Any, user: User, is_staff: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.rows: list[batch_scope.Row] = []
        self.fields["file"].help_text = self.columns
        if not is_staff:
            del self.fields["reason"]
        self.helper = FormHelper()
        self.helper.attrs = {"novalidate": "novalidate"}
        reason = ["reason"] if is_staff else []
        self.helper.layout = Layout(
            Div("where", "file", css_class="sheet"), Div(*self._own(), css_class="sheet"),
            Div(*reason, Div(Submit("save", _("Show what would change")), css_class="actions mt-3"), css_class="sheet"),
        )  # fmt: skip

    def _own(self) -> list[str | Div]:
        return list(self.own)

    @property
    def scope(self) -> str:
        """Which mailboxes, in a few words."""
        file = self.cleaned_data.get("file")
        return ", ".join([*self.cleaned_data.get("where", ())[:10], *([file.name] if file else [])])

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        where, file = values.get("where", ()), values.get("file")
        if not self.errors and not where and not file:
            self.add_error("where", _("Say which mailboxes, or choose a file."))
        try:
            self.rows = batch_scope.rows_for(self.user, where) + (self._rows_of(file) if file else [])
        except batch_scope.UnknownScope as unknown:
            words = _("“%(text)s” is neither a domain nor a customer number nor an address.")
            self.add_error("where", words % {"text": unknown})
        except batch_scope.TooManyRows:
            words = _("These are more than %(number)s mailboxes: make several changes of it.")
            self.add_error("where", words % {"number": batch_scope.MAX_ROWS})
        except csv_files.FileProblem as problem:
            self.add_error("file", str(problem))
        if not self.errors and not self.rows:
            self.add_error("where" if where else "file", _("There is no mailbox among them."))
        return values

    def _rows_of(self, file: Any) -> list[batch_scope.Row]:
        rows = csv_files.read(csv_files.content_of(file), COLUMNS, max_rows=batch_scope.MAX_ROWS)
        return [batch_scope.Row(row.pop("address", ""), _of_row(row)) for row in rows]

    def batch_values(self) -> dict[str, Any]:
        """What the batch keeps; the form is valid."""
        raise NotImplementedError

    def add_errors(self, errors: dict[str, list[str]]) -> None:
        """Those of `ResponderInvalid`, each beside its field."""
        for name, sentences in errors.items():
            field = _OF_SECOND.get(name, name)
            for sentence in sentences:
                self.add_error(field if field in self.fields else None, sentence)


class MakeForm(forms.Form):
    """A file of new mailboxes and aliases."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=gettext_lazy(
            "The first line names the columns: address, name, quota_mb, targets. With targets it is an alias."
        ),
    )  # fmt: skip

    def __init__(self, *args: Any, user: User, is_staff: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kind = new_addresses.kind_for(user)
        self.rows: list[dict[str, str]] = []
        self.helper = FormHelper()
        self.helper.attrs = {"novalidate": "novalidate"}
        self.helper.layout = Layout(
            Div("file", Div(Submit("save", _("Show what would be made")), css_class="actions mt-3"), css_class="sheet")
        )

    @property
    def scope(self) -> str:
        """The name of the file."""
        return str(self.cleaned_data["file"].name)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        file = values.get("file")
        if file is None:
            return values
        try:
            self.rows = self._kind.read(csv_files.content_of(file), max_rows=new_addresses.MAX_ROWS)
        except csv_files.FileProblem as problem:
            self.add_error("file", str(problem))
        else:
            if not self.rows:
                self.add_error("file", _("The file has no lines besides the first."))
        return values


_OF_SECOND = {
    "texts-0-language": "other_language",
    "texts-0-subject": "other_subject",
    "texts-0-text_body": "other_text",
}


def _of_row(cells: dict[str, str]) -> dict[str, Any]:
    """What a row says of its mailbox alone; dates as ISO 8601 or as a spreadsheet shows them."""
    values: dict[str, Any] = {name: cell for name, cell in cells.items() if cell}
    for name in ("from_date", "to_date"):
        if name in values and (moment := _moment(values[name])) is None:
            return {"problem": _("“%(text)s” is not a date: write 2026-12-24 17:00.") % {"text": values[name][:100]}}
        if name in values:
            values[name] = moment
    return values | ({"html_body": ""} if "text_body" in values else {})


def _moment(text: str) -> str | None:
    for form in ("%d.%m.%Y %H:%M", "%d.%m.%Y"):
        try:
            return datetime.strptime(text, form).isoformat()  # noqa: DTZ007 (a wall-clock time)
        except ValueError:
            continue
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.isoformat() if moment.tzinfo is None else None  # of another zone than the mailbox's: not guessed at


class TextsForm(BatchForm):
    """Subject and text, and the same in a second language."""

    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=500, initial=DEFAULT_SUBJECT)
    text_body = forms.CharField(
        label=gettext_lazy("Text of the reply"), widget=forms.Textarea(attrs={"rows": 7}), max_length=50_000
    )
    language = forms.ChoiceField(label=gettext_lazy("Language of the text above"))
    other_language = forms.ChoiceField(label=gettext_lazy("Language"), required=False)
    other_subject = forms.CharField(label=gettext_lazy("Subject of the second text"), max_length=500, required=False)
    other_text = forms.CharField(
        label=gettext_lazy("The second text"), widget=forms.Textarea(attrs={"rows": 5}), max_length=50_000,
        required=False,
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = languages()  # type: ignore[attr-defined]
        self.fields["other_language"].choices = [("", "–"), *languages()]  # type: ignore[attr-defined]

    def _own(self) -> list[str | Div]:
        """The second text is folded away below the first."""
        second = Folded(self, gettext_lazy("A second text, in another language"), *SECOND, css_class="inner")
        return [item for own in self.own for item in ((own, second) if own == "language" else (own,))]

    def texts(self) -> tuple[Text, ...]:
        values = self.cleaned_data
        if not values["other_language"]:
            return ()
        return (Text(values["other_language"], values["other_subject"] or values["subject"], values["other_text"]),)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("other_language") and not values.get("other_text"):
            self.add_error("other_text", _("Write the text of the reply."))
        if values.get("other_text") and not values.get("other_language"):
            self.add_error("other_language", _("Choose a language from the list."))
        return values


SECOND = ("other_language", "other_subject", "other_text")


class SetForm(TextsForm):
    """An autoresponder for many. `copied`: one whose further settings are taken over."""

    type = forms.ChoiceField(label=gettext_lazy("What kind of reply?"), choices=ResponderType.choices)
    from_date = LocalDateTimeField(
        label=gettext_lazy("From when"), required=False,
        help_text=gettext_lazy("In the time zone of each mailbox. Empty: from now on."),
    )  # fmt: skip
    to_date = LocalDateTimeField(
        label=gettext_lazy("Until when"), required=False,
        help_text=gettext_lazy("Empty: until it is switched off."),
    )  # fmt: skip
    order = forms.ChoiceField(
        label=gettext_lazy("Where the mailbox has an autoresponder of its own"),
        choices=[
            ("after", gettext_lazy("Its own answers first")), ("first", gettext_lazy("This one answers first")),
            ("skip", gettext_lazy("Leave that mailbox as it is")),
        ],
    )  # fmt: skip
    columns = gettext_lazy("Its first line names the columns: address, and if you like from, to, subject, text.")  # type: ignore[assignment]
    own = (
        "type", Div("from_date", "to_date", css_class="dates"), "subject", "text_body", "language", "order",
    )  # fmt: skip

    def __init__(self, *args: Any, copied: Responder | None = None, **kwargs: Any) -> None:
        self.copied = as_input(copied) if copied else None
        if self.copied:
            kwargs["initial"] = kwargs.get("initial", {}) | _initial(self.copied)
        super().__init__(*args, **kwargs)
        if self.copied:
            for name in SECOND:  # all its texts come with it
                del self.fields[name]
            self.helper.layout.fields[1] = Div(*self.own, css_class="sheet")

    def texts(self) -> tuple[Text, ...]:
        return self.copied.texts if self.copied else super().texts()

    def batch_values(self) -> dict[str, Any]:
        names = ("type", "from_date", "to_date", "subject", "text_body", "language")
        typed = {name: self.cleaned_data[name] for name in names}
        kept = {} if self.copied is None else vars(self.copied)
        # An old formatted text would say something else than a plain one that was changed here.
        html = kept.get("html_body", "") if kept.get("text_body") == typed["text_body"] else ""
        new = {"is_enabled": True, "time_zone": "UTC", "texts": self.texts(), "html_body": html}
        values = ResponderInput(**(kept | typed | new))
        return as_json(values) | {"order": self.cleaned_data["order"]}


def _initial(copied: ResponderInput) -> dict[str, Any]:
    names = ("type", "from_date", "to_date", "subject", "text_body", "language")
    return {name: getattr(copied, name) for name in names}


class EndForm(BatchForm):
    """Which autoresponders end."""

    types = forms.MultipleChoiceField(
        label=gettext_lazy("Which autoresponders"), choices=ResponderType.choices, initial=["absence"],
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    coming = forms.BooleanField(label=gettext_lazy("Those that have not begun yet, too"), required=False)
    words = forms.CharField(label=gettext_lazy("Only with these words in the subject"), required=False, max_length=200)
    own = ("types", "coming", "words")

    def batch_values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.own if isinstance(name, str)}


class LeaveForm(TextsForm):
    """Somebody leaves the company: who answers instead, and from when mail goes there."""

    successor = forms.CharField(
        label=gettext_lazy("Address of the successor"), max_length=320, required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    blocks_sign_in = forms.BooleanField(
        label=gettext_lazy("Block the sign-in, to the panel and to the mail"), required=False, initial=True
    )
    days = forms.IntegerField(
        label=gettext_lazy("Mail goes to the successor after (days)"), required=False, min_value=0, max_value=3650,
        initial=30, help_text=gettext_lazy("Empty: it stays in the mailbox."),
    )  # fmt: skip
    columns = gettext_lazy("Its first line names the columns: address, successor.")  # type: ignore[assignment]
    own = ("successor", "blocks_sign_in", "days", "subject", "text_body", "language")

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if self.rows and not values.get("successor") and not all(row.values.get("successor") for row in self.rows):
            self.add_error("successor", _("Write the successor's address."))
        return values

    def batch_values(self) -> dict[str, Any]:
        typed = self.cleaned_data
        values = ResponderInput(
            type="standing", is_enabled=True, from_date=None, to_date=None, time_zone="UTC", subject=typed["subject"],
            text_body=typed["text_body"], language=typed["language"], texts=self.texts(),
        )  # fmt: skip
        return as_json(values) | {name: typed[name] for name in ("successor", "blocks_sign_in", "days")}
