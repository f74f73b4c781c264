"""Makes a film: its shots side by side, continued ones in order; then joins them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ..batch.run import FATAL_ERRORS, MAX_CONCURRENCY
from ..chain.joined_file import join_once
from ..errors import GrokImagineError, RequestError
from ..jobs.pipeline.provenance import MADE_WITH, facts_of
from ..models import Blob
from .plan import FilmPlan, PlannedTake, make_plan
from .requests import Film, ShotRequests, frame_blob, prepare_requests
from .shots import Shot

if TYPE_CHECKING:
    from ..jobs.session import Result, Session
    from ..media.join.join import Joined, Part

OnChange = Callable[[str], None]


@dataclass(frozen=True)
class MadeTake:
    """A take and its clip. ``error`` says why there is none, which only a take that is not used may lack."""

    planned: PlannedTake
    result: Result | None
    error: str = ""


@dataclass(frozen=True)
class FilmResult:
    """The joined film and its takes. ``joined`` is None if the video existed already.

    ``numbers`` are its frames, seconds and seams; empty if its metadata could not be written.
    """

    file: Path
    plan: FilmPlan
    takes: tuple[MadeTake, ...]
    joined: Joined | None = None
    numbers: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def shots(self) -> list[Result]:
        """The clips that the film shows, in order."""
        return [take.result for take in self.takes if take.planned.is_used and take.result is not None]


async def run_film(
    session: Session,
    film: Film,
    *,
    at_once: int = 4,
    max_usd: Decimal | None = None,
    on_plan: Callable[[FilmPlan], None] | None = None,
    on_change: OnChange | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> FilmResult:
    """Make the takes that the journal does not have, ``at_once`` clips at a time, and join those that are used.

    ``max_usd`` limits what the new takes may cost; it is checked before anything is sent. A shot that fails does not
    stop the others. Run it again to continue: a request that was paid is never submitted again. Raises the first
    shot's error, with the other failures in its message.
    """
    if not 1 <= at_once <= MAX_CONCURRENCY:
        raise RequestError(f"Cannot make {at_once} clips at the same time; choose 1 to {MAX_CONCURRENCY}.")
    requests = await prepare_requests(session, film)
    plan = await make_plan(session, film, requests)
    if on_plan is not None:
        on_plan(plan)
    plan.check_limit(max_usd)
    film_run = _FilmRun(session, plan, requests, asyncio.Semaphore(at_once), on_change)
    await film_run.make_all(film.list.shots)
    film_run.raise_failure()
    takes = tuple(MadeTake(take, *film_run.outcome(take)) for take in plan.takes)
    return await _join(session, FilmResult(Path(), plan, takes), should_stop)


@dataclass
class _FilmRun:
    """One run of a film, shared by the tasks of its shots."""

    session: Session
    plan: FilmPlan
    requests: ShotRequests
    slots: asyncio.Semaphore
    on_change: OnChange | None
    results: dict[tuple[int, int], Result] = field(default_factory=dict[tuple[int, int], "Result"])
    errors: dict[tuple[int, int], GrokImagineError] = field(default_factory=dict[tuple[int, int], GrokImagineError])
    fatal: GrokImagineError | None = None
    run: str = field(default_factory=lambda: f"film-{secrets.token_hex(8)}")

    async def make_all(self, shots: Sequence[Shot]) -> None:
        """Make every shot. A continued one waits for the one before."""
        tasks: list[asyncio.Task[None]] = []
        for number, shot in enumerate(shots, 1):
            previous = (shots[number - 2].take, tasks[-1]) if shot.continues else None
            tasks.append(asyncio.ensure_future(self._make_shot(number, shot, previous)))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _make_shot(self, number: int, shot: Shot, previous: tuple[int, asyncio.Task[None]] | None) -> None:
        frame: Blob | None = None
        if previous is not None:
            take, task = previous
            await asyncio.wait({task})
            before = self.results.get((number - 1, take))
            if before is None:
                return
            frame = await frame_blob(self.session, before.file)
        await asyncio.gather(*(self._make_take(number, shot, take, frame) for take in shot.made_takes))

    async def _make_take(self, number: int, shot: Shot, take: int, frame: Blob | None) -> None:
        async with self.slots:
            if self.fatal is not None:
                return
            request = self.requests.build(shot, take, frame)
            try:
                self.results[number, take] = await self.session.generate(
                    request, self.requests.connection.name, owner=f"film/{number}", run=self.run
                )
            except FATAL_ERRORS as error:  # these would hit every other shot too
                self.fatal = self.fatal or error
                self.errors[number, take] = error
            except GrokImagineError as error:
                self.errors[number, take] = error
        if self.on_change is not None:
            self.on_change(f"{len(self.results)} of {len(self.plan.takes)} clips")

    def outcome(self, take: PlannedTake) -> tuple[Result | None, str]:
        """A take's clip, or why there is none."""
        key = (take.number, take.take)
        return self.results.get(key), str(self.errors.get(key, ""))

    def raise_failure(self) -> None:
        """Raise the error of the first shot that the film shows and that could not be made."""
        used = [take for take in self.plan.takes if take.is_used]
        failed = [(take, error) for take in used if (error := self.errors.get((take.number, take.take)))]
        first = next(((take, error) for take, error in failed if error is self.fatal), failed[0] if failed else None)
        if first is None:
            if self.fatal is not None:
                raise self.fatal
            return
        take, error = first
        others = "".join(f"\n  - {_name(one)}: {other}" for one, other in failed if one is not take)
        kept = f"{len(self.results)} of {len(self.plan.takes)} clips are made and kept: run it again to continue."
        error.args = (f"{_name(take)}: {error}\n{kept}{others}", *error.args[1:])
        raise error


def _name(take: PlannedTake) -> str:
    return f"Shot {take.number} (line {take.shot.line})"


def _numbers(joined: Joined) -> dict[str, object]:
    return {"frames": joined.frames, "seconds": round(joined.seconds, 3), "seams": joined.seams_as_json}


async def _join(session: Session, made: FilmResult, should_stop: Callable[[], bool] | None) -> FilmResult:
    """Join the used takes, unless the same film exists already."""
    from ..media.mux.metadata import read

    shown = [(take.planned.shot, take.result) for take in made.takes if take.planned.is_used and take.result]
    identity = [f"{'continue' if shot.continues else 'cut'} {result.job.id}" for shot, result in shown]

    def parts() -> list[Part]:
        from ..media.join.join import Part

        # The first frame of a continued shot is the last one of the shot before.
        return [Part(result.file, 1 if shot.continues else 0, is_cut=not shot.continues) for shot, result in shown]

    def facts(joined: Joined) -> Mapping[str, object]:
        segments = [facts_of(result.job) for _, result in shown]
        return {"mode": "film", "segments": segments, **_numbers(joined), "made_with": MADE_WITH}

    description = "\n".join(shot.prompt for shot, _ in shown)
    file, joined = await join_once(session.home, identity, parts, facts, description, should_stop)
    numbers = _numbers(joined) if joined else await asyncio.to_thread(read, file) or {}
    return FilmResult(file, made.plan, made.takes, joined, numbers)
