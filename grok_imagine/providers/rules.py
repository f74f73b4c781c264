"""The rules of the contract that every dialect shares, judged by a model's capability. Nothing here does I/O."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..errors import Violation
from ..models import Blob, Capability, MediaInput, VideoRequest
from ..models.url import fault_of

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
# A base64 data URI of a type that the model takes, where the dialect documents data URIs at all.
_IMAGE_DATA = re.compile(r"data:image/(?:jpe?g|png|webp);base64,[A-Za-z0-9+/]+={0,2}", re.IGNORECASE)
_VIDEO_DATA = re.compile(r"data:video/[a-z0-9.+-]+;base64,[A-Za-z0-9+/]+={0,2}", re.IGNORECASE)


def check(capability: Capability, request: VideoRequest, reasons: Mapping[str, str]) -> Iterator[Violation]:
    """Judge the request's fields by the capability's limits. ``request`` is as the dialect will spell it.

    ``reasons`` tells why a value is refused, where the list of what is offered would not.
    """
    yield from _check_prompt(capability, request.prompt)
    yield from _check_ratio(capability, request)
    yield from _check_choice(capability, "resolution", request.resolution, capability.resolutions)
    for violation in _check_choice(capability, "motion_mode", request.motion_mode, capability.motion_modes):
        why = reasons.get(request.motion_mode or "")
        told = {**violation.values, "why": why or ""}
        yield replace(violation, message=f"{violation.message}; {why}", values=told) if why else violation
    yield from _check_duration(capability, request.duration_seconds)
    yield from _check_images(capability, request)
    yield from _check_video(capability, request.source_video)
    yield from _check_source_length(capability, request.source_seconds)


def utf16_length(text: str) -> int:
    """Characters as JavaScript counts them: never fewer than Python does, so a safe reading of "chars"."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _rule(capability: Capability, *fields: str) -> str:
    """The contract's id for the first of ``fields`` that it names; C8, never send what is not documented, else."""
    return next((capability.rules[field] for field in fields if field in capability.rules), "C8")


def _check_prompt(capability: Capability, prompt: str) -> Iterator[Violation]:
    if capability.prompt_required and not prompt.strip():
        rule = _rule(capability, "prompt_required", "prompt")
        message = f"{capability.mode.label} needs a prompt; describe the video"
        yield Violation(rule, "prompt", message, reason="prompt_needed")
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        message = f"contains half a character at position {error.start + 1}, which cannot be sent; type it again"
        yield Violation(_rule(capability, "prompt"), "prompt", message)
    length = utf16_length(prompt)
    if capability.prompt_limit is not None and length > capability.prompt_limit:
        message = f"at most {capability.prompt_limit} characters, got {length}; shorten it"
        values = {"most": capability.prompt_limit, "value": length}
        yield Violation(_rule(capability, "prompt"), "prompt", message, reason="prompt_long", values=values)


def _check_ratio(capability: Capability, request: VideoRequest) -> Iterator[Violation]:
    ratio = request.aspect_ratio
    if ratio is not None and 0 < len(request.reference_images) <= capability.ratio_follows_images:
        message = f"the output follows the first image's ratio; {ratio[:20]} is not sent"
        rule = _rule(capability, "ratio_ignored", "aspect_ratio")
        values = {"value": ratio[:20]}
        yield Violation(rule, "aspect_ratio", message, is_warning=True, reason="ratio_follows", values=values)
        return
    yield from _check_choice(capability, "aspect_ratio", ratio, capability.aspect_ratios)


def _check_choice(
    capability: Capability, field: str, value: str | None, choices: tuple[str, ...]
) -> Iterator[Violation]:
    if value is None or value in choices:
        return
    if choices:
        message = f"{value[:40]!r} is not offered for {capability.mode.label}; choose {', '.join(choices)}"
    else:
        message = f"cannot be chosen for {capability.mode.label} with {capability.model}; leave it on auto"
    values = {"mode": capability.mode.value, "value": value[:40], "choices": ", ".join(choices)}
    reason = "not_offered" if choices else "no_choice"
    yield Violation(_rule(capability, field), field, message, reason=reason, values=values)


def _check_duration(capability: Capability, seconds: int | None) -> Iterator[Violation]:
    field, limits = "duration_seconds", capability.duration
    span = {"least": limits.shortest, "most": limits.longest} if limits else {}
    if limits is None:
        if seconds is not None:
            message = f"cannot be chosen for {capability.mode.label} with {capability.model}; leave it on auto"
            rule = _rule(capability, "duration_required", field)
            yield Violation(rule, field, message, reason="no_choice", values={"mode": capability.mode.value})
    elif seconds is None:
        if limits.default is None:
            message = f"required: choose {limits.shortest} to {limits.longest} whole seconds"
            rule = _rule(capability, "duration_required", field)
            yield Violation(rule, field, message, reason="duration_needed", values=span)
    elif not limits.shortest <= seconds <= limits.longest:
        message = f"must be {limits.shortest} to {limits.longest} whole seconds, got {seconds}"
        values = {**span, "value": seconds}
        yield Violation(_rule(capability, field), field, message, reason="duration_span", values=values)


