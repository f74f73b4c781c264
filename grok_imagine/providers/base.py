"""What a provider does: it turns requests into Calls, and Replies into statuses, as its definition says.

Values in, values out: no I/O, no clock, no settings. To add a provider, write a file into ``definitions/``, and a
folder of recorded replies into ``tests/providers/replies``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from ..errors import ProviderError, RequestError, SettingsError, UnreadableReply, UnsupportedOption, Violation
from ..models import Call, Capability, Cost, Mode, Reply, TaskStatus, VideoRequest
from . import capability_selection, envelope, error_parsing, image_tokens, rules, status_parsing
from .body import fill, uses, values
from .definition import Definition
from .error_parsing import KINDS, ErrorCodes


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


class Provider:
    """One provider, as its :class:`~.definition.Definition` describes it. ``name`` is journaled and never renamed."""

    def __init__(self, definition: Definition, model_name: str | None = None) -> None:
        """``model_name`` is a gateway's own name for the model."""
        self.definition = definition
        self.model_name = model_name
        self.name = definition.name
        self.label = definition.label
        self.default_base_url = definition.base_url
        self.key_variable = definition.key.variable
        """The environment variable in which users of this API keep their key."""
        self.key_prefix = definition.key.prefix
        """How the provider's keys begin."""
        self.pricing_url = definition.pricing_url
        self.key_url = definition.key_url
        self.capabilities = definition.capabilities
        self.poll_schedule = PollSchedule(definition.poll_schedule)
        self.longest_job_hours = definition.longest_job_hours
        """The provider's own wall-clock limit for one task; a day where none is documented."""
        self.result_lifetime_hours = definition.result_lifetime_hours
        """How long result URLs live, as documented (or the shortest that public evidence shows)."""
        self.refunds_failures = definition.refunds_failures
        """Whether it is documented that a failed task costs nothing, one that moderation refused included."""
        self.takes_data_uris = definition.takes_data_uris
        self.takes_callbacks = uses(definition.submit.body, "callback")
        """Whether it is documented that an address may be sent along, to be called when the task has ended."""
        self.documents_tokens = definition.tokens.modes
        """The modes in which ``@imageN`` in a prompt means something to the provider."""
        self.remembers_submits = definition.idempotency is not None
        """Whether the same submit, sent twice with one idempotency key, is documented to make one task."""
        self.reasons = definition.reasons
        self.video_paths = definition.read.video
        """Where a finished task holds its video URL: the documented place first, then those seen in the wild."""
        errors = definition.errors
        codes = {code: KINDS[kind] for kind, listed in errors.codes.items() for code in listed}
        phrases = {phrase: KINDS[kind] for kind, listed in errors.phrases.items() for phrase in listed}
        self._error_codes = ErrorCodes(codes, phrases)

    # -- set up by the connection's settings

    def base_url(self, url: str) -> str:
        """``url`` without the part of the endpoints' paths that was pasted with it."""
        prefix = self.definition.submit.path.partition("/v1")[0]
        return url[: -len(prefix)] if prefix and url.lower().endswith(prefix) else url

    def with_model(self, name: str) -> Provider:
        """The provider at a gateway with its own name for the model. Raises SettingsError where there is none."""
        if not self.definition.has_own_model_names:
            raise SettingsError(f"{self.label} names its own models: remove the connection's setting 'model'.")
        return Provider(self.definition, name)

    # -- before any money moves

    def capability(self, request: VideoRequest) -> Capability:
        """The capability that serves the request. Raises UnsupportedOption when there is none (rule C9)."""
        capability, faults = capability_selection.choose(self.capabilities, request)
        if capability is None or faults:
            raise UnsupportedOption(f"{self.label} does not support this request; nothing was sent or charged.", faults)
        return capability

    def check(self, request: VideoRequest, *, allow_private_urls: bool = False) -> CheckResult:
        """Check every rule of the contract. Raises RequestError that names all violations at once."""
        capability, found = self.judge(request, allow_private_urls=allow_private_urls)
        return self._verdict(capability, found)

    def read(self, fields: Mapping[str, Any], *, allow_private_urls: bool = False) -> tuple[VideoRequest, CheckResult]:
        """A request from loose values (a form, a CSV row), checked; wrong types are named with all the rest."""
        request, wrong = capability_selection.parse(fields)
        capability, found = self.judge(request, allow_private_urls=allow_private_urls)
        known = {**_TYPE_RULES, **(capability.rules if capability else {})}
        typed = [
            Violation(known.get(f"{name}_type", known.get(name, "C8")), name, message)
            for name, message in wrong.items()
        ]
        others = [violation for violation in found if violation.field not in wrong]
        return request, self._verdict(capability, [*typed, *others])

    def judge(
        self, request: VideoRequest, *, allow_private_urls: bool = False
    ) -> tuple[Capability | None, list[Violation]]:
        """The capability that serves the request, or the nearest one, and every violation, warnings included."""
        capability, found = capability_selection.choose(self.capabilities, request)
        found += rules.check_urls(request, allow_private=allow_private_urls, allow_data=self.takes_data_uris)
        if capability is not None:
            found += rules.check(capability, self.with_tokens(request, capability.mode), self.reasons)
            found += image_tokens.check(request, documented=capability.mode in self.documents_tokens)
        return capability, found

    def _verdict(self, capability: Capability | None, found: list[Violation]) -> CheckResult:
        faults = [violation for violation in found if not violation.is_warning]
        if capability is None or faults:
            count = "one problem" if len(faults) == 1 else f"{len(faults)} problems"
            kind = UnsupportedOption if capability is None else RequestError
            raise kind(f"{self.label}: {count} with this request; nothing was sent or charged.", faults)
        return CheckResult(capability, tuple(violation for violation in found if violation.is_warning))

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
        images = len(request.reference_images)
        return capability.price.cost(resolution=resolution, seconds=seconds or 0, images=images)

    # -- writing

    def submit(self, request: VideoRequest, urls: PublicUrls, idempotency_key: str = "") -> Call:
        """The POST that costs money, for a request that passed :meth:`check`.

        ``idempotency_key`` is sent where the provider documents a header for it (:attr:`remembers_submits`).
        """
        capability = self.capability(request)
        call = self.build(self.with_tokens(request, capability.mode), capability, urls)
        names_submits = self.definition.idempotency
        return call.with_header(names_submits.header, idempotency_key) if names_submits and idempotency_key else call

    def build(self, request: VideoRequest, capability: Capability, urls: PublicUrls) -> Call:
        """The POST, in the provider's own words: documented fields only, nothing null, nothing empty."""
        path, template = self.definition.submit.template(capability.mode, len(urls.images))
        known = values(request, capability, images=urls.images, video=urls.video, callback=urls.callback)
        if self.model_name is not None:
            known["model"] = self.model_name
        return Call.submit(path.replace("{model}", known["model"]), fill(template, known))

    def poll(self, task_id: str, model: str = "") -> Call:
        """The GET that reads the task. Some providers have a path for each ``model``; by default it is the first."""
        return self._task_call(self.definition.poll, task_id, model)

    def result(self, task_id: str, model: str = "") -> Call | None:
        """The GET that reads a finished task's result, where a poll says nothing but its state."""
        path = self.definition.result
        return None if path is None else self._task_call(path, task_id, model)

    def content(self, task_id: str, model: str = "") -> Call | None:
        """A GET for the file itself, where the provider has one beside the result URL."""
        path = self.definition.content
        return None if path is None else self._task_call(path, task_id, model)

    def _task_call(self, path: str, task_id: str, model: str) -> Call:
        if not task_id.strip("."):
            # Dots alone would climb out of the path.
            raise RequestError(f"{task_id!r} is not a task id. Copy it from the provider's dashboard.")
        named = path.replace("{model}", model or self.capabilities[0].model)
        return Call.get(named.replace("{task_id}", quote(task_id, safe="")))

    def cancel(self, task_id: str) -> Call | None:
        """The call that ends a task at the provider. None: no provider here documents one (November 2026)."""
        return None

    def authorize(self, call: Call, secret: str) -> Call:
        """The call with the key."""
        key = self.definition.key
        return call.with_header(key.header, f"{key.scheme} {secret}".strip())

    def with_tokens(self, request: VideoRequest, mode: Mode) -> VideoRequest:
        """The request with ``@imageN`` in the provider's spelling; untouched where none is documented."""
        if mode not in self.documents_tokens:
            return request
        return request.model_copy(update={"prompt": image_tokens.render(request.prompt, self.token)})

    def token(self, number: int) -> str:
        """The provider's spelling of ``@image1``."""
        return self.definition.tokens.spelling.replace("{n}", str(number))

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
        paths = self.definition.read.task_id
        paths = paths if said is None else [path for path in paths if "request_id" not in path]
        found = status_parsing.task_id(body, paths)
        if found is not None:
            return found
        said = said or error_parsing.failed_submit(body)
        raise self._unidentified(reply) if said is None else self._error_codes.error(said, reply)

    def _unidentified(self, reply: Reply) -> UnreadableReply:
        shown = envelope.plain(reply.body[:2000].decode("utf-8", "replace"), limit=200)
        return UnreadableReply(
            f"{self.label} accepted the request but sent no task id, so the job may exist and be charged. Check the "
            f"provider's dashboard before you send it again. The answer was: {shown or 'empty'}",
            status=reply.status,
        )

    def status(self, reply: Reply) -> TaskStatus:
        """The task's state in a poll's 2xx answer, with what it cost where the answer says so."""
        read, codes = self.definition.read, self.definition.errors.moderation_codes
        places = status_parsing.UrlPaths(read.video, read.video_fallback)
        found = status_parsing.status(reply, places, words=self._error_codes, moderation_codes=codes)
        if read.billed is None:
            return found
        amount = envelope.at(envelope.json_object(reply.body.decode("utf-8", "replace")), read.billed.path)
        if not isinstance(amount, int) or isinstance(amount, bool) or amount < 0:
            return found
        return replace(found, cost=Cost(None, Decimal(amount) / read.billed.units_per_usd, is_estimate=False))

    def refusal(self, reply: Reply) -> ProviderError:
        """The error that a non-2xx answer stands for."""
        return self._error_codes.error(error_parsing.refusal(reply), reply)
