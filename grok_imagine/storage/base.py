"""What a store is: it takes a Blob and gives a URL that a provider can fetch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from ..errors import StorageError
from ..models import Blob


@dataclass(frozen=True)
class PublicFile:
    """A published blob. ``url`` may be signed, so it is kept out of representations; times are Unix seconds.

    ``expires_at`` is None for a URL that does not expire; ``key`` names the object in its store, for removal.
    """

    url: str = field(repr=False)
    expires_at: float | None = None
    key: str = ""


class Store(Protocol):
    """A place where blobs become public."""

    name: str

    async def publish(self, blob: Blob) -> PublicFile:
        """Make the blob public and return where. Raises StorageError with what to do about it."""
        ...


@runtime_checkable
class PersistentStore(Protocol):
    """A store whose files stay for a while: they can be handed out again, and removed."""

    name: str

    @property
    def least_life(self) -> float:
        """Seconds that a remembered URL must still live to be handed out again."""
        ...

    async def publish(self, blob: Blob) -> PublicFile:
        """As of any store."""
        ...

    async def remove(self, key: str) -> None:
        """Delete a file; one that is gone already is fine. Raises StorageError."""
        ...


def least_life(lifetime_seconds: float) -> float:
    """An hour, or half of what a fresh URL would live: providers fetch within minutes of the submit."""
    return min(3600.0, lifetime_seconds / 2)


class NoStore:
    """The store of those who have none: it serves the URLs that users already have, and says what else there is."""

    name = "none"

    def __init__(self, several: tuple[str, ...] = ()) -> None:
        self._several = several

    async def publish(self, blob: Blob) -> PublicFile:
        """Always a StorageError that lists what can be set up."""
        if self._several:
            raise StorageError(
                f'There are several stores ({", ".join(self._several)}) and none is chosen: set "store" in the '
                "settings, or in the connection. Nothing was sent or charged."
            )
        raise StorageError(
            "This connection's provider fetches images by public URL, and no place to upload them is set up. Either "
            "give the image's public http(s) URL in image_urls instead of connecting it; or set up a store: a bucket "
            "(S3, R2, MinIO, OSS, B2, Google Cloud Storage, Azure), or this ComfyUI if the internet reaches it "
            "(README, part Uploads); or try the graph on a sandbox connection, which has its own upload. "
            "Nothing was sent or charged."
        )
