"""A CSV file that somebody uploads, or its lines as text."""

from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mailboxes.files import csv_files
from mailboxes.files.file_kinds import Kind

MAX_MB = 1


class FileForm(forms.Form):
    """A file, or its lines as text; the text is kept from the preview to the making."""

    file = forms.FileField(label=_("CSV file"), required=False, allow_empty_file=True)
    text = forms.CharField(
        label=_("Or its lines here"), required=False, max_length=MAX_MB * csv_files.MEGABYTE,
        widget=forms.Textarea(attrs={"rows": 6, "class": "letter"}),
    )  # fmt: skip

    def __init__(self, *args: Any, kind: Kind, words: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kind = kind
        self.fields["text"].help_text = words
        self.helper = FormHelper()
        self.helper.layout = Layout(
            Div(
                "file",
                "text",
                Div(Submit("look", _("Show what would be made")), css_class="actions"),
                css_class="sheet",
            )
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        file = values.get("file")
        text = values.get("text", "").encode("utf-8", "replace")
        try:
            content = text if file is None else csv_files.content_of(file, max_mb=MAX_MB)
            values["lines"] = self._kind.read(content)
        except csv_files.FileProblem as problem:
            self.add_error("file" if file is not None else "text", str(problem))
        else:
            if not values["lines"]:
                self.add_error("file", gettext("The file has no lines besides the first."))
        return values
