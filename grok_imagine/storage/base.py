"""What a store is: it takes a Blob and gives a URL that a provider can fetch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ..errors import StorageError
from ..models import Blob


@dataclass(frozen=True)
class PublicFile:
    """A published blob. ``url`` may be signed, so it is kept out of representations; times are Unix seconds."""

    url: str = field(repr=False)
    expires_at: float | None = None


class Store(Protocol):
    """A place where blobs become public."""

    name: str

    async def publish(self, blob: Blob) -> PublicFile:
        """Make the blob public and return where. Raises StorageError with what to do about it."""
        ...


class OwnUrlsOnly:
    """The store of those who have none: it serves the URLs that users already have, and says what else there is."""

    name = "none"

    async def publish(self, blob: Blob) -> PublicFile:
        raise StorageError(
            "This connection's provider fetches images by public URL, and no place to upload them is set up. "
            "Give the image's public http(s) URL in image_urls instead of connecting an image, "
            "or try the graph on the sandbox connection, which has its own upload. Nothing was sent or charged."
        )
