"""A clip goes on over several segments: each a job of its own, so that what is paid is kept; then all are one film."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GrokImagineError
from ..filelock import replace_file
from ..jobs.progress import Progress, ProgressUpdate, SilentProgress
from ..jobs.source_video import with_source
from ..models import JobState, Mode, VideoRequest
from ..settings import private_folder
from .plan import TAIL_SECONDS, Chain, ChainPlan, plan

if TYPE_CHECKING:
    from ..jobs.session import Result, Session
    from ..media.join.join import Joined, Part

__all__ = ["Chain", "ChainPlan", "ChainResult", "plan", "run_chain"]
_FILM = "1"
"""Raised whenever the same parts would give another film."""


@dataclass(frozen=True)
class ChainResult:
    """The whole film, and the jobs of its segments. ``joined`` is None for a film that was made before."""

    file: Path
    segments: tuple[Result, ...]
    plan: ChainPlan
    joined: Joined | None = None


async def run_chain(
    session: Session,
    chain: Chain,
    *,
    owner: str = "",
    run: str = "",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ChainResult:
    """Make the segments one after the other, or go on with the one that is next, and join them to the source.

    What is paid once is kept: the same chain again finds its segments by the source, the choices and the prompts up
    to each, so that another fourth prompt leaves the first three as they are. ``run`` is what a budget per run counts
    together. Raises what a job raises, with the number of the segment in its text.
    """
    planned = await plan(session, chain)
    run = run or f"chain-{secrets.token_hex(8)}"
    tells = progress or SilentProgress()
    results: list[Result] = []
    before = chain.source
    for number, (prompt, digest) in enumerate(zip(chain.prompts, planned.digests, strict=True), 1):
        told = _SegmentProgress(tells, number, len(chain.prompts), planned.text)
        name = f"{owner}/{digest[:24]}"
        try:
            known = await session.journal.find_by_owner(name)
            if known is not None and known.state is not JobState.PREPARED:
                made = await session.resume(known.id, progress=told)
            else:
                base = planned.base.model_copy(update={"prompt": prompt})
                request = await _request(session, chain.connection, base, before, should_stop)
                made = await session.generate(request, chain.connection, owner=name, run=run, progress=told)
        except GrokImagineError as error:
            raise _named(error, number, len(chain.prompts)) from error.__cause__
        results.append(made)
        before = made.file
    return await _film(session, chain, planned, results, should_stop)


async def _request(
    session: Session, connection: str, base: VideoRequest, before: Path, should_stop: Callable[[], bool] | None
) -> VideoRequest:
    """A segment's request: what goes on from the clip before."""
    if base.mode is Mode.EXTEND:
        return await _extending(session, connection, base, before, should_stop)
    from ..media.join.segments import last_frame

    blobs = await session.publisher.images([await asyncio.to_thread(last_frame, before)])
    return base.model_copy(update={"reference_images": tuple(blobs)})


async def _extending(
    session: Session, connection: str, request: VideoRequest, before: Path, should_stop: Callable[[], bool] | None
) -> VideoRequest:
    """The request with the end of the film so far as its source."""
    from ..media.join.join import Part, join
    from ..media.join.segments import count_frames, read_format

    frames, shape = await asyncio.to_thread(lambda: (count_frames(before), read_format(before)))
    skip = max(0, frames - round(TAIL_SECONDS * shape.rate))
    if not skip:
        return await with_source(session, connection, request, before, should_stop=should_stop)
    tail = private_folder(session.home / "cache") / f"tail-{hashlib.sha256(str(before).encode()).hexdigest()[:24]}.mp4"
    try:
        await asyncio.to_thread(lambda: join([Part(before, skip)], tail, should_stop=should_stop))
        return await with_source(session, connection, request, tail, should_stop=should_stop)
    finally:
        tail.unlink(missing_ok=True)


async def _film(
    session: Session, chain: Chain, planned: ChainPlan, results: list[Result], should_stop: Callable[[], bool] | None
) -> ChainResult:
    """Join the source and its segments, unless the same film lies there already."""
    from ..media.join.join import join

    # A segment can be made anew under the same identity (its first try failed), so the film goes by the jobs.
    name = hashlib.sha256("\n".join([_FILM, planned.digests[-1], *(one.job.id for one in results)]).encode())
    target = private_folder(session.home / "results") / f"film-{name.hexdigest()[:24]}.mp4"
    if target.is_file():
        return ChainResult(target, tuple(results), planned)

    def work() -> Joined:
        made = join(list(_parts(chain.source, planned, results)), partial, should_stop=should_stop)
        replace_file(partial, target)
        return made

    partial = target.with_suffix(f".{secrets.token_hex(4)}.part")
    try:
        return ChainResult(target, tuple(results), planned, await asyncio.to_thread(work))
    finally:
        partial.unlink(missing_ok=True)


def _parts(source: Path, planned: ChainPlan, results: list[Result]) -> Iterator[Part]:
    """The film's parts, and how much each repeats of the one before."""
    from ..media.join.join import Part
    from ..media.join.segments import read_format

    yield Part(source)
    if planned.mode is Mode.IMAGE:
        yield from (Part(one.file, 1) for one in results)  # the last frame before is the first one of it
        return
    rate, before = read_format(source).rate, source
    for one in results:
        shown = min(_frames_at(before, rate), round(TAIL_SECONDS * rate))
        made = _frames_at(one.file, rate)
        added = int((planned.base.duration_seconds or 0) * rate) or max(0, made - shown)
        # A provider may answer with what was added alone: then nothing is repeated.
        is_whole = made >= shown + added // 2
        yield Part(one.file, shown if is_whole else 0)
        before = one.file


def _frames_at(path: Path, rate: Fraction) -> int:
    """How many frames a clip has at the film's rate."""
    from ..media.join.segments import count_frames, read_format

    return round(count_frames(path) / read_format(path).rate * rate)


def _named(error: GrokImagineError, number: int, count: int) -> GrokImagineError:
    """The same error, which says where the chain stands."""
    kept = f" Segments 1 to {number - 1} are kept" if number > 2 else " Segment 1 is kept" if number == 2 else ""
    kept += ": run it again to go on from there." if kept else ""
    error.args = (f"Segment {number} of {count}: {error}{kept}", *error.args[1:])
    return error


@dataclass(frozen=True)
class _SegmentProgress:
    """Tells the host of the whole chain: which segment it is at, and its share of the whole."""

    host: Progress
    number: int
    count: int
    plan: str

    def update(self, update: ProgressUpdate) -> None:
        note = update.note
        if update.step == "preparing":
            note = f"segment {self.number} of {self.count} ({self.plan})" + (f" {note}" if note else "")
        share = update.percent
        if update.step == "done" and self.number == self.count:
            self.host.update(replace(update, note=note))
            return
        step = "generating" if update.step in ("done", "downloading") else update.step
        own = 100.0 if update.step == "done" else 0.0 if update.step == "downloading" else share
        overall = None if own is None else (100 * (self.number - 1) + own) / self.count
        self.host.update(replace(update, step=step, percent=overall, note=note))
