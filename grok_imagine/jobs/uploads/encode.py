"""Encodes images concurrently in threads, within limits of processor and memory, each content once."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ...journal.uploads import Encoding, Uploads
from ...models import Blob
from ...models.blob import LazyBlob

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

_ENCODERS = ("3", "2")
"""The versions of the encoder, newest first. Put a new one in front when the output changes, so that stored encodings
are not used any more. With the older ones, clips of the same images are still found."""

MAX_PIXELS = 48_000_000
"""Pixels that may be encoded at the same time, at 10 to 25 bytes of memory each. A larger image is encoded alone."""


class Encoder:
    """The encoder of one session. ``max_pixels`` may be encoded at the same time."""

    def __init__(self, uploads: Uploads, max_pixels: int = MAX_PIXELS) -> None:
        self._uploads = uploads
        self._limiter = _EncodeLimiter(max_pixels, os.cpu_count() or 1)

    async def images(self, pictures: Sequence[NDArray[np.float32]]) -> list[Blob]:
        """Encode images, each ``[H, W, C]``. Returns Blobs in their order. Raises the first EncodeError."""
        tasks = [asyncio.ensure_future(self.image(pixels)) for pixels in pictures]
        try:
            return list(await asyncio.gather(*tasks))
        finally:  # after an error, do not start the others
            for task in tasks:
                task.cancel()

    async def image(self, pixels: NDArray[np.float32]) -> Blob:
        """Encode one image [H, W, C]. If it was encoded before, returns a LazyBlob. Raises EncodeError."""
        from ...media.images.encode import encode_image

        area = pixels.size // max(1, pixels.shape[-1]) if pixels.ndim else 0
        digest, *older = await self._limiter.work(0, lambda: [_pixel_hash(pixels, version) for version in _ENCODERS])
        known = await self._uploads.find_encoding(digest)
        encodings = [await self._uploads.find_encoding(each) for each in older]
        earlier = tuple(encoding.sha256 if encoding else None for encoding in encodings)
        if known is not None:
            load = lambda: encode_image(pixels)  # noqa: E731
            return LazyBlob(known.sha256, known.media_type, known.size, load, pixels=area, earlier=earlier)
        blob = await self._limiter.work(area, lambda: encode_image(pixels))
        await self._uploads.save_encoding(digest, Encoding(blob.sha256, blob.media_type, len(blob)))
        return replace(blob, earlier=earlier)

    async def load(self, blob: Blob) -> None:
        """Encode a LazyBlob now, so that its bytes are available."""
        if isinstance(blob, LazyBlob) and not blob.is_loaded:
            await self._limiter.work(blob.pixels, lambda: blob.data)


class _EncodeLimiter:
    """Runs work in threads, limited by the number of threads and by the pixels of all of them together."""

    def __init__(self, pixels: int, threads: int) -> None:
        self._max_pixels = self._free_pixels = pixels
        self._free_threads = threads
        self._freed = asyncio.Condition()

    async def work(self, pixels: int, work: Callable[[], T]) -> T:
        """Run ``work()`` in a thread as soon as the limits allow, and return its result."""
        needed = min(pixels, self._max_pixels)
        async with self._freed:
            await self._freed.wait_for(lambda: self._free_threads and self._free_pixels >= needed)
            self._free_threads -= 1
            self._free_pixels -= needed
        running = asyncio.ensure_future(self._run(needed, work))
        # A thread cannot be stopped, so if this wait is canceled, it still counts until it ends.
        return await asyncio.shield(running)

    async def _run(self, needed: int, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        finally:
            async with self._freed:
                self._free_threads += 1
                self._free_pixels += needed
                self._freed.notify_all()


def _pixel_hash(pixels: NDArray[np.float32], encoder: str) -> str:
    import numpy as np

    digest = hashlib.sha256(f"{encoder}:{pixels.dtype}:{pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
