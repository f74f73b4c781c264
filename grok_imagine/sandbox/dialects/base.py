"""The interface of a dialect, and the checks that several of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from ..model import ApiErrorKind, Json, ParsedRequest, Reply, RequestRejected, State, Task, View

DAY = 86_400.0


class Dialect(ABC):
    """One provider's API as values, without I/O: sockets, charges and times are for :mod:`..task_handlers`."""

    name: str
    key_prefix: str
    credit_usd: Decimal
    url_lifetime: float = DAY
    queued_share: float = 0.0
    """The part of a task's time that this dialect reports as waiting."""
    key_header: str = "Authorization"
    key_scheme: str = "Bearer"
    idempotency_header: str = ""
    """A header whose value names a submit: the same value is the same task. Empty where the API has none."""
    content_path: str | None = None
    """Where the clip itself can be read with the key, with `{task_id}`."""
    submit_paths: Mapping[str, str]
    """Path of each submit, and the operation it means ("" where the body says)."""
    poll_paths: Mapping[str, str]
    """Path of each poll, with `{task_id}`, and the shape it answers in ("" is the usual one)."""

    @abstractmethod
    def parse_request(self, operation: str, body: Json, *, strict: bool) -> ParsedRequest:
        """Read a submit's body. Raises RequestRejected."""

    @abstractmethod
    def submit_reply(self, task: Task, shape: str) -> Reply:
        """The reply to an accepted submit."""

    @abstractmethod
    def poll_reply(self, view: View) -> Reply:
        """The reply to a poll."""

    @abstractmethod
    def error_reply(self, error: ApiErrorKind, detail: str = "") -> Reply:
        """The reply to a request that cannot be served; ``detail`` replaces the usual message."""

    @abstractmethod
    def new_id(self) -> str:
        """A task id in the dialect's own form."""


def is_int(value: object) -> TypeGuard[int]:
    """Whether it is an integer. Not for `True`, an int in Python, nor for "6", which the providers reject."""
    return type(value) is int


def integer_of(value: object) -> int | None:
    """An integer as a JavaScript server sees it: 6 and 6.0 are the same JSON number there."""
    if is_int(value):
        return value
    return int(value) if type(value) is float and value.is_integer() else None


def utf16_length(text: str) -> int:
    """Characters in UTF-16 units, the way the JavaScript stacks of these providers count them."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def is_blank(value: object) -> bool:
    """Missing, null, or nothing but white space."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_public_url(value: object, *, data_too: bool = False) -> TypeGuard[str]:
    """An absolute http(s) URL. Loopback hosts pass here, and only here: this is the sandbox."""
    if not isinstance(value, str) or any(c.isspace() for c in value):
        return False
    if data_too and value.startswith("data:"):
        return ";base64," in value[:100]
    try:
        parts = urlsplit(value)
        return parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def as_list(value: object) -> list[Any] | None:
    """The value if it is a JSON array."""
    return value if isinstance(value, list) else None  # pyright: ignore[reportUnknownVariableType]


def as_object(value: object) -> Json | None:
    """The value if it is a JSON object."""
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def unknown_keys(body: Json, known: frozenset[str]) -> list[str]:
    """The undocumented keys, sorted."""
    return sorted(key for key in body if key not in known)


def set_url(body: Json, view: View, usual: str, *, usual_is_list: bool) -> None:
    """Set the URL at the documented path (dotted), or where a fault asks for it."""
    if not view.url:
        return
    if view.shape == "result-json":
        body["resultJson"] = '{"resultUrls":["' + view.url + '"]}'
        return
    *parents, last = usual.split(".")
    parent = body
    for key in parents:
        inner: Json = {}
        parent = parent.setdefault(key, inner)
    value: object = [view.url] if usual_is_list else view.url
    parent[last] = [value] if view.shape == "nested-url" else value


def apply_faults(reply: Reply, view: View) -> Reply:
    """Apply the faults that change every dialect's poll body in the same way."""
    body = reply.body
    if body is None:
        return reply
    if view.empty_error and view.state in (State.QUEUED, State.RUNNING):
        body["error"] = {"code": "", "message": ""}
    if view.shape == "no-status" and view.state is State.DONE:
        body.pop("status", None)
    if view.shape == "wrapped":
        body = {"code": 200, "msg": "success", "data": body}
    return Reply(reply.status, body, reply.headers)


def rejection(status: int, body: Json) -> RequestRejected:
    """The exception for a reply with this status and body."""
    return RequestRejected(Reply(status, body))
