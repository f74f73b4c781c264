"""Keeps the folder of results within its limits: oldest first, and never a file that somebody still needs."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..journal.store import Journal
from ..models import Job, State
from ..providers import PROVIDERS
from ..transport.part import discard, is_in_use

_PART_SECONDS = 24 * 3600.0
"""An interrupted download is taken up again where it stopped; one that nobody touched for so long is litter, unless
its job is unfinished, or a download holds it open."""
_JOB_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")


@dataclass(frozen=True)
class Candidate:
    """A file that is over the limits. ``fetchable_until`` (Unix seconds) is None where it cannot be fetched again."""

    path: Path
    size: int
    changed_at: float
    age_seconds: float
    job_id: str | None
    fetchable_until: float | None
    is_part: bool = False

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
        }


@dataclass(frozen=True)
class Pruned:
    """What is over the limits (``candidates``), which of it was removed, and the folder's size in bytes before."""

    candidates: tuple[Candidate, ...]
    removed: tuple[Path, ...]
    total: int

    @property
    def lasting(self) -> tuple[Candidate, ...]:
        """Those that would be gone for good."""
        return tuple(one for one in self.candidates if one.fetchable_until is None and not one.is_part)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        removed = {str(path) for path in self.removed}
        rows = [{**one.as_json(), "removed": str(one.path) in removed} for one in self.candidates]
        return {"folder_bytes": self.total, "files": rows}


async def prune(
    results: Path,
    journal: Journal,
    *,
    max_bytes: float,
    max_seconds: float,
    now: float,
    apply: bool = False,
    for_good: bool = False,
) -> Pruned:
    """Find what is over the limits, and remove it if ``apply``; what cannot be fetched again only ``for_good``."""
    files = await asyncio.to_thread(_files, results)
    found: list[Candidate] = []
    total = sum(size for _, size, _ in files)
    left = total
    for path, size, changed in sorted(files, key=lambda one: one[2]):
        age = now - changed
        job = await _job_of(path, journal)
        is_part = path.suffix != ".mp4"
        if is_part:
            is_idle = age > _PART_SECONDS and (job is None or job.state.is_final)
            is_due = is_idle and not await asyncio.to_thread(is_in_use, path)
        else:
            is_due = (age > max_seconds or left > max_bytes) and _may_go(job)
        if is_due:
            left -= size
            until = _fetchable_until(job, now)
            found.append(Candidate(path, size, changed, age, job.id if job else None, until, is_part))
    going = [one for one in found if one.is_part or one.fetchable_until is not None or for_good]
    removed = await asyncio.to_thread(_remove, going) if apply else ()
    return Pruned(tuple(found), removed, total)


def _files(results: Path) -> list[tuple[Path, int, float]]:
    """Clips and unfinished downloads: path, size in bytes, time of the last change. Nothing else is ours to remove."""
    if not results.is_dir():
        return []
    found: list[tuple[Path, int, float]] = []
    for path in results.iterdir():
        is_ours = path.suffix in (".mp4", ".part") or _is_left_note(path)
        if is_ours and _JOB_ID.search(path.name) and path.is_file() and not path.is_symlink():
            facts = path.stat()
            found.append((path, facts.st_size, facts.st_mtime))
    return found


def _is_left_note(path: Path) -> bool:
    """What a download wrote beside its part, and a crash left behind when the part was gone."""
    return path.name.endswith(".part.json") and not path.with_suffix("").exists()


async def _job_of(path: Path, journal: Journal) -> Job | None:
    named = _JOB_ID.search(path.name)
    return await journal.get(named[0]) if named else None


def _may_go(job: Job | None) -> bool:
    """A job on its way owns its file; SUCCEEDED is one whose clip is just coming home."""
    return job is None or job.state.is_final


def _fetchable_until(job: Job | None, now: float) -> float | None:
    """Until when the provider keeps the clip, as far as it says; None where that is over, or nobody knows."""
    provider = PROVIDERS.get(job.provider) if job else None
    if job is None or provider is None or job.state is not State.SAVED or not job.submitted_at:
        return None
    until = job.submitted_at + provider.result_lifetime_hours * 3600
    return until if until > now else None


def _remove(going: list[Candidate]) -> tuple[Path, ...]:
    gone: list[Path] = []
    for one in going:
        try:
            if one.path.suffix == ".part":
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
