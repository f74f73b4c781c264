"""AI Video API: parameters inside `input`, the submit wrapped, the poll bare, callbacks and a balance."""

from __future__ import annotations

import secrets
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
    is_blank,
    is_int,
    is_public_url,
    rejection,
    set_url,
    unknown_keys,
    utf16_length,
)

TEXT_MODEL = "grok-imagine-text-to-video"
IMAGE_MODEL = "grok-imagine-image-to-video"
RATIOS = ("2:3", "3:2", "1:1", "16:9", "9:16")
MODES = {TEXT_MODEL: ("fun", "normal", "spicy"), IMAGE_MODEL: ("fun", "normal")}
_RATES = {"480p": Decimal("2.4"), "720p": Decimal("4.5")}
_CREDIT = Decimal("0.005")
_TOP = frozenset({"model", "input", "callback_url"})
_INPUT = frozenset({"prompt", "aspect_ratio", "duration", "resolution", "mode", "image_urls", "nsfw_checker"})

_ERRORS: dict[ApiErrorKind, tuple[int, str, str, str]] = {
    ApiErrorKind.NO_AUTH: (401, "invalid_api_key", "authentication_error", "Missing Authorization header"),
    ApiErrorKind.NOT_BEARER: (401, "invalid_api_key", "authentication_error", "Authorization must be 'Bearer sk-...'"),
    ApiErrorKind.BAD_KEY: (401, "invalid_api_key", "authentication_error", "Invalid API key"),
    ApiErrorKind.REVOKED: (401, "invalid_api_key", "authentication_error", "This API key has been revoked"),
    ApiErrorKind.NO_CREDIT: (402, "insufficient_credits", "billing_error", "Insufficient credits"),
    ApiErrorKind.NO_TASK: (404, "task_not_found", "invalid_request_error", "Task not found"),
    ApiErrorKind.RATE: (429, "rate_limit_exceeded", "rate_limit_error", "Too many requests"),
    ApiErrorKind.SPEND: (429, "spend_limit_exceeded", "billing_error", "The spend limit of this API key is reached"),
    ApiErrorKind.BAD_JSON: (400, "invalid_request", "invalid_request_error", "Request body must be a JSON object"),
    ApiErrorKind.INTERNAL: (500, "internal_error", "api_error", "Internal error"),
    ApiErrorKind.GATEWAY: (502, "upstream_error", "upstream_error", "Bad gateway"),
    ApiErrorKind.UNAVAILABLE: (503, "upstream_error", "upstream_error", "Upstream is unavailable"),
}
# No moderation code is published; the word is the one seen in the wider family of gateways.
_FAILURES = {"moderation": "moderation_blocked", "reference": "invalid_image_url", "generic": "upstream_error"}


def _error(status: int, code: str, kind: str, message: str) -> Reply:
    return Reply(status, {"error": {"code": code, "message": message, "type": kind}})


def _reject(message: str) -> NoReturn:
    raise rejection(400, _error(400, "invalid_request", "invalid_request_error", message).body or {})


