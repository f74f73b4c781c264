"""A submit's body from a template: ``{name}`` is replaced by a value of the request, and what is empty is left out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

from ..models import Capability, VideoRequest

Template = dict[str, Any]
"""A body with placeholders. A list of one item that holds ``{image}`` is repeated for each image."""
_DEEPEST = 8
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
NAMES = frozenset(
    {
        *("model", "prompt", "duration", "aspect_ratio", "resolution", "resolution_or_default", "motion_mode"),
        *("image", "images", "video", "callback", "source_seconds_rounded_up"),
    }
)
"""What may stand in braces. ``{image}`` outside of a list is the first one."""


def values(
    request: VideoRequest,
    capability: Capability,
    *,
    images: tuple[str, ...],
    video: str | None,
    callback: str | None,
) -> dict[str, Any]:
    """What each placeholder stands for. None, blank text and an empty list are left out of the body."""
    seconds = request.source_seconds
    return {
        "model": capability.model,
        "prompt": request.prompt if request.prompt.strip() else None,
        "duration": request.duration_seconds,
        # The output takes the first image's ratio, so another is not sent.
        "aspect_ratio": None if 0 < len(images) <= capability.ratio_follows_images else request.aspect_ratio,
        "resolution": request.resolution,
        "resolution_or_default": request.resolution or capability.default_resolution,
        "motion_mode": request.motion_mode,
        "image": images[0] if images else None,
        "images": list(images),
        "video": video if capability.takes_video else None,
        "callback": callback,
        "source_seconds_rounded_up": None if seconds is None else math.ceil(seconds),
    }


def fill(template: Template, known: Mapping[str, Any]) -> dict[str, Any]:
    """The body that the template gives for these values, without fields that stay empty."""
    return cast("dict[str, Any]", _filled(template, known))


def _filled(part: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(part, dict):
        fields = {name: _filled(value, known) for name, value in cast("Template", part).items()}
        return {name: value for name, value in fields.items() if value is not None and value not in ("", [], {})}
    if isinstance(part, list):
        items = cast("list[Any]", part)
        if len(items) == 1 and "image" in _named(items):
            return [_filled(items[0], {**known, "image": image}) for image in known["images"]]
        return [_filled(item, known) for item in items]
    if isinstance(part, Decimal):  # how TOML's fractions are read
        return float(part)
    whole = _PLACEHOLDER.fullmatch(part) if isinstance(part, str) else None
    return known[whole[1]] if whole else part


def merge(*templates: Template) -> Template:
    """One template of several: tables are joined, and where two say the same field the later one counts."""
    whole: Template = {}
    for template in templates:
        for name, value in template.items():
            both = isinstance(whole.get(name), dict) and isinstance(value, dict)
            whole[name] = merge(whole[name], cast("Template", value)) if both else value
    return whole


def uses(template: Template, name: str) -> bool:
    """Whether the template holds that placeholder."""
    return name in _named(template)


def _named(part: Any) -> set[str]:
    """The names of all placeholders below ``part``."""
    return {found[1] for text in _texts(part) if (found := _PLACEHOLDER.fullmatch(text))}


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, (dict, list)):
        inner = cast("Template", part).values() if isinstance(part, dict) else cast("list[Any]", part)
        for value in inner:
            yield from _texts(value)


def faults_of_template(template: Template) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with the template: the names that lead there, and why it cannot be sent."""
    return _faults(template, (), _DEEPEST)


def _faults(part: Any, above: tuple[str, ...], levels: int) -> Iterator[tuple[tuple[str, ...], str]]:
    if not levels:
        yield above[:1], f"is nested more than {_DEEPEST} levels deep"
    elif isinstance(part, dict):
        for name, value in cast("Template", part).items():
            yield from _faults(value, (*above, name), levels - 1)
    elif isinstance(part, list):
        for value in cast("list[Any]", part):
            yield from _faults(value, above, levels - 1)
    elif isinstance(part, str):
        whole = _PLACEHOLDER.fullmatch(part)
        if whole and whole[1] not in NAMES:
            yield above, f"{part} is no placeholder; choose from {', '.join(sorted(NAMES))}"
        elif not whole and ("{" in part or "}" in part):
            yield above, f"{part!r}: a placeholder must be the whole value"
    elif not isinstance(part, (int, float, Decimal)) or not math.isfinite(part):
        yield above, f"{part} cannot be sent as JSON"
