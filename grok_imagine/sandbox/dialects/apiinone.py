"""API in One: three fields, one flat price, numeric codes, and two documented answer shapes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, NoReturn

from ..model import ApiErrorKind, Job, Json, ParsedRequest, Price, Reply, State, Task, View
from .base import (
    Dialect,
    apply_faults,
    as_list,
    is_blank,
    is_public_url,
    rejection,
    set_url,
    unknown_keys,
    utf16_length,
)

TEXT_MODEL = "grok-imagine/text-to-video"
IMAGE_MODEL = "grok-imagine/image-to-video"
_KEYS = frozenset({"model", "prompt", "image_urls"})
_CREDIT = Decimal("0.01")
_CREDITS = Decimal(24)
# Neither length nor size can be asked for and none is documented: the sandbox's own choice.
_SECONDS, _TIER, _RATIO = 6, "480p", "16:9"

_ERRORS: dict[ApiErrorKind, tuple[int, str, str]] = {
    ApiErrorKind.NO_AUTH: (401, "authentication_error", "Missing API key"),
    ApiErrorKind.NOT_BEARER: (401, "authentication_error", "Authorization must use the Bearer scheme"),
    ApiErrorKind.BAD_KEY: (401, "authentication_error", "Invalid API key"),
    ApiErrorKind.REVOKED: (401, "authentication_error", "API key has been revoked"),
    ApiErrorKind.NO_CREDIT: (402, "billing_error", "Insufficient credits"),
    ApiErrorKind.NO_TASK: (404, "invalid_request_error", "Task not found"),
    ApiErrorKind.RATE: (429, "rate_limit_error", "Too many requests"),
    ApiErrorKind.SPEND: (429, "billing_error", "Spend limit reached (spend_limit_exceeded)"),
    ApiErrorKind.BAD_JSON: (400, "invalid_request_error", "Request body must be a JSON object"),
    ApiErrorKind.INTERNAL: (500, "api_error", "Internal error"),
    ApiErrorKind.GATEWAY: (502, "api_error", "Bad gateway"),
    ApiErrorKind.UNAVAILABLE: (503, "api_error", "Service unavailable"),
}
_FAILURES = {"moderation": "moderation_blocked", "reference": "invalid_image_url", "generic": "generation_failed"}
_WORDS_B = {State.QUEUED: "pending", State.RUNNING: "processing", State.DONE: "completed", State.FAILED: "failed"}
_WORDS_A = {State.DONE: "COMPLETED", State.FAILED: "FAILED"}


def _error(code: int, kind: str, message: str) -> Json:
    return {"error": {"code": code, "message": message, "type": kind}}


def _reject(message: str) -> NoReturn:
    raise rejection(400, _error(400, "invalid_request_error", message))


class ApiInOne(Dialect):
    """The dialect of apiin.one."""

    name: str = "apiinone"
    key_prefix: str = "aio_"
    credit_usd: Decimal = _CREDIT
    submit_paths: Mapping[str, str] = {"/api/v1/videos/generations": ""}
    poll_paths: Mapping[str, str] = {"/api/v1/tasks/{task_id}": ""}

    def parse_request(self, operation: str, body: Json, *, strict: bool) -> ParsedRequest:
        model = body.get("model", TEXT_MODEL)
        if model not in (TEXT_MODEL, IMAGE_MODEL):
            _reject(f'model must be "{TEXT_MODEL}" or "{IMAGE_MODEL}"')
        if strict and (extra := unknown_keys(body, _KEYS)):
            _reject(f"unknown parameter '{extra[0]}'")
        images = _images(model, body)
        prompt = body.get("prompt")
        if is_blank(prompt):
            if model == TEXT_MODEL:
                _reject("prompt is required for text-to-video")
            prompt = ""
        if not isinstance(prompt, str):
            _reject("prompt must be a string")
        if utf16_length(prompt) > 5000:
            _reject("prompt must be at most 5000 characters")
        job = Job("image" if images else "text", prompt, _SECONDS, _TIER, "" if images else _RATIO, images)
        return ParsedRequest(model, job, Price(_CREDITS, _CREDITS * _CREDIT))

    def submit_reply(self, task: Task, shape: str) -> Reply:
        if shape == "shape-b":
            return Reply(200, self._shape_b(task, "pending"))
        data = {"task_id": task.id, "status": "IN_PROGRESS"}
        return Reply(200, {"code": 200, "message": "success", "data": data})

    def poll_reply(self, view: View) -> Reply:
        if view.shape == "shape-b":
            body = self._shape_b(view.task, view.status_word(_WORDS_B[view.state]))
            set_url(body, view, "output.video_url", usual_is_list=False)
            if view.failure:
                body["error"] = self._failure(view)
            return apply_faults(Reply(200, body), view)
        data: Json = {"task_id": view.task.id, "status": view.status_word(_WORDS_A.get(view.state, "IN_PROGRESS"))}
        set_url(data, view, "output.video_url", usual_is_list=False)
        if view.failure:
            data["error"] = self._failure(view)
        if view.task.fault("progress-100-failed") and view.state is State.FAILED:
            data["progress"] = 100
        dressed = apply_faults(Reply(200, data), view).body
        return Reply(200, {"code": 200, "message": "success", "data": dressed})

    def error_reply(self, error: ApiErrorKind, detail: str = "") -> Reply:
        status, kind, message = _ERRORS[error]
        return Reply(status, _error(status, kind, detail or message))

    def new_id(self) -> str:
        return f"n{secrets.token_hex(10)}_grokvid"

    def _shape_b(self, task: Task, status: str) -> Json:
        moment = datetime.fromtimestamp(int(task.created), timezone.utc).isoformat().replace("+00:00", "Z")
        return {"id": task.id, "status": status, "model": task.model, "created_at": moment}

    def _failure(self, view: View) -> Json | None:
        return view.failure and {"code": _FAILURES[view.failure.kind], "message": view.failure.message}


def _images(model: str, body: Json) -> tuple[str, ...]:
    if model == TEXT_MODEL:
        if "image_urls" in body:
            _reject(f"image_urls is for {IMAGE_MODEL}")
        return ()
    urls: list[Any] | None = as_list(body.get("image_urls"))
    if urls is None or not 1 <= len(urls) <= 7:
        _reject("image_urls must be an array of 1 to 7 image URLs")
    if not all(is_public_url(url) for url in urls):
        _reject("image_urls entries must be http(s) URLs")
    return tuple(urls)
