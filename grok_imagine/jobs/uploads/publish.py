"""From local media to public URLs: each content is encoded and uploaded once, and forgotten when nobody needs it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import StorageError
from ...journal.uploads import Uploads
from ...models import Blob, Job, MediaInput
from ...storage.base import PersistentStore, Store
from .encode import Encoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Publisher:
    """Uploads for one session."""

    uploads: Uploads
    delete_after: Callable[[str], bool]
    """Whether a store's uploads are to be removed once their jobs are final."""
    encoder: Encoder

    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """One for each content: an upload is not removed for one job while it is being handed to another."""

    async def publish(self, job: Job | None, store: Store, media: list[MediaInput]) -> list[str]:
        """Public URLs for ``media``, in order; every different blob once, all side by side. Raises StorageError.

        Without a job they are for a user, who may have put them anywhere: they stay while they are good.
        """
        blobs = {one.sha256: one for one in media if isinstance(one, Blob)}
        found = await asyncio.gather(*(self._one(job, store, blob) for blob in blobs.values()))
        urls = dict(zip(blobs, found, strict=True))
        return [one if isinstance(one, str) else urls[one.sha256] for one in media]

    async def images(self, pictures: Sequence[NDArray[np.float32]]) -> list[Blob]:
        """Images, each [H, W, C], as Blobs, encoded side by side. Raises EncodeError."""
        return await self.encoder.images(pictures)

    async def release(self, job: Job, store: Store) -> None:
        """After a final job: remove its uploads, where the store is set to, unless another job or a user needs them."""
        if not isinstance(store, PersistentStore) or not self.delete_after(store.name):
            return
        for sha256 in {upload.sha256 for upload in await self.uploads.find_unused(store.name, job_id=job.id)}:
            async with self._locks[sha256]:
                idle = await self.uploads.find_unused(store.name, job_id=job.id)
                keys = {upload.key for upload in idle if upload.sha256 == sha256}
                await self.uploads.mark_removed(store.name, keys)
                for key in keys:
                    with suppress(StorageError):  # the clip is safe; what is left in the store, the sweep takes
                        await store.remove(key)

    async def _one(self, job: Job | None, store: Store, blob: Blob) -> str:
        """The URL of one blob: that of an earlier upload while it is good, else a fresh one."""
        if not isinstance(store, PersistentStore):
            await self.encoder.load(blob)
            return (await store.publish(blob)).url
        async with self._locks[blob.sha256]:
            upload = await self.uploads.find(store.name, blob.sha256, good_for=store.min_remaining_seconds)
            if upload is None:
                await self.encoder.load(blob)
                file = await store.publish(blob)
                upload = await self.uploads.add(store.name, blob.sha256, file.key, file.url, file.expires_at)
            if job is not None:
                await self.uploads.record_use(job.id, [upload.number])
            else:
                await self.uploads.pin(upload.number)
        return upload.url
