"""Plans a chain before anything is sent: checks, prices and identifies its segments."""

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
from ..jobs.new_job import estimate_cost
from ..models import Blob, Cost, Mode, VideoRequest
from ..models.capability import sum_costs

if TYPE_CHECKING:
    from ..jobs.connections import Connection
    from ..jobs.session import Session

TAIL_SECONDS = 8
"""Seconds of the previous clip that are sent for an extension. xAI accepts 2 to 15 s; the gateway bills them."""
MIN_TAIL_SECONDS = 2.0
MAX_SEGMENTS = 100


@dataclass(frozen=True)
class Chain:
    """How to continue the clip at ``source``, with one prompt per segment.

    ``base`` has the options that the segments share: model, resolution, duration_seconds, motion_mode, seed. Its mode
    is EXTEND, IMAGE (continue from the last frame), or None to extend if the connection supports it.
    """

    connection: str
    source: Path
    prompts: tuple[str, ...]
    base: VideoRequest


@dataclass(frozen=True)
class ChainPlan:
    """What a chain will do. ``total`` is its cost, None without published prices."""

    mode: Mode
    base: VideoRequest
    digests: tuple[str, ...]
    """A digest per segment, of the source, the options, and all prompts up to its own."""
    total: Cost | None

    @property
    def text(self) -> str:
        """The plan as a text for users."""
        count = len(self.digests)
        segments = "1 segment" if count == 1 else f"{count} segments"
        how = "extended" if self.mode is Mode.EXTEND else "continued from the last frame"
        price = "see the provider for the price" if self.total is None else f"{self.total} in total"
        return f"{segments}, {how}: {price}"


async def make_plan(session: Session, chain: Chain) -> ChainPlan:
    """Check every segment and add up the price. Raises one RequestError with the faults of all segments."""
    from ..media.probe import probe

    if not 1 <= len(chain.prompts) <= MAX_SEGMENTS:
        raise RequestError(f"Enter 1 to {MAX_SEGMENTS} prompts, one per segment. You entered {len(chain.prompts)}.")
    connection = await session.connect(chain.connection)
    facts = await asyncio.to_thread(probe, chain.source)
    mode = chain.base.mode or _choose_mode(connection, facts.duration)
    base = chain.base.model_copy(update={"mode": mode})
    if mode is Mode.IMAGE and base.resolution is None:
        base = base.model_copy(
            update={"resolution": _nearest_resolution(connection, base, min(facts.width, facts.height))}
        )
    drafts = [_draft_request(base, prompt, facts.duration) for prompt in chain.prompts]
    faults: list[Violation] = []
    costs: list[Cost | None] = []
    for number, draft in enumerate(drafts, 1):
        try:
            checked = session.check(draft, connection)
            costs.append(estimate_cost(draft, connection, checked))
        except RequestError as error:
            faults += [replace(fault, field=f"segment {number}, {fault.field}") for fault in error.violations]
    if faults:
        raise RequestError(
            f"{connection.provider.label} does not support this request. Nothing was sent or charged.", faults
        )
    content = await asyncio.to_thread(_hash_file, chain.source)
    digests = tuple(_digests(connection, base, content, chain.prompts))
    return ChainPlan(mode, base, digests, sum_costs(costs))


def _choose_mode(connection: Connection, seconds: Fraction) -> Mode:
    offered = {capability.mode for capability in connection.provider.capabilities}
    can_extend = Mode.EXTEND in offered and seconds >= MIN_TAIL_SECONDS
    return Mode.EXTEND if can_extend or Mode.IMAGE not in offered else Mode.IMAGE


def _nearest_resolution(connection: Connection, base: VideoRequest, side: int) -> str | None:
    """The resolution nearest to the source's, so that little scaling is needed."""
    tiers = next(
        (
            capability.resolutions
            for capability in connection.provider.capabilities
            if capability.mode is Mode.IMAGE and base.model in (None, capability.model)
        ),
        (),
    )
    return min(tiers, key=lambda tier: abs(int(tier.rstrip("p")) - side), default=None)


def _draft_request(base: VideoRequest, prompt: str, seconds: Fraction) -> VideoRequest:
    """A segment's request with placeholders for the output of the previous segment."""
    if base.mode is Mode.EXTEND:
        source_seconds = min(float(seconds), float(TAIL_SECONDS))
        placeholders: dict[str, Any] = {"source_video": Blob(b"", "video/mp4"), "source_seconds": source_seconds}
    else:
        placeholders = {"reference_images": (Blob(b"", "image/png"),)}
    return base.model_copy(update={"prompt": prompt, **placeholders})


def _digests(connection: Connection, base: VideoRequest, content: str, prompts: tuple[str, ...]) -> Iterator[str]:
    shared = [connection.name, connection.provider.name, base.as_json(), content]
    for number in range(1, len(prompts) + 1):
        yield hashlib.sha256(json.dumps([*shared, prompts[:number]], sort_keys=True).encode()).hexdigest()


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
