"""Tests a store with a real upload, and deletes old uploads."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from ...errors import GrokImagineError, SettingsError, StorageError
from ...journal.uploads import Uploads
from ...models import Blob
from ...storage.base import PersistentStore
from ...storage.bucket import BucketStore
from ...transport.client import Client
from ..uploads.stores import Stores

# The smallest PNG there is: one grey pixel.
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c6360000000020001"
    "48afa4710000000049454e44ae426082"
)


@dataclass(frozen=True)
class CheckStep:
    """One step of a check. ``fault`` says what went wrong; empty if it worked."""

    step: str
    fault: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it worked."""
        return not self.fault


async def check_store(name: str, stores: Stores, client: Client) -> list[CheckStep]:
    """Upload an image, download it from its URL as a provider would, and delete it. Ends at the first fault."""
    try:
        store = stores.open(name, hours=0.25)
    except SettingsError as error:
        return [CheckStep("settings", str(error))]
    # Random bytes after the end of the PNG make this upload unique, and do not change the image.
    blob = Blob(_PIXEL + secrets.token_bytes(8), "image/png")
    try:
        file = await store.publish(blob)
    except (StorageError, SettingsError) as error:
        return [CheckStep("put", str(error))]
    steps = [CheckStep("put"), await _fetch(file.url, blob, client)]
    try:
        await store.remove(file.key)
        steps.append(CheckStep("delete"))
    except StorageError as error:
        steps.append(CheckStep("delete", str(error)))
    return steps


async def _fetch(url: str, blob: Blob, client: Client) -> CheckStep:
    step = "fetch over its URL"
    try:
        reply = await client.get_public(url)
    except GrokImagineError as error:
        return CheckStep(step, f"{error}. Providers must be able to reach it from the internet")
    if not reply.is_success:
        return CheckStep(
            step, f"the URL answers HTTP {reply.status}; check the public base URL, or the signing key's right"
        )
    if reply.body != blob.data:
        return CheckStep(step, "the URL gives other bytes than were put; check the public base URL")
    kind = reply.headers.get("content-type", "")
    if kind.split(";")[0] != blob.media_type:
        return CheckStep(step, f"the URL gives the type {kind!r} instead of {blob.media_type!r}")
    return CheckStep(step)


async def sweep(
    name: str, stores: Stores, uploads: Uploads, *, older_than_hours: float, pinned: bool = False
) -> list[str]:
    """Delete a store's old uploads that no unfinished job needs. Returns their keys. Raises StorageError.

    Uploads whose URLs users have are deleted only with ``pinned``, or when the URLs have expired.

    In a bucket all objects below the store's prefix are considered, so that uploads of a lost journal are deleted too.
    Two installations that share a bucket need different prefixes.
    """
    store = stores.open(name)
    limit = time.time() - older_than_hours * 3600
    if isinstance(store, BucketStore):
        busy = await uploads.used_keys(name, pinned=not pinned)
        keys = [stored.key for stored in await store.list() if stored.written_at < limit and stored.key not in busy]
    else:
        keys = [upload.key for upload in await uploads.find_unused(name, older_than=limit, pinned=not pinned)]
        stores.public_files().sweep()
    await _remove(store, keys)
    await uploads.mark_removed(name, keys)
    return keys


async def _remove(store: PersistentStore, keys: list[str]) -> None:
    for key in keys:
        await store.remove(key)
