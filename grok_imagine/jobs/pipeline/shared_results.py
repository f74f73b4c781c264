"""Finished clips in a shared bucket, so that machines with the same journal download each only once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ...errors import StorageError
from ...filelock import replace_file
from ...journal.journal import Journal
from ...journal.schema import archived
from ...models import Job
from ...private_files import private_folder
from ...storage.bucket import BucketStore
from .result_file import file_digest


@dataclass(frozen=True)
class SharedResults:
    """The bucket of the setting ``results_store``, and the journal's records of the clips in it."""

    journal: Journal
    store: BucketStore

    async def save(self, job: Job) -> None:
        """Upload the job's file, once. Raises StorageError, or OSError if the file cannot be read."""
        if job.file is None or await self._row(job.id) is not None:
            return
        key = self.store.result_key(secrets.token_hex(16))
        await self.store.put_file(key, job.file, "video/mp4")
        values = {"job_id": job.id, "store": self.store.name, "key": key, "sha256": file_digest(job.file)}
        await self.journal.transaction(lambda connection: _record(connection, values))

    async def restore(self, job: Job, target: Path) -> bool:
        """Download the job's file to ``target``. False if it was not uploaded. Raises StorageError if it differs."""
        row = await self._row(job.id)
        if row is None:
            return False
        private_folder(target.parent)
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            await self.store.get_file(str(row["key"]), part)
            if file_digest(part) != row["sha256"]:
                raise StorageError(
                    f"The clip of job {job.id} in the store {self.store.name!r} is not the file that was uploaded."
                )
            replace_file(part, target)
        finally:
            part.unlink(missing_ok=True)
        return True

    async def _row(self, job_id: str) -> dict[str, Any] | None:
        query = archived.select().where((archived.c.job_id == job_id) & (archived.c.store == self.store.name))

        def work(connection: sa.Connection) -> dict[str, Any] | None:
            row = connection.execute(query).mappings().first()
            return dict(row) if row else None

        return await self.journal.transaction(work)


def _record(connection: sa.Connection, values: dict[str, Any]) -> None:
    """Store the record, unless another machine has uploaded the same clip first."""
    known = sa.select(archived.c.key).where(archived.c.job_id == values["job_id"])
    if connection.execute(known).first() is None:
        connection.execute(archived.insert().values(**values))
