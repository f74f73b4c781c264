"""The faults that a provider file is checked with, and what each must end in."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import (
    AuthRejected,
    ContentRejected,
    JobFailed,
    OutOfCredit,
    ResultNotFetched,
    SubmitUncertain,
)
from ...providers.definition_file import Location


@dataclass(frozen=True)
class FaultCase:
    """A fault of the sandbox, the error that it must end in (None: a clip), and how many tasks may be charged."""

    name: str
    stage: str
    fault: str
    error: type[Exception] | None
    tasks: int
    place: Location = ()


CASES = (
    FaultCase("429 on submit: waits and submits once", "submit", "429", None, 1, ("errors", "codes")),
    FaultCase("401: the key is rejected", "submit", "401", AuthRejected, 0, ("errors", "codes")),
    FaultCase("402: out of credit", "submit", "402", OutOfCredit, 0, ("errors", "codes")),
    FaultCase("500 on submit: outcome unknown, not repeated", "submit", "500", SubmitUncertain, 0, ("errors", "codes")),
    FaultCase("lost answer: outcome unknown", "submit", "drop-after", SubmitUncertain, 1, ("read", "task_id")),
    FaultCase("answer without an id: outcome unknown", "submit", "no-id", SubmitUncertain, 1, ("read", "task_id")),
    FaultCase("HTML page of a proxy: outcome unknown", "submit", "html-502", SubmitUncertain, 0, ("errors", "codes")),
    FaultCase("moderation: rejected, not sent again", "submit", "moderated", ContentRejected, 1, ("errors",)),
    FaultCase("failed task", "submit", "failed", JobFailed, 1, ("errors",)),
    FaultCase("503 on a poll: asks again", "poll", "503", None, 1, ("poll",)),
    FaultCase("404 right after the submit: asks again", "poll", "404", None, 1, ("errors", "codes")),
    FaultCase("empty error object while running", "submit", "empty-error", None, 1, ("read",)),
    FaultCase("answer wrapped in data", "submit", "wrapped", None, 1, ("read", "video")),
    FaultCase("URL inside a list", "submit", "nested-url", None, 1, ("read", "video")),
    FaultCase("done without a URL: paid, not lost", "submit", "no-url", ResultNotFetched, 1, ("read", "video")),
)
