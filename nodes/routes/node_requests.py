"""The requests that a node's widget values stand for. Media are stand-ins: their number counts, not their content."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...grok_imagine.errors import RequestError
from ...grok_imagine.models import Mode, VideoRequest
from ...grok_imagine.providers import Provider
from ...grok_imagine.providers.capability_selection import parse

AUTO = "auto"
MODES: Mapping[str, tuple[Mode, ...]] = {
    "GIVTextToVideo": (Mode.TEXT,),
    "GIVImageToVideo": (Mode.IMAGE, Mode.REFERENCE),
    "GIVEditVideo": (Mode.EDIT,),
    "GIVExtendVideo": (Mode.EXTEND,),
}
"""The nodes that make one clip, and the modes that each can ask for."""
_IMAGE, _VIDEO = "https://example.com/image.png", "https://example.com/video.mp4"


@dataclass(frozen=True)
class NodeValues:
    """A node as the page sends it. A value that a link brings is missing from ``values``.

    ``images`` counts the connected images; while ``is_exact`` is false, they may turn out to be more.
    """

    node: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    images: int = 0
    is_exact: bool = True

    def choice(self, name: str) -> Any:
        """The value of a list; None where it is auto or missing."""
        value = self.values.get(name)
        return None if value == AUTO else value


@dataclass(frozen=True)
class ClipCount:
    """So many clips of one kind at one connection."""

    connection: str
    request: VideoRequest
    count: int = 1


def clips(node: NodeValues, provider_of: Callable[[str], Provider | None]) -> list[ClipCount] | None:
    """The clips that the node would make; None where it makes none, or that is not known yet.

    ``provider_of`` gives a connection's provider, None where there is no such connection.
    """
    if not isinstance(node.values.get("connection"), str):
        return None
    if node.node in MODES:
        return [ClipCount(node.values["connection"], single_request(node))]
    try:
        if node.node == "GIVBatch":
            return _rows(node)
        if node.node == "GIVFilm":
            return _shots(node, provider_of(node.values["connection"]))
        if node.node == "GIVContinueVideo":
            return _segments(node, provider_of(node.values["connection"]))
    except RequestError:  # a list that is still being written
        return None
    return None


def single_request(node: NodeValues) -> VideoRequest:
    """The request of a node that makes one clip, without values of a wrong type."""
    urls = [line.strip() for line in str(node.values.get("image_urls") or "").splitlines() if line.strip()]
    images = [*([_IMAGE] * node.images), *urls]
    modes = MODES[node.node]
    mode = node.choice("mode")
    if mode is None and (len(modes) == 1 or not images):
        mode = modes[0].value  # as the node does; with images, their number decides
    fields = {**_options(node), "mode": mode, "prompt": node.values.get("prompt") or "", "reference_images": images}
    if modes[0] in (Mode.EDIT, Mode.EXTEND):
        fields["source_video"] = _VIDEO
    return parse(fields)[0]


def _options(node: NodeValues) -> Mapping[str, Any]:
    names = ("model", "resolution", "aspect_ratio", "motion_mode")
    return {**{name: node.choice(name) for name in names}, "duration_seconds": node.values.get("duration") or None}


def _rows(node: NodeValues) -> list[ClipCount] | None:
    from ...grok_imagine.batch.rows import normalize_row, read_text

    text = node.values.get("rows")
    if not isinstance(text, str):
        return None
    if not text.strip():
        return []
    counts: Counter[str] = Counter()
    for row in read_text(text):
        named = normalize_row(row, _options(node))
        named["reference_images"] = [_IMAGE] * (len(named.get("reference_images") or ()) or min(node.images, 1))
        del named["prompt"]
        counts[json.dumps(named, sort_keys=True, default=str)] += 1
    found: list[ClipCount] = []
    for spelled, count in counts.items():
        fields = json.loads(spelled)
        connection = fields.pop("connection", node.values["connection"])
        found.append(ClipCount(connection, parse(fields)[0], count))
    return found


def _shots(node: NodeValues, provider: Provider | None) -> list[ClipCount] | None:
    """All takes of a film. Which of them the journal has is only known when it runs."""
    from ...grok_imagine.film.read import read_text
    from ...grok_imagine.jobs.connections import sandbox_of

    text = node.values.get("shots")
    if not isinstance(text, str):
        return None
    if not text.strip():
        return []
    is_draft = node.values.get("draft") is True
    connection = sandbox_of(provider.name) if is_draft and provider else node.values["connection"]
    found: list[ClipCount] = []
    for shot in read_text(text).shots:
        fields = {**_options(node), "prompt": shot.prompt}
        if shot.duration_seconds:
            fields["duration_seconds"] = shot.duration_seconds
        if shot.continues:
            fields |= {"mode": Mode.IMAGE.value, "reference_images": [_IMAGE], "aspect_ratio": None}
        found.append(ClipCount(connection, parse(fields)[0], len(shot.made_takes)))
    return found


def _segments(node: NodeValues, provider: Provider | None) -> list[ClipCount] | None:
    from ...grok_imagine.chain.plan import TAIL_SECONDS

    text = node.values.get("prompts")
    if not isinstance(text, str):
        return None
    count = sum(1 for line in text.splitlines() if line.strip())
    offered = {one.mode for one in provider.capabilities} if provider else set[Mode]()
    how = node.choice("how")
    extends = how == "extend" or (how is None and Mode.EXTEND in offered)
    fields = {**_options(node), "mode": (Mode.EXTEND if extends else Mode.IMAGE).value}
    media = (
        {"source_video": _VIDEO, "source_seconds": float(TAIL_SECONDS)} if extends else {"reference_images": [_IMAGE]}
    )
    return [ClipCount(node.values["connection"], parse({**fields, **media})[0], count)] if count else []
