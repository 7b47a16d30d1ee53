"""Responders, whom they answered, and why they were silent."""

from responders.models.answering import (
    CaseMessage,
    CaseSeries,
    DailyCount,
    Decision,
    DrawnBrake,
    HookSign,
    NumberedCase,
    PreviousResponse,
    PreviousResponses,
    QuarantinedMessage,
    Refusal,
    ReplyCount,
)
from responders.models.batches import (
    Batch,
    BatchItem,
)
from responders.models.history import (
    ChangeNotice,
    Notice,
    ResponderEvent,
)
from responders.models.people import (
    CalendarFeed,
    Draft,
    HelpVote,
    StaffNote,
)
from responders.models.policy import (
    HouseText,
    PolicyVersion,
    validate_sender_pattern,
)
from responders.models.responder import (
    AudienceChoices,
    CaseFormChoices,
    HoursModeChoices,
    LocalDateTimeField,
    Responder,
    ResponderType,
    StateChoices,
    working_days,
)

__all__ = [
    "AudienceChoices",
    "Batch",
    "BatchItem",
    "CalendarFeed",
    "CaseFormChoices",
    "CaseMessage",
    "CaseSeries",
    "ChangeNotice",
    "DailyCount",
    "Decision",
    "Draft",
    "DrawnBrake",
    "HelpVote",
    "HookSign",
    "HoursModeChoices",
    "HouseText",
    "LocalDateTimeField",
    "Notice",
    "NumberedCase",
    "PolicyVersion",
    "PreviousResponse",
    "PreviousResponses",
    "QuarantinedMessage",
    "Refusal",
    "ReplyCount",
    "Responder",
    "ResponderEvent",
    "ResponderType",
    "StaffNote",
    "StateChoices",
    "validate_sender_pattern",
    "working_days",
]
