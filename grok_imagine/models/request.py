"""A request for one clip, independent of providers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from .blob import Blob


class Mode(str, Enum):
    """What a provider makes a clip from."""

    TEXT = "text_to_video"
    IMAGE = "image_to_video"
    REFERENCE = "reference_to_video"
    EDIT = "edit_video"
    EXTEND = "extend_video"

    @property
    def label(self) -> str:
        """The mode as text, for messages."""
        return self.value.replace("_", "-") if self.value.endswith("to_video") else self.value.replace("_", " ")


MediaInput = Blob | str
"""A local image or video, which is uploaded, or a public URL."""


class VideoRequest(BaseModel):
    """A request for one clip. None selects the provider's documented default.

    If ``mode`` is None, the inputs decide: no image is text-to-video, images are image-to-video or, if the model
    accepts only one for that, reference-to-video. ``duration_seconds`` is in whole seconds (for EXTEND: the seconds
    to add). ``seed`` is not sent, since no provider documents one; another seed makes a new clip of the same request.
    ``source_seconds`` is the measured length of ``source_video``.
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
        """The request as plain JSON for the journal, with hashes in place of local media."""
        plain = self.model_dump(exclude={"reference_images", "source_video"}, exclude_none=True, mode="json")
        if self.reference_images:
            plain["reference_images"] = [_name(media) for media in self.reference_images]
        if self.source_video is not None:
            plain["source_video"] = _name(self.source_video)
        return plain

    def fingerprint(self, known: Mapping[str, str] | None = None) -> str:
        """The SHA-256 of all fields, including the seed and the media's content.

        ``known`` maps URLs of our uploads to their content's hash, and ``sha256:HASH`` to another hash of the same
        content.
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
        return [_by_content(item, known) for item in cast("list[Any]", value)]
    return f"sha256:{known[value]}" if value in known else value


def _name(media: MediaInput) -> str:
    return media if isinstance(media, str) else f"sha256:{media.sha256}"
