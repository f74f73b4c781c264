"""xAI itself: three paths, objects for images, data URIs accepted, and 202 with nothing while pending."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from ..model import ApiErrorKind, Job, Json, ParsedRequest, Price, Reply, State, Task, View
from .base import (
    Dialect,
    apply_faults,
    as_list,
    as_object,
    integer_of,
    is_blank,
    is_public_url,
    rejection,
    set_url,
    unknown_keys,
    utf16_length,
)

MODELS = ("grok-imagine-video", "grok-imagine-video-1.5", "grok-imagine-video-1.5-preview")
RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")
# 1080p has no published price; the sandbox asks double the 720p rate.
_RATES = {"480p": Decimal("0.05"), "720p": Decimal("0.07"), "1080p": Decimal("0.14")}
_PER_IMAGE = Decimal("0.002")
_TICKS_PER_USD = 10_000_000_000
_GENERATE = frozenset({"model", "prompt", "duration", "image", "reference_images", "aspect_ratio", "resolution"})
_EDIT = frozenset({"model", "prompt", "video"})
_EXTEND = frozenset({"model", "prompt", "video", "duration"})
EDIT_SOURCE, EXTEND_SOURCE = (0.0, 8.7), (2.0, 15.0)
BILLED_EDIT_SECONDS = 8

_TROUBLES: dict[ApiErrorKind, tuple[int, str, str]] = {
    ApiErrorKind.NO_AUTH: (401, "unauthenticated", "No API key was sent"),
    ApiErrorKind.NOT_BEARER: (401, "unauthenticated", "Authorization must use the Bearer scheme"),
    ApiErrorKind.BAD_KEY: (401, "unauthenticated", "Incorrect API key"),
    ApiErrorKind.REVOKED: (401, "unauthenticated", "This API key has been revoked"),
    ApiErrorKind.NO_CREDIT: (402, "insufficient_credits", "Your team has used all its credits"),
    ApiErrorKind.NO_TASK: (404, "not_found", "No such request_id"),
    ApiErrorKind.RATE: (429, "rate_limit_exceeded", "Too many requests"),
    ApiErrorKind.SPEND: (429, "spend_limit_exceeded", "Your team has reached its spending limit"),
    ApiErrorKind.BAD_JSON: (400, "invalid_argument", "Request body must be a JSON object"),
    ApiErrorKind.INTERNAL: (500, "internal_error", "Internal error"),
    ApiErrorKind.GATEWAY: (502, "bad_gateway", "Bad gateway"),
    ApiErrorKind.UNAVAILABLE: (503, "unavailable", "Service temporarily unavailable"),
}
_FAILURES = {"moderation": "moderation_blocked", "reference": "invalid_argument", "generic": "internal_error"}


def _reject(message: str, status: int = 400) -> NoReturn:
    raise rejection(status, {"code": "invalid_argument", "error": message})


class XAi(Dialect):
    """The dialect of api.x.ai."""

    name: str = "xai"
    key_prefix: str = "xai-"
    credit_usd: Decimal = Decimal(1)
    submit_paths: Mapping[str, str] = {
        "/v1/videos/generations": "generate",
        "/v1/videos/edits": "edit",
        "/v1/videos/extensions": "extend",
    }
    poll_paths: Mapping[str, str] = {"/v1/videos/{task_id}": ""}

    def parse_request(self, operation: str, body: Json, *, strict: bool) -> ParsedRequest:
        model = body.get("model")
        if model not in MODELS:
            _reject(f"The model {model} does not exist or your team does not have access to it", 404 if model else 400)
        known = {"generate": _GENERATE, "edit": _EDIT, "extend": _EXTEND}[operation]
        if (strict or operation == "edit") and (extra := unknown_keys(body, known)):
            _reject(f"unknown field {extra[0]} for {operation}")
        if operation == "generate":
            return _generate(model, body)
        return _edit_or_extend(model, operation, body)

    def submit_reply(self, task: Task, shape: str) -> Reply:
        return Reply(200, {"request_id": task.id})

    def poll_reply(self, view: View) -> Reply:
        task = view.task
        if view.state in (State.QUEUED, State.RUNNING):
            if not (view.unknown_word or view.status_words or view.empty_error):
                return Reply(202)
            return apply_faults(Reply(202, {"status": view.status_word("pending"), "progress": view.percent}), view)
        body: Json = {"status": view.status_word("done" if view.state is State.DONE else "failed"), "model": task.model}
        if view.state is State.FAILED:
            body["error"] = self._failure(view)
            body["progress"] = 100 if task.fault("progress-100-failed") else view.percent
            return apply_faults(Reply(200, body), view)
        ticks = int(task.price.usd * _TICKS_PER_USD)
        body.update(progress=100, usage={"cost_in_usd_ticks": 0 if view.blocked else ticks})
        # A blocked clip keeps its object: an empty URL, and the flag that says why.
        body["video"] = {
            "url": "",
            "duration": task.echo.get("length", task.job.seconds),
            "respect_moderation": not view.blocked,
        }
        set_url(body, view, "video.url", usual_is_list=False)
        return apply_faults(Reply(200, body), view)

    def error_reply(self, error: ApiErrorKind, detail: str = "") -> Reply:
        status, code, message = _TROUBLES[error]
        return Reply(status, {"code": code, "error": detail or message})

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def _failure(self, view: View) -> Json | None:
        return view.failure and {"code": _FAILURES[view.failure.kind], "message": view.failure.message}


def _generate(model: str, body: Json) -> ParsedRequest:
    image, references = body.get("image"), body.get("reference_images")
    if image is not None and references:
        _reject("image and reference_images cannot be combined")
    if "video" in body:
        _reject("video is not accepted here; use /v1/videos/edits or /v1/videos/extensions")
    images = (_media(image, "image", "ImageUrl"),) if image is not None else _references(references)
    prompt = _prompt(body, required=image is None)
    tier, ratio = body.get("resolution", "480p"), body.get("aspect_ratio")
    if tier not in tuple(_RATES):
        _reject(f"resolution must be one of {', '.join(_RATES)}")
    if ratio is not None and ratio not in RATIOS:
        _reject(f"aspect_ratio must be one of {', '.join(RATIOS)}")
    seconds = _duration(body, 8, (1, 10 if references else 15))
    mode = "image" if image is not None else "reference" if images else "text"
    usd = _RATES[tier] * seconds + _PER_IMAGE * len(images)
    job = Job(mode, prompt, seconds, tier, ratio or ("" if mode == "image" else "16:9"), images)
    return ParsedRequest(model, job, Price(usd, usd))


def _edit_or_extend(model: str, operation: str, body: Json) -> ParsedRequest:
    video = _media(body.get("video"), "video", "VideoUrl")
    prompt = _prompt(body, required=True)
    if operation == "edit":
        # The length is known only once the source is fetched; a fixed one is billed at submit.
        usd = _RATES["480p"] * BILLED_EDIT_SECONDS
        return ParsedRequest(model, Job("edit", prompt, 0, "480p", "", (), video, EDIT_SOURCE), Price(usd, usd))
    seconds = _duration(body, 6, (2, 10))
    usd = _RATES["480p"] * seconds
    return ParsedRequest(model, Job("extend", prompt, seconds, "480p", "", (), video, EXTEND_SOURCE), Price(usd, usd))


def _media(value: Any, field: str, wanted: str) -> str:
    inner = as_object(value)
    if inner is None:
        kind = "string" if isinstance(value, str) else "null" if value is None else type(value).__name__
        _reject(
            f"Failed to deserialize the JSON body into the target type: {field}: invalid type: {kind}, "
            f"expected struct {wanted}",
            422,
        )
    url = inner.get("url")
    if not is_public_url(url, data_too=True):
        _reject(f"{field}.url must be an http(s) URL or a base64 data URI")
    return url


def _references(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    entries = as_list(value)
    if entries is None:
        _reject("Failed to deserialize the JSON body into the target type: reference_images: expected a sequence", 422)
    if not 1 <= len(entries) <= 7:
        _reject(f"reference_images takes 1 to 7 images, got {len(entries)}")
    return tuple(_media(entry, "reference_images", "ImageUrl") for entry in entries)


def _prompt(body: Json, *, required: bool) -> str:
    prompt = body.get("prompt")
    if is_blank(prompt):
        if required:
            _reject("prompt is required")
        return ""
    if not isinstance(prompt, str):
        _reject("Failed to deserialize the JSON body into the target type: prompt: expected a string", 422)
    if utf16_length(prompt) > 4096:
        _reject("prompt is longer than 4096 characters")
    return prompt


def _duration(body: Json, default: int, limits: tuple[int, int]) -> int:
    value = body.get("duration", default)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 5:
        value = int(value)
    seconds = integer_of(value)
    low, high = limits
    if seconds is None or not low <= seconds <= high:
        _reject(f"duration must be between {low} and {high} seconds")
    return seconds
