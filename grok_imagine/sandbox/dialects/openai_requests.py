"""What the OpenAI-compatible gateway accepts: five operations told apart by their inputs, and its price."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NoReturn

from ..model import Job, Json, Mode, ParsedRequest, Price
from .base import as_list, as_object, is_blank, is_int, is_public_url, rejection, unknown_keys

MODEL = "grok-imagine"
OPERATIONS: dict[str, Mode] = {
    "text_to_video": "text",
    "image_to_video": "image",
    "reference_to_video": "reference",
    "edit_video": "edit",
    "video_extend": "extend",
}
RANGES: dict[Mode, tuple[int, int]] = {"text": (1, 15), "image": (1, 15), "reference": (1, 10), "extend": (2, 10)}
RATIOS: dict[Mode, tuple[str, ...]] = {
    "text": ("16:9", "1:1", "9:16"),
    "image": ("auto",),
    "reference": ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3"),
    "edit": (),
    "extend": (),
}
TIERS = ("480p", "720p")
CREDIT = Decimal("0.001")
# The seed lost its numbers, so these are the sandbox's own: USD per second of output, and of source video.
SANDBOX_RATES = {"480p": Decimal("0.020"), "720p": Decimal("0.030")}
SANDBOX_SOURCE_RATE = Decimal("0.010")
DEFAULT_SOURCE_SECONDS = 8
_KEYS = frozenset(
    {"model", "prompt", "image", "images", "video", "size", "aspect_ratio", "duration", "seconds", "extra_body"}
)


def task_error(code: str, message: str) -> Json:
    """The family's TaskError."""
    return {"code": code, "message": message, "data": None}


def _reject(message: str, code: str = "invalid_request") -> NoReturn:
    raise rejection(400, task_error(code, message))


def parse_request(body: Json, *, strict: bool) -> ParsedRequest:
    """Read a submit's body. Raises RequestRejected."""
    if is_blank(body.get("model")):
        _reject("model is required", "missing_model")
    if body["model"] != MODEL:
        _reject(f"model must be {MODEL}")
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or is_blank(prompt):
        _reject("prompt is required")
    if strict and (extra := unknown_keys(body, _KEYS)):
        _reject(f"unknown field {extra[0]}")
    options = _extra_body(body)
    images, video = _inputs(body)
    mode = _mode(body, options, images, video, strict=strict)
    seconds = _seconds(body, mode)
    tier, ratio = _size(body, mode), _ratio(body, mode)
    source = _source_seconds(options, mode)
    echo: Json = {"seconds": str(seconds)} if seconds else {}
    if mode != "extend":
        echo["size"] = tier
    job = Job(mode, prompt, seconds, tier, ratio, images, video)
    return ParsedRequest(MODEL, job, price(mode, tier, seconds, source), echo)


def price(mode: Mode, tier: str, seconds: int, source: int) -> Price:
    """By capability, tier and seconds, as the seed says; the rates are the sandbox's own."""
    if mode == "edit":
        usd = (SANDBOX_RATES[tier] + SANDBOX_SOURCE_RATE) * source
    elif mode == "extend":
        usd = SANDBOX_RATES["720p"] * seconds + SANDBOX_SOURCE_RATE * source
    else:
        usd = SANDBOX_RATES[tier] * seconds
    return Price(usd / CREDIT, usd)


def _extra_body(body: Json) -> Json:
    options = as_object(body.get("extra_body", {}))
    if options is None:
        _reject("extra_body must be an object")
    # The SDK merges its own extra_body into the top level, so the operation may arrive there too.
    if "operation" in body and "operation" not in options:
        options = {**options, "operation": body["operation"]}
    return options


def _url(value: object, field: str) -> str:
    inner = as_object(value)
    url = value if inner is None else inner.get("url")
    if not is_public_url(url):
        _reject(f"{field} must be an http(s) URL")
    return url


def _inputs(body: Json) -> tuple[tuple[str, ...], str]:
    """Images and video. The aliases image_url and image_urls are the seed's own compatibility fields."""
    if "videos" in body:
        _reject("videos: reference videos are not offered")
    given = [key for key in ("image", "image_url", "images", "image_urls", "video") if key in body]
    if len(given) > 1:
        _reject(f"{given[0]} and {given[1]} cannot be combined")
    if not given:
        return (), ""
    key = given[0]
    if key == "video":
        return (), _url(body[key], key)
    if key in ("image", "image_url"):
        return (_url(body[key], key),), ""
    urls: list[Any] | None = as_list(body[key])
    if not urls:
        _reject(f"{key} must be a non-empty array of URLs")
    if len(urls) > 7:
        _reject(f"{key} accepts at most 7 URLs")
    return tuple(_url(url, key) for url in urls), ""


def _mode(body: Json, options: Json, images: tuple[str, ...], video: str, *, strict: bool) -> Mode:
    named = options.get("operation")
    if named is not None and named not in tuple(OPERATIONS):
        _reject(f"extra_body.operation must be one of {', '.join(OPERATIONS)}")
    several = "images" in body or "image_urls" in body
    if video:
        fits: tuple[Mode, ...] = ("edit", "extend")
    elif several:
        fits = ("reference", "image") if len(images) == 1 else ("reference",)
    else:
        fits = ("image",) if images else ("text",)
    if named is not None:
        mode = OPERATIONS[named]
        if mode not in fits:
            _reject(f"extra_body.operation {named} does not agree with the inputs")
        return mode
    if strict and len(fits) > 1:
        _reject("extra_body.operation is required here: the inputs leave it open")
    if video:
        return "extend" if "duration" in body or "seconds" in body else "edit"
    return fits[-1]


def _seconds(body: Json, mode: Mode) -> int:
    given = [key for key in ("duration", "seconds") if key in body]
    if mode == "edit":
        if given:
            _reject(f"{given[0]} is not accepted by edit_video")
        return 0
    if len(given) != 1:
        _reject("exactly one of duration and seconds is required")
    value = body[given[0]]
    if is_int(value) and given[0] == "duration":
        seconds = value
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,4}", value, re.ASCII):
        seconds = int(value)
    else:
        _reject(f"{given[0]} must be {'an integer' if given[0] == 'duration' else 'a string of digits'}")
    low, high = RANGES[mode]
    if not low <= seconds <= high:
        _reject(f"{given[0]} must be between {low} and {high} seconds, got {seconds}")
    return seconds


def _size(body: Json, mode: Mode) -> str:
    if mode == "extend" and "size" in body:
        _reject("size is not supported for video extension")
    size = body.get("size", "480p")
    if size not in TIERS:
        _reject(f"size must be one of {', '.join(TIERS)}")
    return size


def _ratio(body: Json, mode: Mode) -> str:
    """ "" where the output follows its input."""
    allowed = RATIOS[mode]
    if "aspect_ratio" not in body:
        return "16:9" if mode in ("text", "reference") else ""
    ratio = body["aspect_ratio"]
    if ratio not in allowed:
        _reject(
            f"aspect_ratio must be one of {', '.join(allowed)}"
            if allowed
            else "aspect_ratio is not supported for this operation"
        )
    return "" if ratio == "auto" else ratio


def _source_seconds(options: Json, mode: Mode) -> int:
    value = options.get("input_video_seconds")
    if value is None:
        return DEFAULT_SOURCE_SECONDS
    if mode not in ("edit", "extend"):
        _reject("extra_body.input_video_seconds needs a video")
    if not is_int(value) or value <= 0:
        _reject("extra_body.input_video_seconds must be a positive integer")
    return value
