"""Pictures encoded side by side in threads, as many as the processor and the memory bear, each content once."""

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
"""The versions of the encoder, the newest first. A new one is put in front whenever the output changes, so that what is
remembered of it is not sent any more. The older ones stay: by them the clips of the same pictures are still found."""

ROOM = 48_000_000
"""How many pixels may be encoded at once: an encoder takes 10 to 25 bytes for each. One picture always may."""


class Encoder:
    """Encodes for one session."""

    def __init__(self, uploads: Uploads, room: int = ROOM) -> None:
        self._uploads = uploads
        self._room = _EncodeLimiter(room, os.cpu_count() or 1)

    async def images(self, pictures: Sequence[NDArray[np.float32]]) -> list[Blob]:
        """``pictures``, each ``[H, W, C]``, as Blobs in their order. The first EncodeError ends it."""
        tasks = [asyncio.ensure_future(self.image(one)) for one in pictures]
        try:
            return list(await asyncio.gather(*tasks))
        finally:  # those that still wait for room need not begin
            for task in tasks:
                task.cancel()

    async def image(self, pixels: NDArray[np.float32]) -> Blob:
        """One image [H, W, C] as a Blob. Pixels that were encoded before are not encoded again unless needed."""
        from ...media.images.encode import encode_image

        area = pixels.size // max(1, pixels.shape[-1]) if pixels.ndim else 0
        digest, *older = await self._room.work(0, lambda: [_pixel_hash(pixels, version) for version in _ENCODERS])
        known = await self._uploads.find_encoding(digest)
        found = [await self._uploads.find_encoding(one) for one in older]
        earlier = tuple(encoding.sha256 if encoding else None for encoding in found)
        if known is not None:
            load = lambda: encode_image(pixels)  # noqa: E731
            return LazyBlob(known.sha256, known.media_type, known.size, load, pixels=area, earlier=earlier)
        blob = await self._room.work(area, lambda: encode_image(pixels))
        await self._uploads.save_encoding(digest, Encoding(blob.sha256, blob.media_type, len(blob)))
        return replace(blob, earlier=earlier)

    async def load(self, blob: Blob) -> None:
        """Have the bytes of ``blob`` at hand: one that is only remembered is encoded now."""
        if isinstance(blob, LazyBlob) and not blob.is_loaded:
            await self._room.work(blob.pixels, lambda: blob.data)


class _EncodeLimiter:
    """Threads for work that takes memory: so many at once, and so many pixels in all of them together."""

    def __init__(self, pixels: int, threads: int) -> None:
        self._all = self._free = pixels
        self._threads = threads
        self._freed = asyncio.Condition()

    async def work(self, pixels: int, work: Callable[[], T]) -> T:
        """What ``work`` gives, done in a thread as soon as there is room for so many pixels."""
        needed = min(pixels, self._all)
        async with self._freed:
            await self._freed.wait_for(lambda: self._threads and self._free >= needed)
            self._threads -= 1
            self._free -= needed
        running = asyncio.ensure_future(self._done(needed, work))
        # A thread cannot be stopped: if the wait for it is, its room is still taken until it ends.
        return await asyncio.shield(running)

    async def _done(self, needed: int, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        finally:
            async with self._freed:
                self._threads += 1
                self._free += needed
                self._freed.notify_all()


def _pixel_hash(pixels: NDArray[np.float32], encoder: str) -> str:
    import numpy as np

    digest = hashlib.sha256(f"{encoder}:{pixels.dtype}:{pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
