"""Buckets: S3 and compatible (AWS, R2, MinIO, OSS, B2), Google Cloud Storage and Azure Blob, through obstore.

Objects are private. Their names are unguessable and depend only on the content, so the same image is the same object.
Providers download them by signed URLs that expire, or below the bucket's public base URL.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from ..errors import StorageError
from ..models import Blob
from ..models.url import is_loopback
from ..proxies import Proxies
from ..redact import redact
from ..settings import StoreSettings
from .base import PublicFile, min_remaining_seconds

MAX_SIGNATURE_SECONDS = 7 * 24 * 3600.0
"""S3 signatures (version 4) and Google's are valid for seven days at most."""

# With obstore's default of ten tries, a slow or broken store would delay a job for minutes.
_RETRY: dict[str, Any] = {"max_retries": 2, "retry_timeout": timedelta(seconds=60)}
# As in NO_PROXY. obstore reads the proxy variables itself, and this is the only way to override them.
_DIRECT = {"proxy_url": "http://localhost", "proxy_excludes": "localhost,127.0.0.0/8,::1"}
_HOSTS = {
    "s3": "https://s3.amazonaws.com",
    "gcs": "https://storage.googleapis.com",
    "azure": "https://blob.core.windows.net",
}
_TIMES: dict[str, Any] = {"connect_timeout": timedelta(seconds=10), "timeout": timedelta(seconds=60)}


@dataclass(frozen=True)
class StoredObject:
    """An object in the store: its key and modification time in Unix seconds."""

    key: str
    written_at: float


class BucketStore:
    """One bucket (S3, GCS) or container (Azure), below one prefix.

    ``secret`` keys the object names of this installation; ``lifetime_seconds`` is that of signed URLs.
    """

    def __init__(
        self,
        name: str,
        stated: StoreSettings,
        *,
        secret: bytes,
        lifetime_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._stated = stated
        self._secret = secret
        self._lifetime = min(lifetime_seconds, MAX_SIGNATURE_SECONDS)
        self._now = now
        self._opened: Any = None

    @property
    def min_remaining_seconds(self) -> float:
        """Seconds that a stored URL must still be valid to be reused."""
        return min_remaining_seconds(self._lifetime)

    async def publish(self, blob: Blob) -> PublicFile:
        """Upload the blob and sign a URL for it. Raises StorageError, which says what to fix."""
        import obstore

        key = self.key_of(blob)
        with map_errors(self.name):
            await _in_thread(obstore.put, self._store(), key, blob.data, attributes={"Content-Type": blob.media_type})
        return await self.sign(key)

    async def sign(self, key: str) -> PublicFile:
        """A signed URL of the object, or one below the public base URL, which does not expire."""
        import obstore

        if self._stated.public_base_url:
            return PublicFile(f"{self._stated.public_base_url}/{key}", None, key)
        expires_at = self._now() + self._lifetime
        with map_errors(self.name):
            url = await _in_thread(obstore.sign, self._store(), "GET", key, timedelta(seconds=self._lifetime))
        return PublicFile(url, expires_at, key)

    async def put_file(self, key: str, path: Path, media_type: str) -> None:
        """Upload a file as the object ``key``, streaming. Raises StorageError."""
        import obstore

        with map_errors(self.name):
            await _in_thread(obstore.put, self._store(), key, path, attributes={"Content-Type": media_type})

    async def get_file(self, key: str, path: Path) -> None:
        """Download the object into a new private file. Raises StorageError."""
        import obstore

        def receive() -> None:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "wb") as file:
                for block in obstore.get(self._store(), key).stream(min_chunk_size=1 << 20):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())

        with map_errors(self.name):
            await _in_thread(receive)

    async def remove(self, key: str) -> None:
        """Delete an object if it exists."""
        import obstore

        with map_errors(self.name):
            try:
                await _in_thread(obstore.delete, self._store(), key)
            except FileNotFoundError:
                return

    async def list(self) -> list[StoredObject]:
        """Every upload below this installation's prefix, without finished clips."""
        import obstore

        with map_errors(self.name):
            rows: list[Any] = await _in_thread(lambda: obstore.list(self._store(), self._stated.prefix).collect())
        results = self.result_key("").rpartition("/")[0] + "/"
        objects = [StoredObject(str(row["path"]), row["last_modified"].timestamp()) for row in rows]
        return [each for each in objects if not each.key.startswith(results)]

    def key_of(self, blob: Blob) -> str:
        """The object's key. It cannot be guessed without this installation's secret."""
        digest = hmac.new(self._secret, blob.sha256.encode(), hashlib.sha256).hexdigest()
        return f"{self._stated.prefix}/{digest}.{blob.extension}"

    def result_key(self, name: str) -> str:
        """The key of a finished clip. ``name`` must be unguessable."""
        return f"{self._stated.prefix}/results/{name}.mp4"

    def _store(self) -> Any:
        if self._opened is None:
            with map_errors(self.name):
                self._opened = _open(self.name, self._stated)
        return self._opened


