"""Local images and videos as bytes, which are uploaded before a provider can download them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "video/mp4": "mp4"}


@dataclass(frozen=True)
class Blob:
    """An encoded image or video, and its actual media type."""

    data: bytes = field(repr=False)
    media_type: str
    earlier: tuple[str | None, ...] = field(default=(), repr=False, compare=False)
    """The SHA-256 of the same image as encoded by each earlier encoder, newest first; None if it is not stored."""

    @cached_property
    def sha256(self) -> str:
        """The hexadecimal SHA-256 of the bytes: the blob's identity."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def extension(self) -> str:
        """The file name extension without a dot; ``bin`` for an unknown type."""
        return EXTENSIONS.get(self.media_type, "bin")

    def __len__(self) -> int:
        return len(self.data)


class LazyBlob(Blob):
    """A blob that was encoded before, and is encoded again only if its bytes are needed.

    Its stored hash, media type and size in bytes suffice for fingerprints and uploads that exist. ``load()`` encodes
    the image; ``pixels`` is their number, which determines the memory that this needs.
    """

    pixels: int

    def __init__(
        self,
        sha256: str,
        media_type: str,
        size: int,
        load: Callable[[], Blob],
        *,
        pixels: int = 0,
        earlier: tuple[str | None, ...] = (),
    ) -> None:
        # The dataclass is frozen, so the fields are set as its cached properties are.
        self.__dict__.update(sha256=sha256, media_type=media_type, earlier=earlier, pixels=pixels)
        self.__dict__.update(_size=size, _load=load)

    @property
    def is_loaded(self) -> bool:
        """Whether its bytes are available."""
        return "data" in self.__dict__

    @cached_property
    def data(self) -> bytes:  # type: ignore[override]
        """The bytes, encoded at the first access. A newer encoder may return others than before, of the same image."""
        blob: Blob = self.__dict__["_load"]()
        return blob.data

    def __len__(self) -> int:
        return int(self.__dict__["_size"])
