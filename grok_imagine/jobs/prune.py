"""Removes the oldest results and chunk folders over the limits of size and age, except those still needed."""

from __future__ import annotations

import asyncio
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..journal.journal import Journal
from ..models import Job, JobState
from ..providers.registry import Providers
from ..transport.partial_download import discard, is_in_use

_PART_SECONDS = 24 * 3600.0
"""After this time a partial download is removed, unless its job is unfinished or a download has it open."""
_CHUNKS_SECONDS = 24 * 3600.0
"""A chunk folder that changed within this time may be in use."""
_JOB_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")


@dataclass(frozen=True)
class Candidate:
    """A file over the limits. ``fetchable_until`` (Unix seconds) is None if it cannot be downloaded again.

    ``size`` is in bytes, ``changed_at`` in Unix seconds. ``is_part``: a partial download. ``is_chunks``: the folder of
    one video that is processed in chunks; the graph makes it again at no cost.
    """

    path: Path
    size: int
    changed_at: float
    age_seconds: float
    job_id: str | None
    fetchable_until: float | None
    is_part: bool = False
    is_chunks: bool = False

    @property
    def is_irreplaceable(self) -> bool:
        """Whether it would be lost for good."""
        return self.fetchable_until is None and not self.is_part and not self.is_chunks

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "file": str(self.path),
            "size": self.size,
            "age_days": round(self.age_seconds / 86400, 2),
            "job_id": self.job_id,
            "can_be_fetched_again": self.fetchable_until is not None,
            "fetchable_until": self.fetchable_until,
            "is_part": self.is_part,
            "is_chunks": self.is_chunks,
        }


@dataclass(frozen=True)
class PruneResult:
    """The files over the limits, those of them that were removed, and the size of all results before, in bytes."""

    candidates: tuple[Candidate, ...]
    removed: tuple[Path, ...]
    total: int

    @property
    def irreplaceable(self) -> tuple[Candidate, ...]:
        """Those that would be lost for good."""
        return tuple(candidate for candidate in self.candidates if candidate.is_irreplaceable)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        removed = {str(path) for path in self.removed}
        rows = [{**entry.as_json(), "removed": str(entry.path) in removed} for entry in self.candidates]
        return {"folder_bytes": self.total, "files": rows}


async def prune(
    results: Path,
    journal: Journal,
    *,
    chunks: Path | None = None,
    max_bytes: float,
    max_seconds: float,
    now: float,
    apply: bool = False,
    for_good: bool = False,
) -> PruneResult:
    """Find what is over the limits. ``apply`` removes it; what cannot be downloaded again only with ``for_good``.

    ``chunks`` is where Join Video Chunks keeps its chunks, one folder per video; they count towards the same limits.
    """
    providers = await asyncio.to_thread(Providers, results.parent)
    files = await asyncio.to_thread(_files, results)
    files += await asyncio.to_thread(_chunk_folders, chunks) if chunks else []
    candidates: list[Candidate] = []
    total = sum(size for _, size, _ in files)
    left = total
    for path, size, changed in sorted(files, key=lambda file: file[2]):
        age = now - changed
        is_chunks = path.parent == chunks
        job = None if is_chunks else await _job_of(path, journal)
        is_part = not is_chunks and path.suffix != ".mp4"
        if is_chunks:
            is_due = (age > max_seconds or left > max_bytes) and age > _CHUNKS_SECONDS
        elif is_part:
            is_idle = age > _PART_SECONDS and (job is None or job.state.is_final)
            is_due = is_idle and not await asyncio.to_thread(is_in_use, path)
        else:
            is_due = (age > max_seconds or left > max_bytes) and _is_removable(job)
        if is_due:
            left -= size
            until = _fetchable_until(job, providers, now)
            candidates.append(Candidate(path, size, changed, age, job.id if job else None, until, is_part, is_chunks))
    to_remove = [candidate for candidate in candidates if for_good or not candidate.is_irreplaceable]
    removed = await asyncio.to_thread(_remove, to_remove) if apply else ()
    return PruneResult(tuple(candidates), removed, total)


def _files(results: Path) -> list[tuple[Path, int, float]]:
    """Path, size in bytes and last change of each clip and partial download. Other files are not ours to remove."""
    if not results.is_dir():
        return []
    files: list[tuple[Path, int, float]] = []
    for path in results.iterdir():
        is_ours = path.suffix in (".mp4", ".part") or _is_orphaned_note(path)
        if is_ours and _JOB_ID.search(path.name) and path.is_file() and not path.is_symlink():
            facts = path.stat()
            files.append((path, facts.st_size, facts.st_mtime))
    return files


def _chunk_folders(chunks: Path) -> list[tuple[Path, int, float]]:
    """Path, size in bytes and last change of each video's chunk folder."""
    if not chunks.is_dir():
        return []
    folders = [path for path in chunks.iterdir() if path.is_dir() and not path.is_symlink()]
    return [(folder, *_size_and_change(folder)) for folder in folders]


def _size_and_change(folder: Path) -> tuple[int, float]:
    """Size in bytes and last change. Chunks may be renamed or removed meanwhile."""
    size, changed = 0, folder.stat().st_mtime
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            facts = path.stat()
            size += facts.st_size if path.is_file() else 0
            changed = max(changed, facts.st_mtime)
    return size, changed


def _is_orphaned_note(path: Path) -> bool:
    """Whether it is the note of a partial download that no longer exists."""
    return path.name.endswith(".part.json") and not path.with_suffix("").exists()


async def _job_of(path: Path, journal: Journal) -> Job | None:
    match = _JOB_ID.search(path.name)
    return await journal.get(match[0]) if match else None


def _is_removable(job: Job | None) -> bool:
    """Whether no unfinished job needs the file."""
    return job is None or job.state.is_final


def _fetchable_until(job: Job | None, providers: Providers, now: float) -> float | None:
    """Until when the provider keeps the clip, in Unix seconds; None if that is over or unknown."""
    provider = providers.get(job.provider) if job else None
    if job is None or provider is None or job.state is not JobState.SAVED or not job.submitted_at:
        return None
    until = job.submitted_at + provider.result_lifetime_hours * 3600
    return until if until > now else None


def _remove(candidates: list[Candidate]) -> tuple[Path, ...]:
    """Remove those that did not change meanwhile. Returns the removed paths."""
    removed: list[Path] = []
    for candidate in candidates:
        path = candidate.path
        try:
            if candidate.is_chunks:
                if _size_and_change(path)[1] != candidate.changed_at:
                    continue
                shutil.rmtree(path)
            elif path.suffix == ".part":
                if not discard(path, candidate.changed_at):
                    continue
            elif path.stat().st_mtime != candidate.changed_at:
                continue
            else:
                path.unlink()
        except OSError:
            continue
        removed.append(path)
    return tuple(removed)
