"""Refusals: what an answer that says no says, wherever the families keep it, and which error it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from ..errors import (
    AuthRejected,
    BadRequest,
    ContentRefused,
    OutOfCredit,
    ProviderDown,
    ProviderError,
    RateLimited,
    TaskNotFound,
    UnreadableReply,
)
from ..models import Reply, TaskPhase
from .envelope import Object, code_text, first_text, is_bad, mapping, names_a_task, status_word, unwrap
from .status_words import phase_of

Kind = type[ProviderError]


def normalize_code(table: Mapping[Kind, str]) -> dict[str, Kind]:
    """``{error: "code code"}`` turned about: one entry for each code."""
    return {code: kind for kind, codes in table.items() for code in codes.split()}


KINDS: dict[str, Kind] = {
    "auth_rejected": AuthRejected,
    "bad_request": BadRequest,
    "content_refused": ContentRefused,
    "out_of_credit": OutOfCredit,
    "provider_down": ProviderDown,
    "rate_limited": RateLimited,
    "task_not_found": TaskNotFound,
}
"""The kinds of error as a provider's file names them."""


_MODERATION = re.compile(
    r"(?i)moderation|moderated|content[ _-]polic|polic(?:y|ies)[ _-]violat|violat\w*[^.]{0,40}polic"
    r"|nsfw|safety[ _-](?:system|filter|check)|sensitive[ _-](?:content|word)|content[ _-]filter|prohibited[ _-]content"
)

_SHARED_CODES = normalize_code(
    {
        # The OpenAI dialect's own words, and those of new-api (types/error.go), which most gateways of it keep.
        AuthRejected: "invalid_api_key authentication_error",
        # 429 with spend_limit_exceeded is final: waiting does not raise a limit that the user has set.
        OutOfCredit: "spend_limit_exceeded insufficient_credits insufficient_quota insufficient_user_quota "
        "pre_consume_token_quota_failed billing_error",
        RateLimited: "rate_limit_exceeded rate_limit_error",
        TaskNotFound: "task_not_exist task_not_found",
        BadRequest: "invalid_request invalid_request_error missing_model model_not_found",
        ProviderDown: "internal_error api_error server_error upstream_error service_unavailable",
    }
)
_HTTP_KINDS: dict[int, Kind] = {
    401: AuthRejected,
    402: OutOfCredit,
    403: AuthRejected,
    404: TaskNotFound,
    408: ProviderDown,
    425: ProviderDown,
    429: RateLimited,
}


@dataclass(frozen=True)
class ErrorDetails:
    """What an error answer says, before it is known which error it is."""

    message: str = ""
    code: str | None = None
    request_id: str | None = None
    type: str | None = None


@dataclass(frozen=True)
class ErrorCodes:
    """A provider's own error codes, and telling phrases where it has no codes, in lower case.

    The rest is judged by HTTP status.
    """

    codes: Mapping[str, Kind] = field(default_factory=dict[str, Kind])
    phrases: Mapping[str, Kind] = field(default_factory=dict[str, Kind])

    def error(self, refusal: ErrorDetails, reply: Reply) -> ProviderError:
        """The error to raise for ``refusal``, which came with ``reply``."""
        status = _true_status(refusal, reply)
        kind = self._kind(refusal, status)
        message = refusal.message or _blank_message(status)
        request_id = refusal.request_id or code_text(reply.headers.get("x-request-id"))
        if kind is RateLimited:
            return RateLimited(
                message, retry_after=reply.retry_after, status=status, code=refusal.code, request_id=request_id
            )
        if kind in (BadRequest, AuthRejected) and says_moderation(refusal):
            kind = ContentRefused
        return kind(message, status=status, code=refusal.code, request_id=request_id)

    def _kind(self, refusal: ErrorDetails, status: int) -> Kind:
        code = refusal.code or ""
        named = self.codes.get(code) or _SHARED_CODES.get(code.lower())
        if named is None:
            message = refusal.message.lower()
            found = (kind for words, kind in self.phrases.items() if words in message)
            named = next(found, None)
        if named is None and (refusal.type == "billing_error" or status < 300):
            named = _SHARED_CODES.get((refusal.type or "").lower())
        return named or _HTTP_KINDS.get(status, ProviderDown if status >= 500 else BadRequest)


