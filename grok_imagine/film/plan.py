"""Plans a film before anything is paid: which takes the journal has, which are new, and what those cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from ..errors import RequestError
from ..models import Cost, Job, JobState
from ..models.capability import sum_costs
from .requests import PLACEHOLDER, Film, ShotRequests, check_shots, draft_connection, frame_blob, prepare_requests
from .shots import Shot

if TYPE_CHECKING:
    from ..jobs.session import Session


class TakeState(str, Enum):
    """Where a take stands. Only NEW ones will be paid."""

    NEW = "new"
    MADE = "made"
    UNFINISHED = "in progress"
    UNKNOWN = "outcome unknown"
    REJECTED = "refused by moderation"


_STATES = {
    JobState.PREPARED: TakeState.NEW,
    JobState.SUBMITTING: TakeState.UNKNOWN,
    JobState.SUBMITTED: TakeState.UNFINISHED,
    JobState.SUCCEEDED: TakeState.UNFINISHED,
    JobState.SAVED: TakeState.MADE,
    JobState.FAILED: TakeState.REJECTED,
}


@dataclass(frozen=True)
class PlannedTake:
    """One take of shot ``number``. ``cost`` is its price; ``is_repeat``: it is the same clip as an earlier new one.

    ``has_draft`` says whether its draft is made, which is made on the sandbox.
    """

    number: int
    shot: Shot
    take: int
    state: TakeState
    cost: Cost | None
    job: Job | None = None
    is_repeat: bool = False
    has_draft: bool = False

    @property
    def is_used(self) -> bool:
        """Whether the film shows this take."""
        return self.take == self.shot.take

    @property
    def is_charged(self) -> bool:
        """Whether making the film submits it."""
        return self.state is TakeState.NEW and not self.is_repeat


@dataclass(frozen=True)
class FilmPlan:
    """What making a film will do. ``total`` is the price of all takes, ``new`` of those that will be submitted.

    Both are None if a price is not published.
    """

    takes: tuple[PlannedTake, ...]
    total: Cost | None
    new: Cost | None
    is_free: bool
    """Whether the connection is the sandbox: its prices are those of the provider that it stands for."""

    @property
    def new_count(self) -> int:
        """How many clips will be submitted."""
        return sum(take.is_charged for take in self.takes)

    @property
    def text(self) -> str:
        """The plan in one line."""
        shots = len({take.number for take in self.takes})
        takes = f", {len(self.takes)} takes" if len(self.takes) != shots else ""
        whole = f"{shots} {'shot' if shots == 1 else 'shots'}{takes}"
        new = f"{self.new_count} new" if self.new_count else "nothing new"
        if not self.new_count:
            return f"{whole}: {new}, nothing to pay"
        price = "see the provider for the price" if self.new is None else str(self.new)
        where = "free here; elsewhere " if self.is_free and self.new is not None else ""
        total = "" if self.total is None or self.total == self.new else f" of {self.total} in total"
        return f"{whole}: {new}, {where}{price}{total}"

    def check_limit(self, max_usd: Decimal | None) -> None:
        """Raise RequestError if the new takes cost more than ``max_usd``, or if that is not known."""
        if max_usd is None or not self.new_count:
            return
        if self.new is None:
            raise RequestError(
                "Your spending limit cannot be checked: the connection publishes no prices. Set assumed_usd_per_second "
                "or assumed_usd_per_clip for it in the settings. Nothing was sent or charged."
            )
        if self.new.usd > max_usd:
            raise RequestError(
                f"The new shots cost {self.new}, more than your limit of ${max_usd}. Nothing was sent or charged."
            )


async def make_plan(session: Session, film: Film, requests: ShotRequests | None = None) -> FilmPlan:
    """Check every shot and look all takes up in the journal. Raises one RequestError with the faults of all shots.

    Nothing is submitted. A clip of the journal that is missing on this machine is downloaded if a shot continues it.
    """
    requests = requests or await prepare_requests(session, film)
    costs = check_shots(session, film, requests)
    name = requests.connection.name
    takes = await _look_up(session, film.list.shots, requests, costs, name)
    if requests.connection.sandbox_url is None:
        drafts = await _look_up(session, film.list.shots, requests, costs, draft_connection(session, name))
        takes = [
            replace(take, has_draft=draft.state is TakeState.MADE) for take, draft in zip(takes, drafts, strict=True)
        ]
    total, new = _sum(take for take in takes if not take.is_repeat), _sum(take for take in takes if take.is_charged)
    return FilmPlan(tuple(takes), total, new, requests.connection.sandbox_url is not None)


def _sum(takes: Iterable[PlannedTake]) -> Cost | None:
    return sum_costs([take.cost for take in takes])


async def _look_up(
    session: Session, shots: Sequence[Shot], requests: ShotRequests, costs: list[Cost | None], connection: str
) -> list[PlannedTake]:
    """What the journal has of each take, made on ``connection``."""
    planned: list[PlannedTake] = []
    seen: set[str] = set()
    previous: PlannedTake | None = None
    previous_key = ""
    for number, (shot, cost) in enumerate(zip(shots, costs, strict=True), 1):
        frame = None
        if shot.continues and previous is not None and previous.job is not None and previous.state is TakeState.MADE:
            await session.share(previous.job.id)  # whoever made it, it is this user's clip too
            frame = await frame_blob(session, (await session.resume(previous.job.id)).file)
        used, used_key = None, ""
        for take in shot.made_takes:
            is_known = frame is not None or not shot.continues
            request = requests.build(shot, take, frame if is_known else PLACEHOLDER)
            # Of a clip that is not made yet, what it will be made from tells it apart from others.
            key = request.fingerprint() if is_known else f"{previous_key}>{request.fingerprint()}"
            job = await session.find(request, connection) if is_known else None
            state = _STATES[job.state] if job else TakeState.NEW
            made = PlannedTake(number, shot, take, state, cost, job, is_repeat=key in seen)
            seen.add(key)
            planned.append(made)
            if made.is_used:
                used, used_key = made, key
        previous, previous_key = used, used_key
    return planned
