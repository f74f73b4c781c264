"""Bytes that must be made public before a provider can see them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "video/mp4": "mp4"}


@dataclass(frozen=True)
class Blob:
    """An encoded image or video, with the media type that its bytes really have."""

    data: bytes = field(repr=False)
    media_type: str

    @cached_property
    def sha256(self) -> str:
        """The hexadecimal SHA-256 of the bytes: the blob's identity."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def extension(self) -> str:
        """The file name extension without a dot; ``bin`` for a type that no provider takes."""
        return EXTENSIONS.get(self.media_type, "bin")

    def __len__(self) -> int:
        return len(self.data)
