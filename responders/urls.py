"""Addresses of the panel's own pages."""

from django.urls import path

from responders import (
    acting_views,
    calendar_views,
    form_views,
    help_views,
    notice_views,
    staff_views,
    support_views,
    try_views,
    views,
)

urlpatterns = [
    path("", views.mailbox_list, name="mailbox_list"),
    path("mailboxes/<int:pk>/", views.mailbox_page, name="mailbox"),
    path("mailboxes/<int:pk>/group-address/", views.group_address, name="group_address"),
    path("mailboxes/<int:pk>/limits/", staff_views.limits, name="limits"),
    path("support/", support_views.support_search_page, name="support"),
    path("support/attention/", support_views.support_attention, name="support_attention"),
    path("support/customers/<int:pk>/", support_views.support_customer, name="support_customer"),
    path("support/domains/<str:name>/", support_views.support_domain, name="support_domain"),
    path("support/messages/", support_views.support_messages, name="support_messages"),
    path("support/messages/<int:pk>/", support_views.support_message, name="support_message"),
    path("help/", help_views.help_list, name="help"),
    path("help/answers/", help_views.help_feedback, name="help_feedback"),
    path("help/<slug:slug>/", help_views.help_article, name="help_article"),
    path("calendar/", calendar_views.calendar_page, name="calendar"),
    path("calendar/feed/", calendar_views.calendar_feed_settings, name="calendar_feed_settings"),
    path("calendar/<str:token>.ics", calendar_views.calendar_feed, name="calendar_feed"),
    path("refusals/", staff_views.refusal_list, name="refusals"),
    path("mailboxes/<int:pk>/notices/", notice_views.notices, name="notices"),
    path("mailboxes/<int:pk>/acting/", acting_views.acting_for_owner, name="acting"),
    path("changes/<int:pk>/undo/", acting_views.event_undo, name="event_undo"),
    path("undo/<str:token>/", acting_views.change_undo, name="change_undo"),
    path("end/<str:token>/", notice_views.responder_end, name="responder_end"),
    path("mailboxes/<int:pk>/try/", try_views.try_it, name="try_it"),
    path("mailboxes/<int:pk>/responders/new/", form_views.responder_new, name="responder_new"),
    path("responders/<int:pk>/", form_views.responder_edit, name="responder_edit"),
    path("responders/<int:pk>/switch/", views.responder_switch, name="responder_switch"),
    path("responders/<int:pk>/move/", views.responder_move, name="responder_move"),
    path("responders/<int:pk>/answer-again/", views.responder_answer_again, name="responder_answer_again"),
    path("responders/<int:pk>/delete/", views.responder_delete, name="responder_delete"),
    path("outbox/", views.outbox, name="outbox"),
]
