"""What the panel asks of django-allauth: nobody signs up by themselves."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by staff, together with their mailboxes."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
