"""Every address of the panel."""

from allauth.account import views as account
from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from responders.pages.sign_out_views import sign_out
from webmail_panel.health import healthz
from webmail_panel.metrics import metrics


def closed(_request: HttpRequest) -> HttpResponse:
    """Pages that allauth names in its own views and that the panel does not offer."""
    raise Http404


# One way in for everybody, and one to change the password: the brakes hold for administrators too.
for name, view in {
    "login": secure_admin_login(admin.site.login),
    "password_change": RedirectView.as_view(pattern_name="account_change_password"),
}.items():
    setattr(admin.site, name, view)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("responders.urls")),
    path("", include("mailboxes.urls")),
    path("sign-in/", account.login, name="account_login"),
    path("sign-out/", sign_out, name="account_logout"),
    path("sign-in/blocked/", account.account_inactive, name="account_inactive"),
    path("sign-up/", closed, name="account_signup"),
    path("reset-password/", closed, name="account_reset_password"),
    path("set-password/", closed, name="account_set_password"),
    path("admin/", admin.site.urls),
    path("healthz", healthz),
    path("metrics", metrics, name="metrics"),
]

handler500 = "webmail_panel.away.handler500"
