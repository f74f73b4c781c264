"""From loose values to a request, and from a request to the capability that serves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic import ValidationError

from ..errors import Violation
from ..models import Capability, Mode, VideoRequest


def parse(fields: Mapping[str, Any]) -> tuple[VideoRequest, dict[str, str]]:
    """The request that ``fields`` spell, without those of a wrong type, and what is wrong with each of these.

    Types are exact: ``"6"``, ``6.0`` and ``True`` are no whole seconds. A field that is None counts as left out.
    """
    loose = {name: _shaped(name, value) for name, value in fields.items() if value is not None}
    wrong: dict[str, str] = {}
    try:
        return VideoRequest.model_validate(loose), wrong
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            name = str(one["loc"][0]) if one["loc"] else "request"
            wrong.setdefault(name, _complaint(name, one["type"], one["msg"], loose.get(name)))
    return VideoRequest.model_validate({name: value for name, value in loose.items() if name not in wrong}), wrong


def _shaped(name: str, value: Any) -> Any:
    """JSON has no tuples and no enumerations: a list and a mode's name are as good."""
    if name == "mode" and isinstance(value, str):
        return next((mode for mode in Mode if mode.value == value), value)
    if isinstance(value, list):
        return tuple(cast("list[Any]", value))
    return value


def _complaint(name: str, kind: str, message: str, value: Any) -> str:
    if kind == "extra_forbidden":
        return f"is no field of a request; there is: {', '.join(VideoRequest.model_fields)}"
    if name == "mode":
        return f"must be one of {', '.join(mode.value for mode in Mode)}"
    if name == "reference_images":
        return f"must be a list of images or URLs, got {type(value).__name__}"
    wanted = message.removeprefix("Input should be ")
    return f"must be {wanted}, got {type(value).__name__}"


def choose(capabilities: Iterable[Capability], request: VideoRequest) -> tuple[Capability | None, list[Violation]]:
    """The capability that serves the request, or the nearest one, and why it does not quite."""
    offered = tuple(capabilities)
    mode = request.mode or _infer(offered, request)
    if mode is None:
        return None, [Violation("C9", "mode", "choose edit or extend for a source video")]
    in_mode = [capability for capability in offered if capability.mode is mode]
    if not in_mode:
        modes = ", ".join(dict.fromkeys(capability.mode.label for capability in offered))
        message = f"{mode.label} is not supported here; choose one of: {modes}"
        return None, [Violation("C9", "mode", message, reason="no_mode", values={"mode": mode.value})]
    if request.model is None:
        return in_mode[0], []
    for capability in in_mode:
        if capability.model == request.model:
            return capability, []
    models = ", ".join(dict.fromkeys(capability.model for capability in in_mode))
    message = f"{request.model[:80]!r} does not support {mode.label} here; use {models}"
    values = {"mode": mode.value, "value": request.model[:80], "choices": models}
    rule = in_mode[0].rules.get("model", "C9")
    return in_mode[0], [Violation(rule, "model", message, reason="not_offered", values=values)]


def _infer(offered: tuple[Capability, ...], request: VideoRequest) -> Mode | None:
    """The mode that the inputs mean; None where only the user can say it."""
    if request.source_video is not None and any(capability.takes_video for capability in offered):
        return None
    count = len(request.reference_images)
    if not count:
        return Mode.TEXT
    takes = {capability.mode: capability.max_images for capability in offered}
    if count > takes.get(Mode.IMAGE, 0) and Mode.REFERENCE in takes:
        return Mode.REFERENCE
    return Mode.IMAGE
