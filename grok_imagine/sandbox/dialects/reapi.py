"""reAPI: `grok-imagine-1.0-video`, numeric error codes, seven days of output, nine credits a second."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, NoReturn

from ..model import ApiErrorKind, Job, Json, ParsedRequest, Price, Reply, State, Task, View
from .base import (
    DAY,
    Dialect,
    apply_faults,
    as_list,
    integer_of,
    is_blank,
    is_public_url,
    rejection,
    set_url,
    unknown_keys,
    utf16_length,
)

MODEL = "grok-imagine-1.0-video"
SIZES = ("16:9", "9:16", "1:1", "3:2", "2:3")
QUALITIES = ("480p", "720p")
_KEYS = frozenset({"model", "prompt", "size", "duration", "quality", "image_urls"})
_USD_PER_SECOND = Decimal("0.009")
_CREDIT = Decimal("0.001")

_TROUBLES: dict[ApiErrorKind, tuple[int, int, str]] = {
    ApiErrorKind.NO_AUTH: (401, 10001, "Authorization header is missing"),
    ApiErrorKind.NOT_BEARER: (401, 10002, "Authorization header must use the Bearer scheme"),
    ApiErrorKind.BAD_KEY: (401, 10003, "API key is invalid"),
    ApiErrorKind.REVOKED: (401, 10004, "API key has been revoked"),
    ApiErrorKind.NO_CREDIT: (402, 30001, "Insufficient credits"),
    ApiErrorKind.NO_TASK: (404, 40001, "Task not found"),
    ApiErrorKind.RATE: (429, 50001, "Rate limit exceeded"),
    ApiErrorKind.SPEND: (429, 50001, "Spend limit of this key exceeded (spend_limit_exceeded)"),
    ApiErrorKind.BAD_JSON: (400, 20001, "Request body must be a JSON object"),
    ApiErrorKind.INTERNAL: (500, 60099, "Internal error"),
    ApiErrorKind.GATEWAY: (502, 70002, "Bad gateway"),
    ApiErrorKind.UNAVAILABLE: (503, 70001, "Service temporarily unavailable"),
}
# 8xxxx are upstream failures, seen in a poll body only; 80006 is the one whose text is published.
_FAILURES = {"moderation": 80006, "reference": 80002, "generic": 80001}


def _reject(code: int, message: str) -> NoReturn:
    raise rejection(400, _error(code, message))


def _error(code: int, message: str) -> Json:
    return {"error": {"code": code, "message": message, "request_id": "req_" + secrets.token_hex(12)}}


class ReApi(Dialect):
    """The dialect of reapi.ai."""

    name: str = "reapi"
    key_prefix: str = "rk_live_"
    credit_usd: Decimal = _CREDIT
    url_lifetime: float = 7 * DAY
    submit_paths: Mapping[str, str] = {"/api/v1/videos/generations": ""}
    poll_paths: Mapping[str, str] = {"/api/v1/tasks/{task_id}": ""}

    def parse_request(self, operation: str, body: Json, *, strict: bool) -> ParsedRequest:
        if body.get("model") != MODEL:
            _reject(20004, f'model "{body.get("model")}" is not supported on this endpoint')
        if strict and (extra := unknown_keys(body, _KEYS)):
            _reject(20003, f"grok-imagine: unknown field {extra[0]!r}")
        images = _images(body)
        prompt = _prompt(body, images)
        size = body.get("size", "16:9")
        if size not in SIZES:
            _reject(20003, f'grok-imagine: invalid size "{size}" (allowed: {" / ".join(SIZES)})')
        seconds = _duration(body)
        quality = body.get("quality", "480p")
        if quality not in QUALITIES:
            _reject(20003, f'grok-imagine: invalid quality "{quality}" (allowed: {" / ".join(QUALITIES)})')
        job = Job("image" if images else "text", prompt, seconds, quality, "" if images else size, images)
        return ParsedRequest(MODEL, job, price(seconds))

    def submit_reply(self, task: Task, shape: str) -> Reply:
        return Reply(200, self._envelope(task, "processing"))

    def poll_reply(self, view: View) -> Reply:
        words = {State.DONE: "completed", State.FAILED: "failed"}
        body = self._envelope(view.task, view.status_word(words.get(view.state, "processing")))
        body.update(output=None, error=None)
        if view.failure:
            body["error"] = {"code": _FAILURES[view.failure.kind], "message": view.failure.message}
        if view.task.fault("progress-100-failed") and view.state is State.FAILED:
            body["progress"] = 100
        if view.shape == "nested-url" and view.url:
            # The upstream family's spelling: a list of videos, each with a list of URLs.
            body["result"] = {"videos": [{"url": [view.url], "expires_at": view.expires}]}
        elif view.url:
            body["output"] = {}
            set_url(body, view, "output.video_urls", usual_is_list=True)
        return apply_faults(Reply(200, body), view)

    def error_reply(self, error: ApiErrorKind, detail: str = "") -> Reply:
        status, code, message = _TROUBLES[error]
        return Reply(status, _error(code, detail or message))

    def new_id(self) -> str:
        return "task_" + secrets.token_hex(16)

    def _envelope(self, task: Task, status: str) -> Json:
        return {"id": task.id, "model": task.model, "status": status, "created_at": int(task.created)}


def price(seconds: int) -> Price:
    """credits = ceil(per_second_usd x duration x 1000), as the seed prints it."""
    amount = (_USD_PER_SECOND * seconds * 1000).to_integral_value(ROUND_CEILING)
    return Price(amount, amount * _CREDIT)


def _images(body: Json) -> tuple[str, ...]:
    if "image_urls" not in body:
        return ()
    urls: list[Any] | None = as_list(body["image_urls"])
    if urls is None:
        _reject(20003, "grok-imagine: image_urls must be an array of public http(s) URLs")
    if len(urls) > 7:
        _reject(20003, f"grok-imagine: image_urls accepts at most 7 entries, got {len(urls)}")
    if not all(is_public_url(url) for url in urls):
        _reject(20003, "grok-imagine: image_urls entries must be public http(s) URLs")
    return tuple(urls)


def _prompt(body: Json, images: tuple[str, ...]) -> str:
    prompt = body.get("prompt")
    if is_blank(prompt):
        if not images:
            _reject(20002, "grok-imagine: prompt is required when image_urls is empty (text-to-video)")
        return ""
    if not isinstance(prompt, str):
        _reject(20003, "grok-imagine: prompt must be a string")
    if utf16_length(prompt) > 4000:
        _reject(20007, f"grok-imagine: prompt exceeds 4000 characters (got {utf16_length(prompt)})")
    return prompt


def _duration(body: Json) -> int:
    value = body.get("duration", 6)
    if type(value) not in (int, float):
        _reject(20003, "grok-imagine: duration must be an integer number of seconds")
    seconds = integer_of(value)
    if seconds is None or not 6 <= seconds <= 30:
        _reject(20003, f"grok-imagine: duration must be 6-30 seconds, got {value}")
    return seconds
