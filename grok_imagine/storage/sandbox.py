"""Uploads to the sandbox's own endpoint, so that nothing leaves this machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import StorageError, TransportError
from ..models import Blob, Reply
from .base import PublicFile

Post = Callable[[str, bytes, str], Awaitable[Reply]]
"""A function that POSTs (URL, bytes, media type) without a key; provided by the transport."""


class SandboxStore:
    """Uploads to ``/_sandbox/uploads`` of the running sandbox."""

    name = "sandbox"

    def __init__(self, sandbox_url: str, post: Post) -> None:
        self._url = f"{sandbox_url}/_sandbox/uploads"
        self._post = post

    async def publish(self, blob: Blob) -> PublicFile:
        try:
            reply = await self._post(self._url, blob.data, blob.media_type)
        except TransportError as error:
            raise StorageError(f"Cannot upload to the sandbox: {error}. Nothing was sent or charged.") from error
        answer: dict[str, Any] = reply.json() if reply.is_success else {}
        if not isinstance(answer.get("url"), str):
            raise StorageError(
                f"The sandbox rejected a {blob.media_type} upload (HTTP {reply.status}). Nothing was sent or charged."
            )
        return PublicFile(answer["url"], answer.get("expires_at"))