def _check_images(capability: Capability, request: VideoRequest) -> Iterator[Violation]:
    count, label, limit = len(request.reference_images), capability.mode.label, capability.max_images
    if count > limit:
        if limit:
            message = f"{label} takes at most {limit} with {capability.model}, got {count}; remove {count - limit}"
        else:
            message = f"{label} takes none, got {count}; disconnect them or choose another mode"
        values = {"mode": capability.mode.value, "most": limit, "value": count}
        reason = "images_many" if limit else "images_none"
        yield Violation(
            _rule(capability, "reference_images"), "reference_images", message, reason=reason, values=values
        )
    elif count < capability.min_images:
        rule = _rule(capability, "too_few_images", "reference_images")
        message = f"{label} needs at least {capability.min_images}; connect an image"
        values = {"mode": capability.mode.value, "least": capability.min_images}
        yield Violation(rule, "reference_images", message, reason="images_few", values=values)
    for number, image in enumerate(request.reference_images, 1):
        if isinstance(image, Blob):
            yield from _check_blob(image, number, capability)


def _check_blob(image: Blob, number: int, capability: Capability) -> Iterator[Violation]:
    rule, field, limit = _rule(capability, "image_file", "reference_images"), "reference_images", capability.image_bytes
    if image.media_type not in IMAGE_TYPES:
        yield Violation(rule, field, f"image {number} is {image.media_type[:40]}; use JPEG, PNG or WEBP")
    if limit is None:
        return
    size = f"{len(image) / 1e6:.1f} MB"
    if len(image) > limit:
        yield Violation(rule, field, f"image {number} has {size}; at most {limit / 1e6:.1f} MB are allowed, shrink it")
    elif len(image) >= limit * 1_000_000 // (1024 * 1024):
        # "10 MB" may mean 10 000 000 bytes or 10 MiB: what lies between may be refused.
        message = f"image {number} has {size}, so close to the limit that the provider may reject it"
        yield Violation(rule, field, message, is_warning=True)


def _check_video(capability: Capability, video: MediaInput | None) -> Iterator[Violation]:
    field, label = "source_video", capability.mode.label
    rule = _rule(capability, field)
    if capability.takes_video and video is None:
        yield Violation(rule, field, f"{label} needs a source video; connect one")
    elif video is not None and not capability.takes_video:
        yield Violation(rule, field, f"{label} takes no video; disconnect it or choose another mode")
    elif isinstance(video, Blob) and not video.media_type.startswith("video/"):
        yield Violation(rule, field, f"is {video.media_type[:40]}, which is not a video; use MP4")


def _check_source_length(capability: Capability, seconds: float | None) -> Iterator[Violation]:
    limits, field = capability.source, "source_seconds"
    if limits is None or (seconds is None and not limits.is_billed):
        return
    rule = _rule(capability, field)
    if seconds is None:
        message = "the video's length is unknown, so the provider measures it or bills a default"
        yield Violation(rule, field, message, is_warning=True)
        return
    if not (math.isfinite(seconds) and seconds > 0):
        yield Violation(rule, field, f"must be a length above 0, got {seconds}")
        return
    low, high = limits.shortest, limits.longest
    if (low is None or low <= seconds) and (high is None or seconds <= high):
        return
    wanted = f"at least {low:g}" if high is None else f"at most {high:g}" if low is None else f"{low:g} to {high:g}"
    message = f"the source has {round(seconds, 2):g} s; {capability.mode.label} takes {wanted} s, trim or replace it"
    yield Violation(rule, field, message, is_warning=limits.is_warning)


def check_urls(request: VideoRequest, *, allow_private: bool, allow_data: bool) -> Iterator[Violation]:
    """C5 and C6: every URL that the user gives must be one that the provider can fetch."""

    def fault(url: str, data_uri: re.Pattern[str]) -> str | None:
        if allow_data and url[:5].lower() == "data:":
            return None if data_uri.fullmatch(url) else "is not a base64 data URI of a JPEG, PNG, WEBP or video"
        return fault_of(url, allow_private=allow_private)

    for number, url in enumerate(request.reference_images, 1):
        if isinstance(url, str) and not url.strip():
            yield Violation("C6", "reference_images", f"URL {number} is empty; give one or remove the entry")
        elif isinstance(url, str) and (found := fault(url, _IMAGE_DATA)):
            yield Violation("C5", "reference_images", f"URL {number} {found}")
    video = request.source_video
    if isinstance(video, str) and (found := fault(video, _VIDEO_DATA)):
        yield Violation("C5", "source_video", f"the URL {found}")
