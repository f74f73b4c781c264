"""What a chain will do and cost, told before anything is sent: its segments checked, priced and identified."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RequestError, Violation
from ..models import Blob, Cost, Mode, VideoRequest
from ..models.capability import sum_costs

if TYPE_CHECKING:
    from ..jobs.connections import Connection
    from ..jobs.session import Session

TAIL_SECONDS = 8
"""How much of the end a dialect that extends is shown. xAI takes 2 to 15 s, and the gateway bills these seconds."""
LEAST_TAIL_SECONDS = 2.0
MOST_SEGMENTS = 100


@dataclass(frozen=True)
class Chain:
    """The wish: how the clip at ``source`` goes on, one prompt a segment.

    ``base`` has what the segments share: model, resolution, duration_seconds, motion_mode, seed. Its mode is EXTEND
    or IMAGE (go on from the last frame), or None to extend where the connection can.
    """

    connection: str
    source: Path
    prompts: tuple[str, ...]
    base: VideoRequest


@dataclass(frozen=True)
class ChainPlan:
    """What will be done and what it costs, before anything is sent. ``total`` is None without published prices."""

    mode: Mode
    base: VideoRequest
    digests: tuple[str, ...]
    """The identity of each segment: the source, the choices, and every prompt up to its own."""
    total: Cost | None

    @property
    def text(self) -> str:
        """The plan in words."""
        count = len(self.digests)
        segments = "1 segment" if count == 1 else f"{count} segments"
        how = "extended" if self.mode is Mode.EXTEND else "continued from the last frame"
        price = "price: see the provider's page" if self.total is None else f"{self.total} in all"
        return f"{segments}, {how}: {price}"


async def plan(session: Session, chain: Chain) -> ChainPlan:
    """Check every segment and add up the price. Raises one RequestError that names every fault of every segment."""
    from ..media.probe import probe

    if not 1 <= len(chain.prompts) <= MOST_SEGMENTS:
        raise RequestError(f"Give 1 to {MOST_SEGMENTS} prompts, one a segment; got {len(chain.prompts)}.")
    connection = await session.connect(chain.connection)
    facts = await asyncio.to_thread(probe, chain.source)
    mode = chain.base.mode or _mode(connection, facts.duration)
    base = chain.base.model_copy(update={"mode": mode})
    if mode is Mode.IMAGE and base.resolution is None:
        base = base.model_copy(update={"resolution": _tier(connection, base, min(facts.width, facts.height))})
    drafts = [_draft(base, prompt, facts.duration) for prompt in chain.prompts]
    faults: list[Violation] = []
    costs: list[Cost | None] = []
    for number, draft in enumerate(drafts, 1):
        try:
            checked = session.check(draft, connection)
            costs.append(connection.provider.estimate(draft, checked.capability))
        except RequestError as error:
            faults += [replace(one, field=f"segment {number}, {one.field}") for one in error.violations]
    if faults:
        raise RequestError(f"{connection.provider.label} cannot do this; nothing was sent or charged.", faults)
    content = await asyncio.to_thread(_hash_of, chain.source)
    digests = tuple(_digests(connection, base, content, chain.prompts))
    return ChainPlan(mode, base, digests, sum_costs(costs))


def _mode(connection: Connection, seconds: Fraction) -> Mode:
    offered = {one.mode for one in connection.provider.capabilities}
    can_extend = Mode.EXTEND in offered and seconds >= LEAST_TAIL_SECONDS
    return Mode.EXTEND if can_extend or Mode.IMAGE not in offered else Mode.IMAGE


def _tier(connection: Connection, base: VideoRequest, side: int) -> str | None:
    """The resolution nearest to the source's, so that the film need not be scaled."""
    tiers = next(
        (
            one.resolutions
            for one in connection.provider.capabilities
            if one.mode is Mode.IMAGE and base.model in (None, one.model)
        ),
        (),
    )
    return min(tiers, key=lambda tier: abs(int(tier.rstrip("p")) - side), default=None)


def _draft(base: VideoRequest, prompt: str, seconds: Fraction) -> VideoRequest:
    """A segment's request with stand-ins for what the segment before will give."""
    if base.mode is Mode.EXTEND:
        shown = min(float(seconds), float(TAIL_SECONDS))
        stand_ins: dict[str, Any] = {"source_video": Blob(b"", "video/mp4"), "source_seconds": shown}
    else:
        stand_ins = {"reference_images": (Blob(b"", "image/png"),)}
    return base.model_copy(update={"prompt": prompt, **stand_ins})


def _digests(connection: Connection, base: VideoRequest, content: str, prompts: tuple[str, ...]) -> Iterator[str]:
    same = [connection.name, connection.provider.name, base.as_json(), content]
    for number in range(1, len(prompts) + 1):
        yield hashlib.sha256(json.dumps([*same, prompts[:number]], sort_keys=True).encode()).hexdigest()


def _hash_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
