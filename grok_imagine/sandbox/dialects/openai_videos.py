"""The OpenAI-compatible gateway (new-api family): one endpoint, five operations, and its answers."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from decimal import Decimal

from ..model import ApiErrorKind, Json, ParsedRequest, Reply, State, Task, View
from . import openai_requests
from .base import Dialect, apply_faults, set_url

_MIDDLEWARE: dict[ApiErrorKind, tuple[int, str, str]] = {
    ApiErrorKind.NO_AUTH: (401, "invalid_api_key", "No API key provided"),
    ApiErrorKind.NOT_BEARER: (401, "invalid_api_key", "Authorization must use the Bearer scheme"),
    ApiErrorKind.BAD_KEY: (401, "invalid_api_key", "Invalid token"),
    ApiErrorKind.REVOKED: (401, "invalid_api_key", "This token has been revoked"),
    ApiErrorKind.NO_CREDIT: (402, "insufficient_user_quota", "User quota is not enough"),
    ApiErrorKind.RATE: (429, "rate_limit_exceeded", "Too many requests"),
    ApiErrorKind.SPEND: (429, "spend_limit_exceeded", "The spend limit of this token is reached"),
    ApiErrorKind.INTERNAL: (500, "internal_error", "Internal error"),
    ApiErrorKind.GATEWAY: (502, "bad_gateway", "Bad gateway"),
    ApiErrorKind.UNAVAILABLE: (503, "no_available_channel", "No available channel for model grok-imagine"),
}
_FAILURES = {"moderation": "moderation_blocked", "reference": "invalid_input_media", "generic": "task_failed"}
_WORDS = {State.QUEUED: "queued", State.RUNNING: "in_progress", State.DONE: "completed", State.FAILED: "failed"}
_LEGACY = {State.QUEUED: "QUEUED", State.RUNNING: "IN_PROGRESS", State.DONE: "SUCCESS", State.FAILED: "FAILURE"}
_THIRD = {State.QUEUED: "processing", State.RUNNING: "processing", State.DONE: "succeeded", State.FAILED: "failed"}


class OpenAIVideos(Dialect):
    """The dialect of gateways that speak OpenAI's video endpoints."""

    name: str = "openai_videos"
    key_prefix: str = "sk-"
    credit_usd: Decimal = openai_requests.CREDIT
    queued_share: float = 0.15
    submit_paths: Mapping[str, str] = {
        "/v1/videos": "",
        "/v1/videos/generations": "",
        "/v1/video/generations": "",
    }
    poll_paths: Mapping[str, str] = {
        "/v1/videos/{task_id}": "",
        "/v1/videos/generations/{task_id}": "",
        "/v1/video/generations/{task_id}": "legacy",
    }

    def parse_request(self, operation: str, body: Json, *, strict: bool) -> ParsedRequest:
        return openai_requests.parse_request(body, strict=strict)

    def submit_reply(self, task: Task, shape: str) -> Reply:
        return Reply(200, self._video(View(task, State.QUEUED, 0)))

    def poll_reply(self, view: View) -> Reply:
        # The SDK's own polling helper reads its pace from this header.
        headers = {"openai-poll-after-ms": str(int(min(max(view.task.seconds * 125, 200), 5000)))}
        if view.shape in ("legacy", "fail-reason-url"):
            return Reply(200, _legacy(view), headers)
        if view.shape == "third":
            return Reply(200, _third(view), headers)
        if view.shape == "sibling":
            return Reply(200, _sibling(view), headers)
        return apply_faults(Reply(200, self._video(view), headers), view)

    def error_reply(self, error: ApiErrorKind, detail: str = "") -> Reply:
        if error is ApiErrorKind.NO_TASK:
            # This family answers an unknown task with 400, not 404.
            return Reply(400, openai_requests.task_error("task_not_exist", detail or "task_not_exist"))
        if error is ApiErrorKind.BAD_JSON:
            return Reply(400, openai_requests.task_error("invalid_request", detail or "body must be a JSON object"))
        status, code, message = _MIDDLEWARE[error]
        return Reply(status, {"error": {"message": detail or message, "type": "new_api_error", "code": code}})

    def new_id(self) -> str:
        return "task_" + secrets.token_urlsafe(24).replace("-", "0").replace("_", "1")

    def not_ready_reply(self, view: View) -> Reply:
        """What /content says of a task that has no file (yet)."""
        message = f"Task is not completed yet, current status: {view.status_word(_WORDS[view.state])}"
        return Reply(400, {"error": {"message": message, "type": "invalid_request_error"}})

    def no_file_reply(self) -> Reply:
        return Reply(404, {"error": {"message": "Task not found", "type": "invalid_request_error"}})

    def unsupported_variant_reply(self) -> Reply:
        message = "only the variant video is offered"
        return Reply(400, {"error": {"message": message, "type": "invalid_request_error"}})

    def _video(self, view: View) -> Json:
        task, state = view.task, view.state
        body: Json = {
            "id": task.id,
            "task_id": task.id,
            "object": "video",
            "model": task.model,
            "status": view.status_word(_WORDS[state]),
            "progress": _percent(view),
            "created_at": int(task.created),
        }
        if state is State.FAILED:
            del body["task_id"]
            return {**body, "error": _failure(view)}
        if "seconds" in task.echo:
            body["seconds"] = task.echo["seconds"]
        if state is State.DONE:
            body.update(completed_at=int(task.final), **{k: v for k, v in task.echo.items() if k == "size"})
            body["metadata"] = {}
            set_url(body, view, "metadata.url", usual_is_list=False)
        if view.failure:
            body["error"] = _failure(view)
        return body


def _percent(view: View) -> int:
    return 100 if view.state in (State.DONE, State.FAILED) else view.percent


def _failure(view: View) -> Json | None:
    return view.failure and {"code": _FAILURES[view.failure.kind], "message": view.failure.message}


def _legacy(view: View) -> Json:
    """The older route's envelope; builds older still put the result into `fail_reason`."""
    task, done = view.task, view.state is State.DONE
    data: Json = {
        "task_id": task.id,
        "status": view.status_word(_LEGACY[view.state]),
        "fail_reason": "",
        "progress": f"{_percent(view)}%",
        "submit_time": int(task.created),
        "start_time": int(task.created) if view.state is not State.QUEUED else 0,
        "finish_time": int(task.final),
        "data": {},
    }
    if view.failure:
        data["fail_reason"] = view.failure.message
    if done and view.url:
        data["fail_reason" if view.shape == "fail-reason-url" else "result_url"] = view.url
    return {"code": "success", "message": "", "data": data}


def _third(view: View) -> Json:
    error = _failure(view)
    return {
        "task_id": view.task.id,
        "status": view.status_word(_THIRD[view.state]),
        "url": view.url,
        "format": "mp4",
        "metadata": {"duration": view.task.job.seconds, "fps": 24},
        "error": error,
    }


def _sibling(view: View) -> Json:
    body: Json = {
        "id": view.task.id,
        "task_id": view.task.id,
        "object": "video.generation.job",
        "status": view.status_word(_WORDS[view.state]),
        "progress": _percent(view),
        "error": _failure(view),
        "metadata": {},
    }
    if view.url:
        body.update(
            result={"outputs": [view.url], "video_url": view.url},
            video_url=view.url,
            thumbnail_url="https://thumbnails.invalid/never-take-this.jpg",
        )
    return body
