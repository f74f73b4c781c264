"""The interface of stores: a store uploads a Blob and returns a URL that a provider can download."""

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
    """Publishes blobs."""

    name: str

    async def publish(self, blob: Blob) -> PublicFile:
        """Upload the blob and return its URL. Raises StorageError, which says what to do."""
        ...


@runtime_checkable
class PersistentStore(Protocol):
    """A store that keeps its files, so that their URLs can be reused and the files deleted."""

    name: str

    @property
    def min_remaining_seconds(self) -> float:
        """Seconds that a stored URL must still be valid to be reused."""
        ...

    async def publish(self, blob: Blob) -> PublicFile:
        """See :meth:`Store.publish`."""
        ...

    async def remove(self, key: str) -> None:
        """Delete a file if it exists. Raises StorageError."""
        ...


def min_remaining_seconds(lifetime_seconds: float) -> float:
    """An hour, or half of a new URL's lifetime if that is less: providers download within minutes of the submit."""
    return min(3600.0, lifetime_seconds / 2)


class NoStore:
    """Used if no store is set up. Publishing raises a StorageError that says how to set one up."""

    name = "none"

    def __init__(self, several: tuple[str, ...] = ()) -> None:
        self._several = several

    async def publish(self, blob: Blob) -> PublicFile:
        """Always raises StorageError, which lists the kinds of stores."""
        if self._several:
            raise StorageError(
                f'There are several stores ({", ".join(self._several)}) and none is chosen: set "store" in the '
                "settings, or in the connection. Nothing was sent or charged."
            )
        raise StorageError(
            "This connection's provider fetches images by public URL, and no place to upload them is set up. Either "
            "give the image's public http(s) URL in image_urls instead of connecting it; or set up a store: a bucket "
            "(S3, R2, MinIO, OSS, B2, Google Cloud Storage, Azure), or this ComfyUI if the internet reaches it "
            "(docs/uploads.md); or try the graph on a sandbox connection, which has its own upload. "
            "Nothing was sent or charged."
        )