def _true_status(refusal: ErrorDetails, reply: Reply) -> int:
    """The HTTP status, or the one inside of HTTP 200 around ``{"code": 402}``."""
    code = refusal.code or ""
    inner = int(code) if code.isascii() and code.isdigit() and len(code) == 3 else 0
    return inner if reply.is_success and 400 <= inner <= 599 else reply.status


def _blank_message(status: int) -> str:
    if 300 <= status < 400:
        return f"the provider answered HTTP {status}, a redirect, which is not followed; correct the base URL"
    return f"the provider answered HTTP {status} without saying why"


def refusal(reply: Reply) -> ErrorDetails:
    """What a non-2xx answer says; an HTML page or nothing at all is no obstacle."""
    try:
        return refusal_of(mapping(reply))
    except UnreadableReply:
        return ErrorDetails()


def hidden_refusal(body: Object) -> ErrorDetails | None:
    """The error inside a 2xx answer; None where the answer is a task, be it a failed one.

    It is one when the envelope's code says no, or when there is an error and no status at all, unless the object
    bears a task's own id: then it is the task that failed, which is for the reader of statuses to say.
    """
    inner = unwrap(body)
    is_task = any(names_a_task(one) and phase_of(status_word(one)) is not TaskPhase.UNKNOWN for one in (body, inner))
    if is_bad(body.get("code")) and not is_task:
        return refusal_of(body)
    has_status = any(status_word(one) for one in (body, inner))
    if not has_status and not any(names_a_task(one) for one in (body, inner)) and usable_error(body.get("error")):
        return refusal_of(body)
    return None


def says_moderation(said: ErrorDetails) -> bool:
    """Whether the error's own words mean that moderation refused the request or its result."""
    return bool(_MODERATION.search(f"{said.code or ''} {said.type or ''} {said.message}"))


def failed_submit(body: Object) -> ErrorDetails | None:
    """The error of a submit's 2xx answer that says ``failed``, or ``"success": false``, and names no task."""
    if body.get("success") is False:
        return refusal_of(body)
    inner = unwrap(body)
    words = [one for one in (inner, body) if phase_of(status_word(one)) in (TaskPhase.FAILED, TaskPhase.CANCELED)]
    return refusal_of(words[0]) if words else None


def refusal_of(body: Object) -> ErrorDetails:
    """The error's words, from wherever the families keep them."""
    error = body.get("error")
    source: Object = body
    if isinstance(error, dict):
        source = cast("Object", error)
    elif isinstance(error, str) and error.strip():
        source = {"message": error, "code": body.get("code")}
    message = first_text(source, "message", "msg", "detail") or first_text(
        body, "message", "msg", "fail_reason", "failMsg", "detail", "error_message"
    )
    return ErrorDetails(
        message=message or "",
        code=code_text(source.get("code"))
        or code_text(body.get("code"))
        or code_text(body.get("failCode"))
        or code_text(body.get("error_type")),
        request_id=code_text(source.get("request_id")) or code_text(body.get("request_id")),
        type=code_text(source.get("type")),
    )


def has_error_type(source: Object) -> bool:
    """Whether the object has an ``error_type``, with which queues report a failure as completed (fal, Comfy Router)."""
    value = source.get("error_type")
    return isinstance(value, str) and bool(value.strip())


def usable_error(error: object) -> bool:
    """Whether an ``error`` field says anything; ``{"code": "", "message": ""}``, ``{}`` and null do not."""
    if isinstance(error, str):
        return bool(error.strip())
    if not isinstance(error, dict):
        return False
    said = (cast("Object", error).get(name) for name in ("code", "message"))
    return any(str(value)[:80].strip() for value in said if value is not None)
