"""Tolerant reading: task ids, statuses and video URLs as they come, in every envelope and spelling seen.

Never a guess where money or files hang on it: an id must look like one, a URL is only taken from the places where
the dialect is known to put its video, and no search ever goes through the whole answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from ..errors import UnreadableReply
from ..models import Reply, TaskError, TaskPhase, TaskStatus
from ..models.url import split
from .envelope import Object, at, first_text, json_value, mapping, names_a_task, status_word, unwrap
from .error_parsing import ErrorCodes, has_error_type, hidden_refusal, refusal_of, says_moderation, usable_error
from .status_words import MODERATION_WORDS, normal, phase_of

_ID = re.compile(r"[A-Za-z0-9._:~=+/|@,-]{1,1000}")
"""LiteLLM's ids are base64 of some 240 characters; ids of other gateways hold ``|`` and ``@``."""
_CLIMBS = re.compile(r"(?:^|/)\.*(?:/|$)")
"""A part of nothing but dots, or an empty one: in a path it would lead elsewhere."""
_EMPTY_WORDS = frozenset({"success", "ok", "failed", "error"})


@dataclass(frozen=True)
class UrlPaths:
    """Where a dialect keeps its video URL: the documented place first, then those seen in the wild.

    ``salvage`` are fields that mean something else and hold the URL only in the answers of some builds.
    """

    video: tuple[str, ...]
    fallback: tuple[str, ...] = ()


_SEEN_ELSEWHERE = (
    *("video_url", "videoUrl", "video.url", "video_urls", "videos", "url"),
    *("outputs", "output", "output.video", "output.videos", "output.url", "output.urls", "output.video_url"),
    *("result", "result.video_url", "result.videos", "result.url", "results", "metadata.url"),
    *("metadata.video_url", "resultUrls", "result_urls", "resultJson", "content.video_url"),
)
"""Where gateways of every kind put the video of a task that is done. Asked last, and only if the status says done."""
_URL_NAMES = ("video_url", "videoUrl", "video_urls", "video", "videos", "url", "urls", "resultUrls", "result_urls")
"""The fields of an object that hold its video. A mere ``url`` comes last: it may be a picture's."""


def task_id(body: Object, paths: Iterable[str]) -> str | None:
    """The first well-formed id at ``paths``."""
    for path in paths:
        value = at(body, path)
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if isinstance(text, str) and is_task_id(text):
            return text
    return None


def is_task_id(text: str) -> bool:
    """Whether the text can be a task id and stand in a path."""
    return bool(_ID.fullmatch(text)) and not _CLIMBS.search(text.rstrip("/"))


def status(
    reply: Reply, places: UrlPaths, *, words: ErrorCodes, moderation_codes: frozenset[str] = frozenset()
) -> TaskStatus:
    """The task's state. Raises ProviderError where a 2xx answer is an error after all."""
    if reply.status == 202 or reply.is_empty:
        return _pending(reply)
    body = mapping(reply)
    said = hidden_refusal(body)
    if said is not None:
        raise words.error(said, reply)
    inner = unwrap(body)
    word = status_word(inner) or status_word(body)
    phase, url = _phase(body, word, places), None
    fault = _fault(body, inner, word, phase, moderation_codes)
    if phase is TaskPhase.DONE:
        salvage = places.fallback if word else ()
        url = video_url(body, (*places.video, *salvage, *(_SEEN_ELSEWHERE if word else ())))
        if _is_blocked(body, inner) or (fault is not None and url is None):
            phase, url = TaskPhase.FAILED, None
    if phase in (TaskPhase.FAILED, TaskPhase.CANCELED):
        fault = fault or TaskError(f"the provider reports {word or 'an error'!r} without a reason")
    else:
        fault = None
    return TaskStatus(phase, word=word, percent=_progress(inner, body), video_url=url, error=fault)


def _pending(reply: Reply) -> TaskStatus:
    """HTTP 202, or nothing at all: the task is under way, whatever else the answer says (xAI)."""
    try:
        body = mapping(reply)
    except UnreadableReply:
        return TaskStatus(TaskPhase.RUNNING)
    inner = unwrap(body)
    return TaskStatus(TaskPhase.RUNNING, word=status_word(inner) or status_word(body), percent=_progress(inner, body))