class AiVideoApi(Dialect):
    """The dialect of api.aivideoapi.ai."""

    name: str = "aivideoapi"
    key_prefix: str = "sk-"
    credit_usd: Decimal = _CREDIT
    queued_share: float = 0.15
    submit_paths: Mapping[str, str] = {"/v1/videos/generations": ""}
    poll_paths: Mapping[str, str] = {"/v1/tasks/{task_id}": ""}

    def parse_request(self, operation: str, body: Json, *, strict: bool) -> ParsedRequest:
        model, given = body.get("model"), as_object(body.get("input"))
        if not isinstance(model, str) or not model:
            _reject("model is required")
        if model not in MODES:
            raise rejection(
                404, _error(404, "model_not_found", "invalid_request_error", f"Model '{model}' not found").body or {}
            )
        if given is None:
            _reject("input must be an object")
        if strict and (extra := unknown_keys(body, _TOP) or unknown_keys(given, _INPUT)):
            _reject(f"unknown field '{extra[0]}'")
        images = _images(model, given)
        prompt = _prompt(model, given)
        ratio = _one_of(given, "aspect_ratio", RATIOS, "2:3")
        tier = _one_of(given, "resolution", tuple(_RATES), "480p")
        motion = _one_of(given, "mode", MODES[model], "normal")
        seconds = given.get("duration", 6)
        if not is_int(seconds) or not 6 <= seconds <= 30:
            _reject("input.duration must be an integer between 6 and 30")
        if type(given.get("nsfw_checker", True)) is not bool:
            _reject("input.nsfw_checker must be a boolean")
        # One image sets its own ratio; with several the field applies.
        follows = len(images) == 1
        job = Job("image" if images else "text", prompt, seconds, tier, "" if follows else ratio, images)
        return ParsedRequest(model, job, price(seconds, tier), {"mode": motion}, _callback(body))

    def submit_reply(self, task: Task, shape: str) -> Reply:
        return Reply(200, {"code": 200, "msg": "success", "data": {"taskId": task.id}})

    def poll_reply(self, view: View) -> Reply:
        task, words = view.task, {State.QUEUED: "pending", State.DONE: "completed", State.FAILED: "failed"}
        body: Json = {
            "id": task.id,
            "status": view.status_word(words.get(view.state, "processing")),
            "model": task.model,
            "created_at": int(task.created),
        }
        if view.state in (State.QUEUED, State.RUNNING):
            body["progress"] = None
        if view.state is State.DONE:
            body["completed_at"] = int(task.final)
        if view.url:
            set_url(body, view, "output.urls", usual_is_list=True)
            if "output" in body:
                body["output"]["metadata"] = {
                    "ratio": task.echo.get("ratio", task.job.ratio),
                    "duration": task.job.seconds,
                    "resolution": task.job.tier,
                }
        if view.failure:
            body["error"] = {"code": _FAILURES[view.failure.kind], "message": view.failure.message}
        if task.fault("progress-100-failed") and view.state is State.FAILED:
            body["progress"] = 100
        return apply_faults(Reply(200, body), view)

    def error_reply(self, error: ApiErrorKind, detail: str = "") -> Reply:
        status, code, kind, message = _ERRORS[error]
        return _error(status, code, kind, detail or message)

    def new_id(self) -> str:
        return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))

    def balance(self, purchased: Decimal, consumed: Decimal) -> Reply:
        data = {
            "balance": float(purchased - consumed),
            "total_purchased": float(purchased),
            "total_consumed": float(consumed),
        }
        return Reply(200, {"code": 200, "msg": "success", "data": data})


def price(seconds: int, tier: str) -> Price:
    """Charged exactly: the seed says "about 15" for 14.4 and no rounding rule is published."""
    amount = _RATES[tier] * seconds
    return Price(amount, amount * _CREDIT)


def _images(model: str, given: Json) -> tuple[str, ...]:
    if model == TEXT_MODEL:
        if "image_urls" in given:
            _reject(f"input.image_urls is not accepted by {TEXT_MODEL}")
        return ()
    urls: list[Any] | None = as_list(given.get("image_urls"))
    if urls is None or not 1 <= len(urls) <= 7:
        _reject("input.image_urls must be an array of 1 to 7 URLs")
    if not all(is_public_url(url) for url in urls):
        _reject("input.image_urls entries must be public HTTP/HTTPS URLs")
    return tuple(urls)


def _prompt(model: str, given: Json) -> str:
    prompt = given.get("prompt")
    if is_blank(prompt):
        if model == TEXT_MODEL:
            _reject("input.prompt is required")
        return ""
    if not isinstance(prompt, str):
        _reject("input.prompt must be a string")
    if utf16_length(prompt) > 5000:
        _reject("input.prompt must be at most 5000 characters")
    return prompt


def _one_of(given: Json, key: str, allowed: tuple[str, ...], default: str) -> str:
    value = given.get(key, default)
    if not isinstance(value, str) or value not in allowed:
        _reject(f"input.{key} must be one of: {', '.join(allowed)}")
    return value


def _callback(body: Json) -> str:
    url = body.get("callback_url", "")
    if "callback_url" in body and (not is_public_url(url) or len(url) > 2048):
        _reject("callback_url must be an http(s) URL of at most 2048 characters")
    return url
