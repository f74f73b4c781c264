"""Sends small images within the request as data URIs, if the dialect documents that."""

from __future__ import annotations

import base64

from ..errors import StorageError
from ..models import Blob
from .base import PublicFile

LIMIT = 10 * 1024 * 1024
"""Bytes of one file. xAI documents no limit; its SDK sends images of this size, and a larger body may get a 413."""


class InlineStore:
    """Data URIs."""

    name = "inline"

    async def publish(self, blob: Blob) -> PublicFile:
        """The blob as a data URI. Raises StorageError if it is too large."""
        if len(blob) > LIMIT:
            raise StorageError(
                f"A {blob.media_type} of {len(blob) / 2**20:.1f} MiB is too large to send within the request "
                f"(at most {LIMIT // 2**20} MiB). Set up a store for uploads, or give a public URL. "
                "Nothing was sent or charged."
            )
        return PublicFile(f"data:{blob.media_type};base64,{base64.b64encode(blob.data).decode()}")
