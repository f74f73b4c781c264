"""What a form for a request can offer: the choices of a capability, and the values that mend a violation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import Violation
from ..models import Capability, Mode, VideoRequest
from .base import Provider

_USUAL_SECONDS = 6
_PLURALS = {"resolution": "resolutions", "aspect_ratio": "aspect_ratios", "motion_mode": "motion_modes"}


@dataclass(frozen=True)
class Choices:
    """What can be chosen for each field. ``duration`` holds the least and the most seconds; None: nothing to choose."""

    model: tuple[str, ...]
    mode: tuple[str, ...]
    resolution: tuple[str, ...]
    aspect_ratio: tuple[str, ...]
    motion_mode: tuple[str, ...]
    duration: tuple[int, int] | None


@dataclass(frozen=True)
class Fix:
    """A value that mends a violation. None leaves the field to the provider."""

    field: str
    value: str | int | None


def choices(provider: Provider, modes: Iterable[Mode], capability: Capability | None) -> Choices:
    """What the provider offers in these modes; without a capability nothing but models and modes."""
    offered = [one for one in provider.capabilities if one.mode in modes]
    in_mode = [one for one in offered if capability is None or one.mode is capability.mode]
    span = capability.duration if capability else None
    return Choices(
        model=_unique(one.model for one in in_mode),
        mode=_unique(one.mode.value for one in offered),
        resolution=capability.resolutions if capability else (),
        aspect_ratio=capability.aspect_ratios if capability else (),
        motion_mode=capability.motion_modes if capability else (),
        # 0 leaves the length to the provider, where it has a default.
        duration=(span.shortest if span.default is None else 0, span.longest) if span else None,
    )


def fixes(provider: Provider, modes: Iterable[Mode], request: VideoRequest, violation: Violation) -> list[Fix]:
    """The values that remove the violation and bring no other one: another model first, then the field's own."""
    capability, before = provider.judge(request)
    known = {one.field for one in before}
    found: list[Fix] = []
    for fix in _candidates(provider, tuple(modes), request, violation, capability):
        _, after = provider.judge(request.model_copy(update={fix.field: _typed(fix)}))
        fields = {one.field for one in after}
        if violation.field not in fields and fields <= known:
            found.append(fix)
    return found


def _typed(fix: Fix) -> object:
    return Mode(fix.value) if fix.field == "mode" else fix.value


def _candidates(
    provider: Provider,
    modes: tuple[Mode, ...],
    request: VideoRequest,
    violation: Violation,
    capability: Capability | None,
) -> Iterator[Fix]:
    field = violation.field
    if field == "mode":
        offered = choices(provider, modes, None).mode
        yield from (Fix(field, mode) for mode in offered)
    if capability is None:
        return
    in_mode = [one for one in provider.capabilities if one.mode is capability.mode and one.mode in modes]
    if field == "model":
        yield from (Fix(field, value) for value in (None, *_unique(one.model for one in in_mode)))
    elif field in _PLURALS:
        wanted = getattr(request, field)
        yield from (Fix("model", one.model) for one in in_mode if wanted in getattr(one, _PLURALS[field]))
        yield from (Fix(field, value) for value in (None, *getattr(capability, _PLURALS[field])))
    elif field == "duration_seconds":
        span = capability.duration
        seconds = request.duration_seconds or _USUAL_SECONDS
        yield Fix(field, max(span.shortest, min(seconds, span.longest)) if span else None)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
