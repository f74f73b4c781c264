"""What a provider is: one pure file that turns wishes into Calls and Replies into statuses.

Values in, values out: no I/O, no clock, no settings. To add a provider, write its file, add one line to
``registry.py``, and a folder of recorded replies under ``tests/providers/replies``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from ..errors import ProviderError, RequestError, UnreadableReply, UnsupportedOption, Violation
from ..models import Call, Capability, Cost, Mode, Reply, TaskStatus, VideoRequest
from . import capability_selection, envelope, error_parsing, image_tokens, rules, status_parsing
from .error_parsing import ErrorCodes


@dataclass(frozen=True)
class PublicUrls:
    """Where the provider can fetch the request's media, in the request's order, and where it may call us."""

    images: tuple[str, ...] = ()
    video: str | None = None
    callback: str | None = None
    """To be sent only by a dialect that :attr:`Provider.takes_callbacks`."""


@dataclass(frozen=True)
class PollSchedule:
    """How often to ask: (age of the task, seconds until the next poll), interpolated between the points."""

    points: tuple[tuple[float, float], ...]

    def interval(self, age: float) -> float:
        """Seconds to wait before the next poll of a task that was submitted ``age`` seconds ago."""
        before = self.points[0]
        for point in self.points[1:]:
            if point[0] > age:
                # A clock that was set back gives a negative age; the first pace holds.
                share = max(0.0, age - before[0]) / (point[0] - before[0])
                return before[1] + share * (point[1] - before[1])
            before = point
        return before[1]


@dataclass(frozen=True)
class CheckResult:
    """A request that may be sent: the capability that serves it, and what the user should know first."""

    capability: Capability
    warnings: tuple[Violation, ...] = ()


_TYPE_RULES = {"mode": "C9", "prompt": "C3", "reference_images_type": "C6"}
"""The rules that a wrong type breaks where a capability names none."""


class Provider(ABC):
    """One dialect. Subclasses are stateless; ``name`` is journaled and never renamed."""

    name: ClassVar[str]
    label: ClassVar[str]
    default_base_url: ClassVar[str | None]
    key_variable: ClassVar[str]
    """The environment variable in which users of this API keep their key."""
    key_prefix: ClassVar[str] = ""
    """How the provider's keys begin."""
    pricing_url: ClassVar[str | None] = None
    capabilities: ClassVar[tuple[Capability, ...]]
    poll_schedule: ClassVar[PollSchedule]
    longest_job_hours: ClassVar[int] = 24
    """The provider's own wall-clock limit for one task; a day where none is documented."""
    result_lifetime_hours: ClassVar[int]
    """How long result URLs live, as documented (or the shortest that public evidence shows)."""
    refunds_failures: ClassVar[bool] = False
    """Whether it is documented that a failed task costs nothing, one that moderation refused included."""
    takes_data_uris: ClassVar[bool] = False
    takes_callbacks: ClassVar[bool] = False
    """Whether it is documented that an address may be sent along, to be called when the task has ended."""
    documents_tokens: ClassVar[frozenset[Mode]] = frozenset()
    """The modes in which ``@imageN`` in a prompt means something to the provider."""
    reasons: ClassVar[Mapping[str, str]] = {}
    """Why a value is refused, where the list of what is offered would not tell."""
    id_paths: ClassVar[tuple[str, ...]]
    """Where a submit's answer holds the task id: the documented place first, then those seen in the wild."""
    video_paths: ClassVar[tuple[str, ...]]
    """Where a finished task holds its video URL, in the same order."""
    fallback_paths: ClassVar[tuple[str, ...]] = ()
    """Fields that mean something else, and hold the URL only in the finished answers of some builds."""
    error_codes: ClassVar[ErrorCodes] = ErrorCodes()
    moderation_codes: ClassVar[frozenset[str]] = frozenset()
    """Codes of a failed task that mean moderation, beside the words that say so themselves."""

    # -- before any money moves

    def capability(self, request: VideoRequest) -> Capability:
        """The capability that serves the request. Raises UnsupportedOption when there is none (rule C9)."""
        capability, faults = capability_selection.choose(self.capabilities, request)
        if capability is None or faults:
            raise UnsupportedOption(f"{self.label} does not support this request; nothing was sent or charged.", faults)
        return capability

    def check(self, request: VideoRequest, *, allow_private_urls: bool = False) -> CheckResult:
        """Check every rule of the contract. Raises RequestError that names all violations at once."""
        capability, found = self._judge(request, allow_private_urls=allow_private_urls)
        return self._verdict(capability, found)

    def read(self, fields: Mapping[str, Any], *, allow_private_urls: bool = False) -> tuple[VideoRequest, CheckResult]:
        """A request from loose values (a form, a CSV row), checked; wrong types are named with all the rest."""
        request, wrong = capability_selection.parse(fields)
        capability, found = self._judge(request, allow_private_urls=allow_private_urls)
        known = {**_TYPE_RULES, **(capability.rules if capability else {})}
        typed = [
            Violation(known.get(f"{name}_type", known.get(name, "C8")), name, message)
            for name, message in wrong.items()
        ]
        others = [violation for violation in found if violation.field not in wrong]
        return request, self._verdict(capability, [*typed, *others])

    def _judge(self, request: VideoRequest, *, allow_private_urls: bool) -> tuple[Capability | None, list[Violation]]:
        capability, found = capability_selection.choose(self.capabilities, request)
        found += rules.check_urls(request, allow_private=allow_private_urls, allow_data=self.takes_data_uris)
        if capability is not None:
            found += rules.check(capability, self.with_tokens(request, capability.mode), self.reasons)
            found += image_tokens.check(request, documented=capability.mode in self.documents_tokens)
            found += self.extra_violations(request, capability)
        return capability, found

    def _verdict(self, capability: Capability | None, found: list[Violation]) -> CheckResult:
        faults = [violation for violation in found if not violation.is_warning]
        if capability is None or faults:
            count = "one problem" if len(faults) == 1 else f"{len(faults)} problems"
            kind = UnsupportedOption if capability is None else RequestError
            raise kind(f"{self.label}: {count} with this request; nothing was sent or charged.", faults)
        return CheckResult(capability, tuple(violation for violation in found if violation.is_warning))

    def extra_violations(self, request: VideoRequest, capability: Capability) -> Iterable[Violation]:
        """Rules of this dialect that its capabilities cannot say."""
        return ()

    def estimate(self, request: VideoRequest, capability: Capability) -> Cost | None:
        """What the clip will cost, or None where the provider publishes no number ("see pricing")."""
        if capability.price is None:
            return None
        resolution = request.resolution or capability.default_resolution
        if capability.price.per_second and resolution not in capability.price.per_second:
            return None
        default = capability.duration.default if capability.duration else None
        seconds = request.duration_seconds if request.duration_seconds is not None else default
        if capability.price.per_second and seconds is None:
            return None
        return capability.price.cost(resolution=resolution, seconds=seconds or 0)

    # -- writing

    def submit(self, request: VideoRequest, urls: PublicUrls) -> Call:
        """The POST that costs money, for a request that passed :meth:`check`."""
        capability = self.capability(request)
        return self.build(self.with_tokens(request, capability.mode), capability, urls)

    @abstractmethod
    def build(self, request: VideoRequest, capability: Capability, urls: PublicUrls) -> Call:
        """Write the body in this dialect: documented fields only, nothing null, nothing empty."""

    @abstractmethod
    def poll(self, task_id: str) -> Call:
        """The GET that reads the task."""

    def content(self, task_id: str) -> Call | None:
        """A GET for the file itself, where the dialect has one beside the result URL."""
        return None

    def cancel(self, task_id: str) -> Call | None:
        """The call that ends a task at the provider. None: no dialect here documents one (November 2026)."""
        return None

    def authorize(self, call: Call, secret: str) -> Call:
        """The call with the key. Every dialect here uses a bearer token."""
        return call.with_header("Authorization", f"Bearer {secret}")

    def with_tokens(self, request: VideoRequest, mode: Mode) -> VideoRequest:
        """The request with ``@imageN`` in this dialect's spelling; untouched where none is documented."""
        if mode not in self.documents_tokens:
            return request
        return request.model_copy(update={"prompt": image_tokens.render(request.prompt, self.token)})

    def token(self, number: int) -> str:
        """The dialect's spelling of the canonical ``@image1``."""
        return f"@image{number}"

    # -- reading

    def task_id(self, reply: Reply) -> str:
        """The id in a submit's 2xx answer. Raises ProviderError where the answer says no after all.

        Raises UnreadableReply when there is no id: the job may exist and be billed.
        """
        try:
            body = envelope.mapping(reply)
        except UnreadableReply as error:
            raise self._unidentified(reply) from error
        said = error_parsing.hidden_refusal(body)
        # An id makes a task, whatever code stands beside it ("code": 429): to call that refused would pay twice. Only
        # a request's id is also given for a refusal.
        paths = self.id_paths if said is None else [path for path in self.id_paths if "request_id" not in path]
        found = status_parsing.task_id(body, paths)
        if found is not None:
            return found
        said = said or error_parsing.failed_submit(body)
        raise self._unidentified(reply) if said is None else self.error_codes.error(said, reply)

    def _unidentified(self, reply: Reply) -> UnreadableReply:
        shown = envelope.plain(reply.body[:2000].decode("utf-8", "replace"), limit=200)
        return UnreadableReply(
            f"{self.label} accepted the request but sent no task id, so the job may exist and be charged. Check the "
            f"provider's dashboard before you send it again. The answer was: {shown or 'empty'}",
            status=reply.status,
        )

    def status(self, reply: Reply) -> TaskStatus:
        """The task's state in a poll's 2xx answer."""
        places = status_parsing.UrlPaths(self.video_paths, self.fallback_paths)
        return status_parsing.status(reply, places, words=self.error_codes, moderation_codes=self.moderation_codes)

    def refusal(self, reply: Reply) -> ProviderError:
        """The error that a non-2xx answer stands for."""
        return self.error_codes.error(error_parsing.refusal(reply), reply)


def with_id(path: str, task_id: str) -> str:
    """``path`` with ``{}`` replaced by the percent-encoded task id."""
    if not task_id.strip("."):
        raise RequestError(
            f"{task_id!r} is not a task id. Copy it from the provider's dashboard."
        )  # dots alone would climb out of the path
    return path.format(quote(task_id, safe=""))


def compact(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` without those that are None, empty text or an empty list: optionals are left out, never null."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], ())}


def prompt_if_any(prompt: str) -> str | None:
    """The prompt as it is, untrimmed; None where it is blank, which counts as none (rule C3)."""
    return prompt if prompt.strip() else None
