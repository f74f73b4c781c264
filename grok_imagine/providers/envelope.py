"""Envelopes: the JSON object in a reply, what lies in its ``data``, and the plain texts and codes found there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from ..errors import UnreadableReply
from ..models import Reply
from ..redact import redact

Object = Mapping[str, Any]

ID_NAMES = ("id", "task_id", "taskId")
STATUS_NAMES = ("status", "state", "task_status")
_OK_WORDS = frozenset({"success", "ok"})
_OK_NUMBERS = frozenset({0, 200})
_LONGEST_TEXT = 4000
"""More of a provider's text than this is never looked at: an answer may hold a megabyte in one string."""


def mapping(reply: Reply) -> Object:
    """The reply's JSON object. Raises UnreadableReply for anything else."""
    body = reply.json()
    if not isinstance(body, dict):
        raise UnreadableReply("the provider's answer is not a JSON object", status=reply.status)
    return cast("Object", body)


def inner_object(body: Object) -> Object | None:
    """The object in ``data``, or the first one of a list there."""
    inner = body.get("data")
    if isinstance(inner, list) and inner:
        inner = cast("list[Any]", inner)[0]
    return cast("Object", inner) if isinstance(inner, dict) else None


def unwrap(body: Object) -> Object:
    """What lies in the envelope: ``data`` where the rest is only its wrapping, else the body itself.

    It is wrapping when it has an OK ``code``, or no status and no id of its own, or no id of its own and a status
    beside the one that ``data`` states (``{"status": "success", "data": {"status": "processing"}}``).
    """
    inner = inner_object(body)
    if inner is None:
        return body
    if "code" in body and is_ok(body["code"]):
        return inner
    has_id = any(name in body for name in ID_NAMES)
    has_status = any(name in body for name in STATUS_NAMES)
    return inner if not has_id and (not has_status or status_word(inner)) else body


def is_ok(code: Any) -> bool:
    """Whether an envelope's code says that all is well."""
    number = _number(code)
    if number is not None:
        return number in _OK_NUMBERS
    return isinstance(code, str) and code.strip().lower() in _OK_WORDS


def is_bad(code: Any) -> bool:
    """Whether an envelope's code says no: 400 and above, or any other word."""
    number = _number(code)
    if number is not None:
        return number >= 400
    return isinstance(code, str) and bool(code.strip()) and not is_ok(code)


def _number(code: Any) -> int | None:
    if isinstance(code, int) and not isinstance(code, bool):
        return code
    text = code.strip() if isinstance(code, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def at(value: Any, path: str) -> Any:
    """The value at a dotted path; a list on the way stands for its first element."""
    for name in path.split("."):
        if isinstance(value, list):
            value = cast("list[Any]", value)[0] if value else None
        if not isinstance(value, dict):
            return None
        value = cast("Object", value).get(name)
    return value


def status_word(source: Object) -> str:
    """The status as the provider spells it, empty where it states none."""
    for name in STATUS_NAMES:
        value = source.get(name)
        if isinstance(value, (int, float)):
            return str(value)[:60]
        if isinstance(value, str) and value.strip():
            return plain(value.strip(), limit=60)
    return ""


def names_a_task(source: Object) -> bool:
    """Whether the object is a task: it has an id of its own, and not a request's id for the support desk."""
    found = (source.get(name) for name in ID_NAMES)
    return any(isinstance(value, (str, int)) and not isinstance(value, bool) and value != "" for value in found)


def first_text(source: Object, *names: str) -> str | None:
    """The first text among the fields, made plain. A list of complaints stands for the first one's words."""
    for name in names:
        value = source.get(name)
        if isinstance(value, list):
            value = at(cast("list[Any]", value), "msg")  # {"detail": [{"loc": ..., "msg": "field required"}]}
        if isinstance(value, str) and value.strip():
            return plain(value.strip())
    return None


def code_text(value: Any) -> str | None:
    """A code, word or number, as text; None where there is none."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    return plain(str(value)[:_LONGEST_TEXT].strip(), limit=80) or None


def plain(text: str, *, limit: int = 500) -> str:
    """Provider's text that may be shown and stored: redacted, cut, and free of halves of characters."""
    whole = text[:_LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
    return redact(whole, limit=limit)


def json_value(text: str) -> Any:
    """What JSON text spells; None for anything that is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_object(text: str) -> Object:
    """The object that JSON text spells, empty for anything else."""
    value = json_value(text)
    return cast("Object", value) if isinstance(value, dict) else {}