async def _in_thread(work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """obstore's blocking call in a thread (it releases the GIL).

    Its own async calls can abort the interpreter at exit, from a callback that comes after the loop has ended.
    """
    return await asyncio.to_thread(work, *arguments, **options)


def _open(name: str, stated: StoreSettings) -> Any:
    """obstore's store. It reads missing values from the cloud's usual environment variables, and the proxies too.

    Raises SettingsError for a bad proxy variable, StorageError for a SOCKS proxy.
    """
    from obstore.store import AzureStore, GCSStore, S3Store

    options: dict[str, Any] = dict(_TIMES)
    if stated.endpoint and is_loopback(stated.endpoint):
        options |= {"allow_http": True, **_DIRECT}
    proxy = Proxies.from_environment().choose(stated.endpoint or _HOSTS[stated.kind])
    if proxy is not None and proxy.kind == "socks5":
        raise StorageError(
            f"The store {name!r} cannot be reached through the SOCKS proxy of {proxy.variable}: uploads need an "
            "HTTP proxy. Set HTTPS_PROXY, or add the store's host to NO_PROXY. Nothing was sent or charged."
        )
    shared: dict[str, Any] = {"client_options": options, "retry_config": _RETRY}
    if stated.kind == "gcs":
        return GCSStore(stated.bucket, **_stated_values(service_account_key=stated.service_account_key), **shared)
    if stated.kind == "azure":
        known = _stated_values(
            account_name=stated.account_name, account_key=stated.account_key, endpoint=stated.endpoint
        )
        return AzureStore(stated.bucket, **known, **shared)
    known = _stated_values(
        access_key_id=stated.access_key_id,
        secret_access_key=stated.secret_access_key,
        token=stated.session_token,
        endpoint=stated.endpoint,
        region=stated.region,
    )
    return S3Store(stated.bucket, **known, virtual_hosted_style_request=stated.virtual_hosted_style, **shared)


def _stated_values(**values: Any) -> dict[str, str]:
    """The values that are set, with secrets in plain text. Passed only to obstore."""
    return {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for name, value in values.items()
        if value is not None
    }


# Patterns of error texts in lower case, and what they mean; the first match counts. Numbers are HTTP statuses.
_HINTS: tuple[tuple[str, str], ...] = (
    (
        r"requesttimetooskewed|requestexpired|clock skew|not yet valid",
        "refuses the request because this machine's clock is wrong; set the clock",
    ),
    (
        r"quotaexceeded|insufficient ?storage|storagefull|\b507\b|no space left|entitytoolarge",
        "has no room for the file; free some space or raise its limit",
    ),
    (
        r"nosuchbucket|containernotfound|bucket does not exist|\b404\b",
        "does not know the bucket; check name and region",
    ),
    (
        r"signaturedoesnotmatch|invalidaccesskeyid|authenticationfailed|invalid_grant|unauthenticated|\b401\b",
        "refuses the key; check the access key and the secret",
    ),
    (r"accessdenied|permission|forbidden|privileges|\b403\b", "denies it; let the key put, get, list and delete"),
    (r"timed ?out|timeout", "did not answer in time; check the network, or try again"),
    (r"slowdown|too ?many ?requests|\b429\b|\b503\b", "is overloaded; try again later"),
    (r"error sending request|connect|dns|unreachable", "cannot be reached; check the endpoint and the network"),
)
# obstore's text begins with the URL, whose digits may look like statuses, and the retries. It ends with the error's
# debug structure, which has the cause, and the URL again.
_PREAMBLE = re.compile(r"^.*?Error performing \w+ \S+ in [^,\s]+(?:, after .*?)?\s+-\s+", re.DOTALL)
_ID = re.compile(r"<AWSAccessKeyId>.*?</AWSAccessKeyId>|\bAKIA\w+|\bASIA\w+")
_FIELD_NAMES = re.compile(
    r"https?://\S+|[0-9a-f]{16,}\S*|retry_timeout|max_retries|timeout: \S+|\d+(?:\.\d+)?[mnµ]?s\b"
)


@contextmanager
def map_errors(name: str) -> Generator[None]:
    """Convert obstore's errors to StorageError, with the server's redacted message."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError, ValueError, OSError) as error:
        message, _, structure = _PREAMBLE.sub("", str(error)).partition("Debug source")
        low = _FIELD_NAMES.sub("", f"{type(error).__name__} {message} {structure}".lower())
        if isinstance(error, FileNotFoundError):
            low = f"nosuchbucket {low}"
        meaning = next((text for pattern, text in _HINTS if re.search(pattern, low)), "failed")
        # Not chained: obstore's text has the access key id and the object's name.
        words = _ID.sub("", redact(message.strip(), limit=240))
        raise StorageError(f"The store {name!r} {meaning}. Nothing was sent or charged. ({words})") from None
