"""What is typed about a new domain."""

import re
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mailboxes.models import Customer

CHOICES = 100


class NewDomainForm(forms.Form):
    """The name, and whose it is: staff write the customer's number, who administers several customers chooses."""

    name = forms.CharField(label=_("Domain"), max_length=300, help_text=_("For example firma.pl, without www."))
    number = forms.CharField(
        label=_("Customer number"), max_length=50, required=False,
        help_text=_(
            "Empty: it belongs to no customer. The domain begins with the limits of the customer's other domains."
        ),
    )  # fmt: skip
    customer = forms.ModelChoiceField(Customer.objects.none(), label=_("Customer"), empty_label=None)

    def __init__(self, *args: Any, customers: QuerySet[Customer], is_support: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._only: Customer | None = None
        chosen = self.fields.pop("customer") if is_support else self.fields["customer"]
        if not is_support:
            del self.fields["number"]
            several = list(customers.order_by("name")[:CHOICES])
            chosen.queryset = customers  # type: ignore[attr-defined]
            if len(several) == 1:
                self._only = several[0]
                del self.fields["customer"]
        self.helper = FormHelper()
        self.helper.layout = Layout(
            Div(*self.fields, Div(Submit("save", _("Add the domain")), css_class="actions mt-3"), css_class="sheet")
        )

    def clean_name(self) -> str:
        """What stands in a browser's address line is taken, too, without what is not the domain."""
        name = re.sub(r"^[a-z]+://|[/?#:].*", "", self.cleaned_data["name"].strip(), flags=re.IGNORECASE)
        if name.lower().startswith("www.") and name.count(".") > 1:
            raise forms.ValidationError(
                gettext("Mail is not addressed to www.: write %(domain)s") % {"domain": name[4:]}
            )
        return name

    def clean_number(self) -> Customer | None:
        typed = self.cleaned_data["number"].strip()
        customer = Customer.objects.filter(number=typed).first() if typed else None
        if typed and (customer is None or customer.deleted_at is not None):
            raise forms.ValidationError(gettext("No customer has this number."))
        return customer

    def whose(self) -> Customer | None:
        """The customer that the valid form means; None: staff's, of no customer."""
        return self._only or self.cleaned_data.get("customer") or self.cleaned_data.get("number")
