"""What the user wants: one clip, said in our own words, before any provider is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from .blob import Blob


class Mode(str, Enum):
    """The kinds of work that a Grok Imagine provider may offer."""

    TEXT = "text_to_video"
    IMAGE = "image_to_video"
    REFERENCE = "reference_to_video"
    EDIT = "edit_video"
    EXTEND = "extend_video"

    @property
    def label(self) -> str:
        """The mode in words, for messages."""
        return self.value.replace("_", "-") if self.value.endswith("to_video") else self.value.replace("_", " ")


MediaInput = Blob | str
"""A local image or video that we make public, or the public URL that the user already has."""


class VideoRequest(BaseModel):
    """One clip, as the user wants it. ``None`` leaves a choice to the provider's documented default.

    ``mode`` is None to let the inputs decide: no image is text-to-video, images are image-to-video or,
    where a model takes only one there, reference-to-video. ``duration_seconds`` are whole seconds (for
    EXTEND: the seconds added). ``seed`` never reaches a provider (none documents one): it tells two wishes
    for the same clip apart. ``source_seconds`` is the measured length of ``source_video``.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)

    mode: Mode | None = None
    model: str | None = None
    prompt: str = ""
    resolution: str | None = None
    aspect_ratio: str | None = None
    duration_seconds: int | None = None
    motion_mode: str | None = None
    seed: int = 0
    reference_images: tuple[MediaInput, ...] = ()
    source_video: MediaInput | None = None
    source_seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The request for the journal: plain JSON, with the hash in place of a local file's bytes."""
        plain = self.model_dump(exclude={"reference_images", "source_video"}, exclude_none=True, mode="json")
        if self.reference_images:
            plain["reference_images"] = [_name(media) for media in self.reference_images]
        if self.source_video is not None:
            plain["source_video"] = _name(self.source_video)
        return plain

    def fingerprint(self, known: Mapping[str, str] | None = None) -> str:
        """The SHA-256 of all that makes this clip this clip, the seed and every pixel included.

        ``known`` gives the content's hash for URLs that stand for a content that we know, or another hash of the same
        content for ``sha256:HASH``.
        """
        plain = self.as_json()
        if known:
            for name in ("reference_images", "source_video"):
                if name in plain:
                    plain[name] = _by_content(plain[name], known)
        canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def _by_content(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_by_content(one, known) for one in cast("list[Any]", value)]
    return f"sha256:{known[value]}" if value in known else value


def _name(media: MediaInput) -> str:
    return media if isinstance(media, str) else f"sha256:{media.sha256}"