def _phase(body: Object, word: str, places: UrlPaths) -> TaskPhase:
    if word:
        return phase_of(word)
    inner = unwrap(body)
    is_task = names_a_task(body) or names_a_task(inner)
    if _is_blocked(body, inner) or (is_task and _error_of(body, inner) is not None):
        return TaskPhase.FAILED  # with no status at all, an error is the answer
    # Early xAI builds left the status out of a finished task. Only the documented place is proof enough.
    return TaskPhase.DONE if video_url(body, places.video[:1]) else TaskPhase.UNKNOWN


def _error_of(body: Object, inner: Object) -> Object | None:
    return next((one for one in (inner, body) if usable_error(one.get("error")) or has_error_type(one)), None)


def _fault(
    body: Object, inner: Object, word: str, phase: TaskPhase, moderation_codes: frozenset[str]
) -> TaskError | None:
    """The task's error, if the answer holds one that counts in this phase."""
    if phase not in (TaskPhase.DONE, TaskPhase.FAILED, TaskPhase.CANCELED):
        return None  # some gateways send an empty or stale error while the task is running
    source = _error_of(body, inner)
    if source is None and phase is not TaskPhase.DONE:
        source = _other_words(body, inner)
    if source is None:
        return _wordless(normal(word), is_blocked=_is_blocked(body, inner))
    said = refusal_of(source)
    moderated = normal(word) in MODERATION_WORDS or _is_blocked(body, inner) or said.code in moderation_codes
    moderated = moderated or says_moderation(said)
    message = said.message or f"the provider reports error {said.code}"
    return TaskError(message, said.code, is_moderation=moderated, is_expired=normal(word) == "expired")


def _wordless(word: str, *, is_blocked: bool) -> TaskError | None:
    """A fault that the answer only hints at: by the status itself, or by xAI's flag on the video."""
    if is_blocked or word in MODERATION_WORDS:
        return TaskError("the result was blocked by content moderation", "moderation_blocked", is_moderation=True)
    if word == "expired":
        return TaskError("the provider let the task expire", word, is_expired=True)
    return None


def _other_words(body: Object, inner: Object) -> Object | None:
    """Why a task failed, where that is not in ``error``: ``fail_reason``, ``failMsg``, the task's own message."""
    for one in (inner, body):
        if first_text(one, "fail_reason", "failMsg", "error_message", "detail"):
            # An envelope's own code and message are not the task's.
            return {name: value for name, value in one.items() if name not in ("code", "message", "msg", "error")}
    message = first_text(inner, "message", "msg")
    return inner if message and message.lower() not in _EMPTY_WORDS else None


def video_url(body: Object, paths: Iterable[str]) -> str | None:
    """The first http(s) URL at ``paths``, looked for in the whole answer and in its envelope's content."""
    inner = unwrap(body)
    for path in paths:
        for root in (body, inner):
            found = _as_url(at(root, path))
            if found:
                return found
    return None


def _as_url(value: Any, depth: int = 0) -> str | None:
    """``value`` as a URL: a string, a list's first, one of an object's fields, or JSON text of any of these.

    A path (``/files/a.mp4``, ``//host/a.mp4``) stays one: only the caller knows where it begins.
    """
    if depth > 5:
        return None
    if isinstance(value, str):
        text = value.strip().replace(" ", "%20")
        if text.startswith(("{", "[")):
            return _as_url(json_value(value), depth + 1)
        is_path = text.startswith("/") and split(f"https://host{text}") is not None
        return text if text.isprintable() and (is_path or split(text) is not None) else None
    if isinstance(value, list):
        found = (_as_url(item, depth + 1) for item in cast("list[Any]", value))
        return next((url for url in found if url), None)
    if isinstance(value, dict):
        fields = cast("Object", value)
        found = (_as_url(fields.get(name), depth + 1) for name in _URL_NAMES)
        return next((url for url in found if url), None)
    return None


def _is_blocked(*sources: Object) -> bool:
    return any(at(one, path) is False for one in sources for path in ("video.respect_moderation", "respect_moderation"))


def _progress(inner: Object, body: Object) -> float | None:
    found = (_percent(one.get("progress")) for one in (inner, body))
    return next((percent for percent in found if percent is not None), None)


def _percent(value: Any) -> float | None:
    """A number, or text such as ``45%``, within 0..100."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value[:40].strip().rstrip("%") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return None if number != number else min(100.0, max(0.0, number))
