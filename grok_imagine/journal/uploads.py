"""Stores which content was uploaded where, so that it is uploaded once per store while its URL is valid."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ..models import JobState
from .journal import Journal
from .schema import encodings, jobs, upload_uses, uploads

_FINAL = [state.value for state in JobState if state.is_final]


@dataclass(frozen=True)
class Upload:
    """A stored upload. ``url`` may be signed; ``expires_at`` is in Unix seconds, None if the URL never expires."""

    number: int
    store: str
    sha256: str
    key: str
    url: str = field(repr=False)
    expires_at: float | None


@dataclass(frozen=True)
class Encoding:
    """The hash, media type and size in bytes of an encoded image."""

    sha256: str
    media_type: str
    size: int


class Uploads:
    """The upload tables of a journal. Uses the journal's thread and transactions."""

    def __init__(self, journal: Journal, now: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._now = now

    async def find(self, store: str, sha256: str, *, good_for: float) -> Upload | None:
        """An upload of that content whose URL is valid for at least ``good_for`` more seconds, or None."""
        until = self._now() + good_for
        where = (
            (uploads.c.store == store)
            & (uploads.c.sha256 == sha256)
            & uploads.c.removed_at.is_(None)
            & (uploads.c.expires_at.is_(None) | (uploads.c.expires_at > until))
        )
        rows = await self._journal.transaction(_upload_query(where))
        return rows[0] if rows else None

    async def add(self, store: str, sha256: str, key: str, url: str, expires_at: float | None) -> Upload:
        """Store a new upload."""
        row: dict[str, Any] = {
            "store": store,
            "sha256": sha256,
            "key": key,
            "url": url,
            "expires_at": expires_at,
        }

        def work(connection: sa.Connection) -> int:
            insert = uploads.insert().values(created_at=self._now(), **row).returning(uploads.c.number)
            return connection.execute(insert).scalar_one()

        return Upload(number=await self._journal.transaction(work), **row)

    async def hashes_of(self, urls: Iterable[str]) -> dict[str, str]:
        """The content's SHA-256 for each of ``urls`` that belongs to a stored upload."""
        url_list = list(urls)
        if not url_list:
            return {}
        query = sa.select(uploads.c.url, uploads.c.sha256).where(uploads.c.url.in_(url_list))

        def work(connection: sa.Connection) -> dict[str, str]:
            return {str(row.url): str(row.sha256) for row in connection.execute(query)}

        return await self._journal.transaction(work)

    async def record_use(self, job_id: str, numbers: Iterable[int]) -> None:
        """Record that a job uses these uploads."""
        rows = [{"upload": number, "job_id": job_id} for number in set(numbers)]

        def work(connection: sa.Connection) -> None:
            known = set(
                connection.execute(sa.select(upload_uses.c.upload).where(upload_uses.c.job_id == job_id)).scalars()
            )
            fresh = [row for row in rows if row["upload"] not in known]
            if fresh:
                connection.execute(upload_uses.insert(), fresh)

        await self._journal.transaction(work)

    async def pin(self, number: int) -> None:
        """Keep this upload until its URL expires, since the URL was handed to the user."""
        change = uploads.update().where(uploads.c.number == number)

        def work(connection: sa.Connection) -> None:
            connection.execute(change.values(pinned_at=self._now()))

        await self._journal.transaction(work)

    async def find_unused(
        self, store: str, *, job_id: str | None = None, older_than: float | None = None, pinned: bool = True
    ) -> list[Upload]:
        """Uploads of a store that nobody needs (see :meth:`used_keys`), of one job or older than a time."""
        is_idle = uploads.c.key.not_in(self._used_keys_query(store, pinned))
        where = (uploads.c.store == store) & uploads.c.removed_at.is_(None) & is_idle
        if job_id is not None:
            own = sa.select(upload_uses.c.upload).where(upload_uses.c.job_id == job_id)
            where &= uploads.c.number.in_(own)
        if older_than is not None:
            where &= uploads.c.created_at < older_than
        return await self._journal.transaction(_upload_query(where))

    async def used_keys(self, store: str, *, pinned: bool = True) -> set[str]:
        """Keys that unfinished jobs need and, with ``pinned``, those whose URLs users have and that are still valid."""
        query = self._used_keys_query(store, pinned)

        def work(connection: sa.Connection) -> set[str]:
            return set(connection.execute(query).scalars())

        return await self._journal.transaction(work)

    def _used_keys_query(self, store: str, pinned: bool = True) -> sa.Select[Any]:
        """By key, since the same object may be stored with several signed URLs."""
        of_jobs = (
            sa.select(upload_uses.c.upload)
            .join(jobs, jobs.c.id == upload_uses.c.job_id)
            .where(jobs.c.state.not_in(_FINAL))
        )
        is_busy = uploads.c.number.in_(of_jobs)
        if pinned:
            is_good = uploads.c.expires_at.is_(None) | (uploads.c.expires_at > self._now())
            is_busy |= uploads.c.pinned_at.is_not(None) & uploads.c.removed_at.is_(None) & is_good
        return sa.select(uploads.c.key).where((uploads.c.store == store) & is_busy)

    async def mark_removed(self, store: str, keys: Iterable[str]) -> None:
        """Record that objects were deleted."""
        removed = list(keys)
        change = uploads.update().where((uploads.c.store == store) & uploads.c.key.in_(removed))

        def work(connection: sa.Connection) -> None:
            connection.execute(change.values(removed_at=self._now()))

        await self._journal.transaction(work)

    async def find_encoding(self, pixels: str) -> Encoding | None:
        """The encoding of an image by the hash of its pixels, or None."""
        query = sa.select(encodings.c.sha256, encodings.c.media_type, encodings.c.size)

        def work(connection: sa.Connection) -> Encoding | None:
            row = connection.execute(query.where(encodings.c.pixels == pixels)).first()
            return Encoding(*row) if row else None

        return await self._journal.transaction(work)

    async def save_encoding(self, pixels: str, encoding: Encoding) -> None:
        """Store the encoding of an image by the hash of its pixels."""

        def work(connection: sa.Connection) -> None:
            connection.execute(encodings.delete().where(encodings.c.pixels == pixels))
            values = {"sha256": encoding.sha256, "media_type": encoding.media_type, "size": encoding.size}
            connection.execute(encodings.insert().values(pixels=pixels, created_at=self._now(), **values))

        await self._journal.transaction(work)


def _upload_query(where: sa.ColumnElement[bool]) -> Callable[[sa.Connection], list[Upload]]:
    columns = (uploads.c.number, uploads.c.store, uploads.c.sha256, uploads.c.key, uploads.c.url, uploads.c.expires_at)
    query = sa.select(*columns).where(where).order_by(uploads.c.number.desc())

    def work(connection: sa.Connection) -> list[Upload]:
        return [Upload(*row) for row in connection.execute(query)]

    return work
