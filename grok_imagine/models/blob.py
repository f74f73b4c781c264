"""Bytes that must be made public before a provider can see them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "video/mp4": "mp4"}


@dataclass(frozen=True)
class Blob:
    """An encoded image or video, with the media type that its bytes really have."""

    data: bytes = field(repr=False)
    media_type: str
    earlier: tuple[str | None, ...] = field(default=(), repr=False, compare=False)
    """The SHA-256 that each earlier encoder, the newest first, gave the same picture, where it is remembered."""

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


class LazyBlob(Blob):
    """A blob that was encoded before, and is encoded again only if its bytes are really needed.

    ``load`` gives the same picture: what is remembered of it (its hash, where it was uploaded) is what the request's
    identity is made of. ``pixels`` is how many it has, and so how much memory it takes to encode it.
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
        # The dataclass is frozen; these go where its cached properties live too.
        self.__dict__.update(sha256=sha256, media_type=media_type, earlier=earlier, pixels=pixels)
        self.__dict__.update(_size=size, _load=load)

    @property
    def is_loaded(self) -> bool:
        """Whether its bytes are here."""
        return "data" in self.__dict__

    @cached_property
    def data(self) -> bytes:  # type: ignore[override]
        """The bytes, encoded now. A newer encoder may give others than before; the picture is the same."""
        blob: Blob = self.__dict__["_load"]()
        return blob.data

    def __len__(self) -> int:
        return int(self.__dict__["_size"])
