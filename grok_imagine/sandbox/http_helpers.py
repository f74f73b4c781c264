"""Reads requests (keys, JSON, forms) and sends replies, with the faults that change them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, NoReturn, cast

from aiohttp import web

from .dialects import Dialect
from .faults import Fault
from .model import ApiErrorKind, Json, Reply, RequestRejected

_HTML = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<h1>502 Bad Gateway</h1>\r\n</body>\r\n</html>"
)
_ERROR_FAULTS = {
    "401": ApiErrorKind.BAD_KEY,
    "402": ApiErrorKind.NO_CREDIT,
    "404": ApiErrorKind.NO_TASK,
    "429-spend": ApiErrorKind.SPEND,
    "500": ApiErrorKind.INTERNAL,
    "502": ApiErrorKind.GATEWAY,
    "503": ApiErrorKind.UNAVAILABLE,
}
_ID_KEYS = ("id", "task_id", "taskId", "request_id")


def read_key(request: web.Request, dialect: Dialect) -> str:
    """The caller's key. Raises RequestRejected with the dialect's own reply."""
    header = request.headers.get(dialect.key_header)
    if not header:
        raise RequestRejected(dialect.error_reply(ApiErrorKind.NO_AUTH))
    scheme, _, key = header.partition(" ") if dialect.key_scheme else ("", "", header)
    key = key.strip()
    if scheme.lower() != dialect.key_scheme.lower() or not key:
        raise RequestRejected(dialect.error_reply(ApiErrorKind.NOT_BEARER))
    if not key.startswith(dialect.key_prefix) or "sandbox" not in key:
        raise RequestRejected(dialect.error_reply(ApiErrorKind.BAD_KEY))
    if "revoked" in key:
        raise RequestRejected(dialect.error_reply(ApiErrorKind.REVOKED))
    return key


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def decode_json(raw: bytes) -> Json | None:
    """The body as a JSON object, else None."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


async def read_form(request: web.Request) -> tuple[Json, tuple[bytes, str] | None]:
    """A multipart or url-encoded form as a body: `a[b]` nests, `a[]` lists. And the file, if one was sent."""
    body: Json = {}
    file: tuple[bytes, str] | None = None
    for key, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            with value.file as sent:
                file = (sent.read(), key)
            continue
        text = value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")
        _set_form_value(body, key, text)
    return body, file


def _set_form_value(body: Json, key: str, text: str) -> None:
    outer, bracket, rest = key.partition("[")
    inner = rest.rstrip("]")
    if not bracket:
        body[outer] = _form_value(outer, text)
    elif not inner or inner.isdigit():
        body.setdefault(outer, []).append(text)
    else:
        body.setdefault(outer, {})[inner] = int(text) if inner == "input_video_seconds" and text.isdigit() else text


def _form_value(key: str, text: str) -> Any:
    """A form has strings only; an object or a list may come as its JSON text."""
    if key in ("extra_body", "images", "image", "video") and text[:1] in "{[":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def reply_of_fault(faults: Iterable[Fault], dialect: Dialect) -> tuple[Reply | web.Response, bool] | None:
    """The reply that a fault puts in place of the real one, and whether the request is carried out first."""
    for fault in faults:
        if fault.name in _ERROR_FAULTS:
            return dialect.error_reply(_ERROR_FAULTS[fault.name]), fault.arg == "accepted"
        if fault.name == "html-502":
            return web.Response(status=502, text=_HTML, content_type="text/html"), fault.arg == "accepted"
        if fault.name in ("429", "429-date"):
            return _rate_limited(fault, dialect), False
        if fault.name == "quota-403":
            error = {"message": "User quota is not enough", "type": "new_api_error", "code": "insufficient_user_quota"}
            return Reply(403, {"error": error}), False
        if fault.name == "code-500":
            return Reply(200, {"code": 500, "msg": "internal error", "message": "internal error", "data": None}), False
        if fault.name == "empty-202":
            return Reply(202), True
    return None


def _rate_limited(fault: Fault, dialect: Dialect) -> Reply:
    wait = fault.seconds(1)
    # A Retry-After date is read against the reader's own clock, so it is wall time and not the sandbox's.
    moment = datetime.now(timezone.utc) + timedelta(seconds=wait + 0.999)
    value = format_datetime(moment, usegmt=True) if fault.name == "429-date" else format(wait, "g")
    reply = dialect.error_reply(ApiErrorKind.RATE)
    return Reply(reply.status, reply.body, {"Retry-After": value})


def abort_connection(request: web.Request) -> web.Response:
    """Close the connection without a reply."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)


async def send(request: web.Request, reply: Reply | web.Response, faults: Iterable[Fault] = ()) -> web.StreamResponse:
    """Send a reply, changed by the faults of this request."""
    by_name = {fault.name: fault for fault in faults}
    if stall := by_name.get("stall"):
        await asyncio.sleep(stall.seconds(30))
    if "drop-after" in by_name:
        return abort_connection(request)
    if isinstance(reply, web.Response):
        return reply
    body = _without_ids(reply.body) if "no-id" in by_name else reply.body
    raw = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    if "truncated-json" in by_name:
        raw = raw[: len(raw) // 2]
    headers = {**reply.headers, **({"Content-Type": "application/json; charset=utf-8"} if body is not None else {})}
    if slow := by_name.get("slow-body"):
        return await _send_slowly(request, reply.status, headers, raw, slow.seconds(2))
    return web.Response(status=reply.status, body=raw, headers=headers)


async def _send_slowly(
    request: web.Request, status: int, headers: dict[str, str], raw: bytes, pause: float
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(raw)
    await response.prepare(request)
    await response.write(raw[: len(raw) // 2])
    await asyncio.sleep(pause)
    await response.write(raw[len(raw) // 2 :])
    await response.write_eof()
    return response


def _without_ids(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    inner = cast(Json, body)
    return {key: _without_ids(value) for key, value in inner.items() if key not in _ID_KEYS}
