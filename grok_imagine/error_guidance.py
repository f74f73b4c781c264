"""For each error, whether anything was charged and what to do next."""

from __future__ import annotations

import re

from . import errors
from .errors import GrokImagineError

_NOTHING = "Nothing was charged."
_UNKNOWN = "It may have been charged; the provider's dashboard says so."
_PAID = "The clip is paid."
_PENDING = "The job continues at the provider and is charged as usual."

GUIDANCE: dict[type, tuple[str, str]] = {
    GrokImagineError: (_UNKNOWN, "See the job: grok-imagine jobs."),
    errors.SettingsError: (_NOTHING, "Fix the settings; grok-imagine doctor checks them."),
    errors.MissingKey: (_NOTHING, "Store the key: grok-imagine key CONNECTION."),
    errors.RequestError: (_NOTHING, "Change the request and run it again."),
    errors.UnsupportedOption: (_NOTHING, "Choose another connection or another mode."),
    errors.OverBudget: (_NOTHING, "Raise the budget in the settings, or wait."),
    errors.MediaError: (_NOTHING, "Use another file."),
    errors.EncodeError: (_NOTHING, "Use another image, or a smaller one."),
    errors.DecodeError: (_NOTHING, "Use another file."),
    errors.TransportError: (_UNKNOWN, "Check the network, then run it again to continue the same job."),
    errors.ConnectFailed: (_NOTHING, "Check the network, the proxy and the base URL, then run it again."),
    errors.TimedOut: (_UNKNOWN, "Run it again to continue the same job."),
    errors.FetchFailed: (_NOTHING, "Run it again: only the download is repeated."),
    errors.ProviderError: (_UNKNOWN, "Run it again to continue the same job."),
    errors.AuthRejected: (_NOTHING, "Check the API key: grok-imagine key CONNECTION."),
    errors.OutOfCredit: (_NOTHING, "Top up your account there, or choose another connection."),
    errors.RateLimited: (_NOTHING, "Wait a minute and run it again."),
    errors.BadRequest: (_NOTHING, "Change the request; sending it again does not help."),
    errors.ContentRefused: (_NOTHING, "Change the prompt or the images; sending them again does not help."),
    errors.TaskNotFound: (_UNKNOWN, "Check the task id and the connection."),
    errors.ProviderDown: (_UNKNOWN, "Run it again later to continue the same job."),
    errors.UnreadableReply: (_UNKNOWN, "Run it again later to continue the same job."),
    errors.JobError: (_UNKNOWN, "See the job: grok-imagine jobs."),
    errors.JobFailed: (_UNKNOWN, "Change the seed or the prompt to try again."),
    errors.ContentRejected: (_UNKNOWN, "Change the prompt or the images; sending them again does not help."),
    errors.JobExpired: (_PAID, "Ask the provider with the task id, or change the seed to make a new clip."),
    errors.JobTimedOut: (_PENDING, "Run it again to keep waiting."),
    errors.JobCanceled: (_UNKNOWN, "Change the seed to make a new clip."),
    errors.ResultNotFetched: (_PAID, "Run it again: only the download is repeated."),
    errors.SubmitUncertain: (
        _UNKNOWN,
        "Attach the task (grok-imagine attach), or submit it again (grok-imagine again).",
    ),
    errors.StorageError: (_NOTHING, "Set up a store in the settings, or use a public URL."),
    errors.JournalError: ("Nothing new was submitted or charged.", "Free disk space, or fix the file's permissions."),
}
"""For each class: whether anything was charged, and what to do next."""

_SAYS_CHARGE = re.compile(r"\b(?:charged?|charges|billed|and paid|as paid|costs nothing)\b", re.IGNORECASE)
_QUOTING = (errors.ProviderError, errors.TransportError)
"""Their texts are from servers or libraries and contain no advice."""


def guidance_of(error: GrokImagineError) -> tuple[str, str]:
    """Whether anything was charged, and what to do next; from the nearest class with an entry."""
    return next(GUIDANCE[kind] for kind in type(error).__mro__ if kind in GUIDANCE)


def explain(error: GrokImagineError) -> str:
    """The whole text for a user: what happened, whether it was charged, and what to do next."""
    charge, advice = guidance_of(error)
    text = str(error).rstrip()
    parts = [text if text.endswith((".", "!", "?")) else f"{text}."]
    if not _SAYS_CHARGE.search(text):
        parts.append(charge)
    if isinstance(error, _QUOTING):
        parts.append(advice)
    return " ".join(parts)
