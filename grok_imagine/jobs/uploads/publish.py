"""Uploads local media to public URLs, each content once, and deletes uploads that are no longer needed."""

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
    """Whether a store's uploads are to be deleted when their jobs are final."""
    encoder: Encoder

    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """By content, so that an upload is not deleted for one job while another starts to use it."""

    async def publish(self, job: Job | None, store: Store, media: list[MediaInput]) -> list[str]:
        """Public URLs of ``media``, in order. Uploads each content once, concurrently. Raises StorageError.

        Without a job the URLs are for the user, who may use them anywhere, so the uploads are kept until they expire.
        """
        blobs = {blob.sha256: blob for blob in media if isinstance(blob, Blob)}
        published = await asyncio.gather(*(self._publish_blob(job, store, blob) for blob in blobs.values()))
        urls = dict(zip(blobs, published, strict=True))
        return [item if isinstance(item, str) else urls[item.sha256] for item in media]

    async def images(self, pictures: Sequence[NDArray[np.float32]]) -> list[Blob]:
        """Encode images, each [H, W, C], concurrently. Raises EncodeError."""
        return await self.encoder.images(pictures)

    async def release(self, job: Job, store: Store) -> None:
        """Delete a final job's uploads, if the store is set to, unless another job or the user needs them."""
        if not isinstance(store, PersistentStore) or not self.delete_after(store.name):
            return
        for sha256 in {upload.sha256 for upload in await self.uploads.find_unused(store.name, job_id=job.id)}:
            async with self._locks[sha256]:
                idle = await self.uploads.find_unused(store.name, job_id=job.id)
                keys = {upload.key for upload in idle if upload.sha256 == sha256}
                await self.uploads.mark_removed(store.name, keys)
                for key in keys:
                    with suppress(StorageError):  # the clip is saved; the sweep deletes what is left
                        await store.remove(key)

    async def _publish_blob(self, job: Job | None, store: Store, blob: Blob) -> str:
        """The URL of one blob: of an earlier upload if that is still valid, else of a new one."""
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
