"""Keeps results, and videos worked on in chunks, within their limits: oldest first, and nothing that is needed."""

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
"""An interrupted download is taken up again where it stopped; one that nobody touched for so long is litter, unless
its job is unfinished, or a download holds it open."""
_CHUNKS_SECONDS = 24 * 3600.0
"""A video that was worked on since may be worked on now."""
_JOB_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")


@dataclass(frozen=True)
class Candidate:
    """A file that is over the limits. ``fetchable_until`` (Unix seconds) is None where it cannot be fetched again.

    With ``is_chunks`` it is the folder of one video that was worked on in chunks: the graph makes it anew for nothing.
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
        """Whether it would be gone for good."""
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
    """What is over the limits (``candidates``), which of it was removed, and the size of all in bytes before."""

    candidates: tuple[Candidate, ...]
    removed: tuple[Path, ...]
    total: int

    @property
    def irreplaceable(self) -> tuple[Candidate, ...]:
        """Those that would be gone for good."""
        return tuple(one for one in self.candidates if one.is_irreplaceable)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        removed = {str(path) for path in self.removed}
        rows = [{**one.as_json(), "removed": str(one.path) in removed} for one in self.candidates]
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
    """Find what is over the limits, and remove it if ``apply``; what cannot be fetched again only ``for_good``.

    ``chunks`` is where Join Video Chunks keeps its pieces, a folder for each video; they count for the same limits.
    """
    providers = await asyncio.to_thread(Providers, results.parent)
    files = await asyncio.to_thread(_files, results)
    files += await asyncio.to_thread(_chunk_folders, chunks) if chunks else []
    found: list[Candidate] = []
    total = sum(size for _, size, _ in files)
    left = total
    for path, size, changed in sorted(files, key=lambda one: one[2]):
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
            found.append(Candidate(path, size, changed, age, job.id if job else None, until, is_part, is_chunks))
    going = [one for one in found if for_good or not one.is_irreplaceable]
    removed = await asyncio.to_thread(_remove, going) if apply else ()
    return PruneResult(tuple(found), removed, total)


def _files(results: Path) -> list[tuple[Path, int, float]]:
    """Clips and unfinished downloads: path, size in bytes, time of the last change. Nothing else is ours to remove."""
    if not results.is_dir():
        return []
    found: list[tuple[Path, int, float]] = []
    for path in results.iterdir():
        is_ours = path.suffix in (".mp4", ".part") or _is_orphaned_note(path)
        if is_ours and _JOB_ID.search(path.name) and path.is_file() and not path.is_symlink():
            facts = path.stat()
            found.append((path, facts.st_size, facts.st_mtime))
    return found


def _chunk_folders(chunks: Path) -> list[tuple[Path, int, float]]:
    """Folder, size in bytes and last change of each video that was worked on in chunks."""
    if not chunks.is_dir():
        return []
    folders = [path for path in chunks.iterdir() if path.is_dir() and not path.is_symlink()]
    return [(folder, *_size_and_change(folder)) for folder in folders]


def _size_and_change(folder: Path) -> tuple[int, float]:
    """Bytes and last change. A piece may be renamed or joined meanwhile."""
    size, changed = 0, folder.stat().st_mtime
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            facts = path.stat()
            size += facts.st_size if path.is_file() else 0
            changed = max(changed, facts.st_mtime)
    return size, changed


def _is_orphaned_note(path: Path) -> bool:
    """What a download wrote beside its part, and a crash left behind when the part was gone."""
    return path.name.endswith(".part.json") and not path.with_suffix("").exists()


async def _job_of(path: Path, journal: Journal) -> Job | None:
    named = _JOB_ID.search(path.name)
    return await journal.get(named[0]) if named else None


def _is_removable(job: Job | None) -> bool:
    """A job on its way owns its file; SUCCEEDED is one whose clip is just coming home."""
    return job is None or job.state.is_final


def _fetchable_until(job: Job | None, providers: Providers, now: float) -> float | None:
    """Until when the provider keeps the clip, as far as it says; None where that is over, or nobody knows."""
    provider = providers.get(job.provider) if job else None
    if job is None or provider is None or job.state is not JobState.SAVED or not job.submitted_at:
        return None
    until = job.submitted_at + provider.result_lifetime_hours * 3600
    return until if until > now else None


def _remove(going: list[Candidate]) -> tuple[Path, ...]:
    gone: list[Path] = []
    for one in going:
        try:
            if one.is_chunks:
                if _size_and_change(one.path)[1] != one.changed_at:
                    continue
                shutil.rmtree(one.path)
            elif one.path.suffix == ".part":
                if not discard(one.path, one.changed_at):
                    continue
            elif one.path.stat().st_mtime != one.changed_at:
                continue  # it was written anew meanwhile: somebody needs it
            else:
                one.path.unlink()
        except OSError:
            continue
        gone.append(one.path)
    return tuple(gone)
