"""Continues a clip over several segments, each its own job, so that paid ones are kept; then joins them."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GrokImagineError
from ..jobs.pipeline.provenance import MADE_WITH, facts_of
from ..jobs.progress import Progress, ProgressUpdate, SilentProgress
from ..jobs.source_video import with_source
from ..models import JobState, Mode, VideoRequest
from ..private_files import private_folder
from .joined_file import join_once
from .plan import TAIL_SECONDS, Chain, ChainPlan, make_plan

if TYPE_CHECKING:
    from ..jobs.session import Result, Session
    from ..media.join.join import Joined, Part

__all__ = ["Chain", "ChainPlan", "ChainResult", "make_plan", "run_chain"]


@dataclass(frozen=True)
class ChainResult:
    """The joined video and its segments' results. ``joined`` is None if the video existed already."""

    file: Path
    segments: tuple[Result, ...]
    plan: ChainPlan
    joined: Joined | None = None


async def run_chain(
    session: Session,
    chain: Chain,
    *,
    run: str = "",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ChainResult:
    """Make the missing segments one after the other, and join all of them to the source.

    Paid segments are reused: a segment is found by the source, the options and the prompts up to its own, so changing
    the fourth prompt keeps the first three. ``run`` groups jobs for the budget per run. Raises what a job raises, with
    the segment's number in the message.
    """
    planned = await make_plan(session, chain)
    run = run or f"chain-{secrets.token_hex(8)}"
    host = progress or SilentProgress()
    results: list[Result] = []
    previous = chain.source
    for number, (prompt, digest) in enumerate(zip(chain.prompts, planned.digests, strict=True), 1):
        segment_progress = _SegmentProgress(host, number, len(chain.prompts), planned.text)
        try:
            existing = await session.journal.find_segment(digest[:24])
            if existing is not None and existing.state is not JobState.PREPARED:
                await session.share(existing.id)
                result = await session.resume(existing.id, progress=segment_progress)
            else:
                base = planned.base.model_copy(update={"prompt": prompt})
                request = await _build_request(session, chain.connection, base, previous, should_stop)
                result = await session.generate(
                    request, chain.connection, owner=f"chain/{digest[:24]}", run=run, progress=segment_progress
                )
        except GrokImagineError as error:
            raise _add_segment_number(error, number, len(chain.prompts)) from error.__cause__
        results.append(result)
        previous = result.file
    return await _join_segments(session, chain, planned, results, should_stop)


async def _build_request(
    session: Session, connection: str, base: VideoRequest, previous: Path, should_stop: Callable[[], bool] | None
) -> VideoRequest:
    """A segment's request: an extension of ``previous``, or an image-to-video request from its last frame."""
    if base.mode is Mode.EXTEND:
        return await _extend_request(session, connection, base, previous, should_stop)
    from ..media.join.segments import last_frame

    blobs = await session.publisher.images([await asyncio.to_thread(last_frame, previous)])
    return base.model_copy(update={"reference_images": tuple(blobs)})


async def _extend_request(
    session: Session, connection: str, request: VideoRequest, previous: Path, should_stop: Callable[[], bool] | None
) -> VideoRequest:
    """The request with the last TAIL_SECONDS of ``previous`` as its source video."""
    from ..media.join.join import Part, join
    from ..media.join.segments import count_frames, read_format

    frames, shape = await asyncio.to_thread(lambda: (count_frames(previous), read_format(previous)))
    skip = max(0, frames - round(TAIL_SECONDS * shape.rate))
    if not skip:
        return await with_source(session, connection, request, previous, should_stop=should_stop)
    tail = (
        private_folder(session.home / "cache") / f"tail-{hashlib.sha256(str(previous).encode()).hexdigest()[:24]}.mp4"
    )
    try:
        await asyncio.to_thread(lambda: join([Part(previous, skip)], tail, should_stop=should_stop))
        return await with_source(session, connection, request, tail, should_stop=should_stop)
    finally:
        tail.unlink(missing_ok=True)


async def _join_segments(
    session: Session, chain: Chain, planned: ChainPlan, results: list[Result], should_stop: Callable[[], bool] | None
) -> ChainResult:
    """Join the source and its segments, unless the same video exists already."""
    # The identity depends on the jobs, since a failed segment is made again with the same digest.
    identity = (planned.digests[-1], *(segment.job.id for segment in results))
    file, joined = await join_once(
        session.home,
        identity,
        lambda: list(_parts(chain.source, planned, results)),
        lambda _joined: _facts(chain.source, results),
        "\n".join(chain.prompts),
        should_stop,
    )
    return ChainResult(file, tuple(results), planned, joined)


def _facts(source: Path, results: list[Result]) -> Mapping[str, object]:
    """How the joined video was made: the facts of each segment, and those of the source if it has some."""
    from ..media.mux.metadata import read

    segments = [facts_of(segment.job) for segment in results]
    return {"mode": "continue", "source": read(source), "segments": segments, "made_with": MADE_WITH}


def _parts(source: Path, planned: ChainPlan, results: list[Result]) -> Iterator[Part]:
    """The clips to join, each with the number of frames that it repeats from the one before."""
    from ..media.join.join import Part
    from ..media.join.segments import read_format

    yield Part(source)
    if planned.mode is Mode.IMAGE:
        yield from (Part(segment.file, 1) for segment in results)  # its first frame is the last one of the clip before
        return
    rate, previous = read_format(source).rate, source
    for one in results:
        overlap = min(_frames_at(previous, rate), round(TAIL_SECONDS * rate))
        frames = _frames_at(one.file, rate)
        added = int((planned.base.duration_seconds or 0) * rate) or max(0, frames - overlap)
        # Some providers return only the added part, which repeats nothing.
        is_whole = frames >= overlap + added // 2
        yield Part(one.file, overlap if is_whole else 0)
        previous = one.file


def _frames_at(path: Path, rate: Fraction) -> int:
    """The number of frames of a clip, converted to ``rate``."""
    from ..media.join.segments import count_frames, read_format

    return round(count_frames(path) / read_format(path).rate * rate)


def _add_segment_number(error: GrokImagineError, number: int, count: int) -> GrokImagineError:
    """Add the segment's number to the error's message, and whether earlier segments are kept."""
    kept_text = f" Segments 1 to {number - 1} are kept" if number > 2 else " Segment 1 is kept" if number == 2 else ""
    kept_text += ": run it again to continue from there." if kept_text else ""
    error.args = (f"Segment {number} of {count}: {error}{kept_text}", *error.args[1:])
    return error


@dataclass(frozen=True)
class _SegmentProgress:
    """Converts a segment's progress to that of the whole chain, and passes it to ``host``."""

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
