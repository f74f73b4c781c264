"""Every error that the engine raises.

GrokImagineError
|-- SettingsError                  the settings are missing something or wrong
|   +-- MissingKey                 the connection has no API key
|-- RequestError(violations)       the request breaks a rule; nothing was uploaded, sent or charged
|   |-- UnsupportedOption          the connection does not support the request at all
|   |-- OverBudget                 the user's own spending limit would be exceeded
|   +-- MediaError                 an image or a video
|       |-- EncodeError            could not be encoded for upload
|       +-- DecodeError            could not be decoded
|-- TransportError                 HTTP failed
|   |-- ConnectFailed              no byte of the request was sent
|   |-- TimedOut                   the answer did not come in time; the server may have acted
|   +-- FetchFailed(status)        a file could not be downloaded; ``is_gone`` if its URL is dead
|-- ProviderError(status, code, request_id)    the provider answered with an error
|   |-- AuthRejected               the key was refused
|   |-- OutOfCredit                balance or spend limit is used up
|   |-- RateLimited(retry_after)   too many requests; nothing was accepted
|   |-- BadRequest                 the provider refuses the request as it is
|   |   +-- ContentRefused         moderation refused the request itself; nothing was made
|   |-- TaskNotFound               the provider does not know the task id
|   |-- ProviderDown               the provider failed; on a submit the outcome is unknown
|   +-- UnreadableReply            the answer cannot be understood
|-- JobError(job_id, task_id)      a job ended, or stopped, without a clip
|   |-- JobFailed                  the provider reports failure
|   |   +-- ContentRejected        moderation refused the prompt, a reference or the result
|   |-- JobExpired                 the result is no longer kept by the provider
|   |-- JobTimedOut                our deadline passed; the job continues and can be resumed
|   |-- JobCanceled                the provider reports that the task was canceled
|   |-- ResultNotFetched           the clip is ready and paid, but not downloaded yet; resume the job
|   +-- SubmitUncertain            it is unknown whether the provider accepted (and bills) the job
|-- StorageError                   an image or video could not be uploaded
+-- JournalError                   the journal cannot be read or written; nothing is submitted without it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field


class GrokImagineError(Exception):
    """The base class. ``str(error)`` is a text for users, without secrets."""

    __module__ = "grok_imagine.errors"
    source: str = ""
    """The provider and connection that raised it, if the text does not name them."""

    def __str__(self) -> str:
        text = super().__str__()
        return f"{self.source}: {text}" if self.source and self.source not in text else text

    def __init_subclass__(cls) -> None:
        # ComfyUI loads a pack under its folder's path, and shows an error's full name before its text.
        cls.__module__ = GrokImagineError.__module__


class SettingsError(GrokImagineError):
    """The settings are missing something or wrong."""


class MissingKey(SettingsError):
    """The connection has no API key."""


@dataclass(frozen=True)
class Violation:
    """One rule that a request breaks.

    ``rule`` is the rule's id in the contract (``R5``, ``C7``), which users never see. ``message`` says what is wrong
    with ``field`` and what is allowed. A warning does not stop the request. ``reason`` and ``values`` are the message's
    key and arguments for translation.
    """

    rule: str
    field: str
    message: str
    is_warning: bool = False
    reason: str = ""
    values: Mapping[str, str | int] = dataclass_field(default_factory=dict[str, str | int], compare=False)

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class RequestError(GrokImagineError):
    """The request breaks one or more rules. Nothing was uploaded, sent or charged."""

    def __init__(self, message: str, violations: Iterable[Violation] = ()) -> None:
        self.violations = tuple(violations)
        listed = "".join(f"\n  - {violation}" for violation in self.violations)
        super().__init__(message + listed)


class UnsupportedOption(RequestError):
    """The connection does not support the request at all."""


class OverBudget(RequestError):
    """The user's own spending limit would be exceeded."""


class MediaError(RequestError):
    """An image or a video that cannot be used."""


class EncodeError(MediaError):
    """An image could not be encoded for upload."""


class DecodeError(MediaError):
    """A media file could not be decoded."""


class TransportError(GrokImagineError):
    """HTTP failed after the request may have been sent."""


class ConnectFailed(TransportError):
    """Certainly no byte of the request was sent."""


class TimedOut(TransportError):
    """The answer did not come in time; the server may have acted."""


class FetchFailed(TransportError):
    """A file could not be downloaded. ``status`` is the HTTP status, or None.

    ``is_refused``: we blocked the URL (SSRF protection). ``is_wrong_file``: the file is not a complete video.
    ``is_slow``: the download was too slow.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        is_refused: bool = False,
        is_wrong_file: bool = False,
        is_slow: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.is_refused = is_refused
        self.is_wrong_file = is_wrong_file
        self.is_slow = is_slow

    @property
    def is_useless(self) -> bool:
        """Whether trying the same URL again cannot help."""
        return self.is_gone or self.is_refused or self.is_wrong_file

    @property
    def is_gone(self) -> bool:
        """Whether the URL is dead, so that only a new one can help."""
        return self.status in (401, 403, 404, 410)


class ProviderError(GrokImagineError):
    """The provider answered with an error."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.request_id = request_id
        labels = (("HTTP", status), ("code", code), ("request", request_id))
        known = ", ".join(f"{label} {value}" for label, value in labels if value not in (None, ""))
        super().__init__(f"{message} ({known})" if known else message)


class AuthRejected(ProviderError):
    """The key was refused."""


class OutOfCredit(ProviderError):
    """The balance, or a spending limit set at the provider, is used up."""


class RateLimited(ProviderError):
    """Too many requests. Nothing was accepted. ``retry_after`` is in seconds, or None."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code, request_id=request_id)
        self.retry_after = retry_after


class BadRequest(ProviderError):
    """The provider refuses the request as it is; sending it again changes nothing."""


class ContentRefused(BadRequest):
    """Moderation refused the request itself. Other providers would refuse the same content, or block your account."""


class TaskNotFound(ProviderError):
    """The provider does not know the task id (or not yet, right after a submit)."""


class ProviderDown(ProviderError):
    """The provider failed (5xx). After a submit the outcome is unknown."""


class UnreadableReply(ProviderError):
    """The answer cannot be understood."""


class JobError(GrokImagineError):
    """A job ended, or stopped, without a clip. The text has the ids, so that the clip can still be found."""

    def __init__(self, message: str, *, job_id: str, task_id: str | None = None) -> None:
        self.job_id = job_id
        self.task_id = task_id
        ids = f"job {job_id}" + (f", task {task_id}" if task_id else "")
        super().__init__(f"{message} ({ids})")


class JobFailed(JobError):
    """The provider reports that the task failed."""


class ContentRejected(JobFailed):
    """Moderation refused the prompt, a reference or the result."""


class JobExpired(JobError):
    """The provider no longer keeps the result."""


class JobTimedOut(JobError):
    """Our deadline passed. The job continues at the provider and can be resumed."""


class JobCanceled(JobError):
    """The provider reports that the task was canceled."""


class ResultNotFetched(JobError):
    """The clip is ready at the provider, and paid, but could not be downloaded yet. Resume the job."""


class SubmitUncertain(JobError):
    """It is unknown whether the provider accepted, and bills, the job. It is never sent again automatically."""


class StorageError(GrokImagineError):
    """An image or video could not be uploaded."""


class JournalError(GrokImagineError):
    """The journal cannot be read or written."""
