"""The screening page: a film's shots, takes and costs in one HTML file that works offline and is fit to send.

It holds each clip as a smaller copy without metadata, and no key, URL or path.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ..jobs.pipeline.context import cost_of
from ..jobs.pipeline.provenance import clean
from ..models.money import dollars
from .plan import FilmPlan, PlannedTake, TakeState, make_plan

if TYPE_CHECKING:
    from ..jobs.session import Session
    from ..models import Cost
    from .requests import Film

_PAGE_BYTES = 36_000_000
"""Of all clips together, so that a page can be sent; base64 adds a third."""
_CLIP_BYTES = 1_000_000
_TEMPLATE = Path(__file__).with_suffix(".html")


@dataclass(frozen=True)
class ScreenedTake:
    """A take as the page shows it. ``clip`` is an MP4; None for a take that is not made."""

    planned: PlannedTake
    cost: Cost | None = None
    clip: bytes | None = None
    seconds: float = 0.0


async def screen_film(session: Session, film: Film, title: str) -> str:
    """The HTML of the screening page. Submits nothing: takes that are not made yet are shown without a clip.

    Raises the errors of :func:`make_plan`, and MediaError for a clip that cannot be read.
    """
    plan = await make_plan(session, film)
    count = sum(take.state is TakeState.MADE for take in plan.takes)
    max_bytes = min(_CLIP_BYTES, _PAGE_BYTES // max(1, count))
    takes = [await _screen_take(session, take, max_bytes) for take in plan.takes]
    return _page(title, plan, takes)


async def _screen_take(session: Session, take: PlannedTake, max_bytes: int) -> ScreenedTake:
    from ..media.mux.source_video import prepare_video

    if take.state is not TakeState.MADE or take.job is None:
        return ScreenedTake(take)
    await session.share(take.job.id)
    result = await session.resume(take.job.id)
    video = await asyncio.to_thread(prepare_video, result.file, max_bytes=max_bytes)
    return ScreenedTake(take, cost_of(result.job), video.blob.data, video.seconds)


def _page(title: str, plan: FilmPlan, takes: list[ScreenedTake]) -> str:
    shots = [list(group) for _, group in groupby(takes, key=lambda take: take.planned.number)]
    values = {
        "title": escape(title),
        "summary": escape(_summary(plan, shots)),
        "count": str(len(shots)),
        "shots": "\n".join(_shot(shot, plan) for shot in shots),
    }
    page = _TEMPLATE.read_text("utf-8")
    for name in ("title", "summary", "count", "shots"):  # the last may hold anything, and is not looked at again
        page = page.replace(f"{{{{{name}}}}}", values[name])
    return page


def _summary(plan: FilmPlan, shots: list[list[ScreenedTake]]) -> str:
    takes = [take for shot in shots for take in shot if take.clip is not None]
    used = [take for take in takes if take.planned.is_used]
    seconds = sum(take.seconds for take in used)
    parts = [f"{len(shots)} {'shot' if len(shots) == 1 else 'shots'}", f"{seconds:.1f} s"]
    if len(takes) > len(used):
        parts.append(f"{len(takes)} takes")
    if len(used) < len(shots):
        parts.append(f"{len(used)} of {len(shots)} made")
    costs = {take.planned.job.id: take.cost for take in takes if take.planned.job and take.cost}
    if plan.is_free:
        parts.append("draft, free")
    elif costs:
        total = sum((cost.usd for cost in costs.values()), Decimal(0))
        parts.append(dollars(total))
        if seconds:
            parts.append(f"{dollars(total / Decimal(str(seconds)))} per second kept")
    return " · ".join(parts)


def _shot(takes: list[ScreenedTake], plan: FilmPlan) -> str:
    planned = takes[0].planned
    how = "continues the shot before" if planned.shot.continues else "cut"
    kind = "shot has-takes" if len(takes) > 1 else "shot"
    figures = "\n".join(figure for take in takes for figure in _figure(take, plan, len(takes)))
    return (
        f'<li class="{kind}"><h2>Shot {planned.number} <span class="quiet">· {how}</span></h2>\n'
        f'<p class="prompt">{escape(str(clean(planned.shot.prompt)))}</p>\n<div class="takes">\n{figures}\n</div></li>'
    )


def _figure(take: ScreenedTake, plan: FilmPlan, count: int) -> Iterator[str]:
    planned = take.planned
    words = [f"Take {planned.take}"] if count > 1 or planned.take > 1 else []
    if take.clip is None:
        yield f"<figure><figcaption>{' · '.join([*words, escape(planned.state.value)])}</figcaption></figure>"
        return
    words.append(f"{take.seconds:.1f} s")
    if not plan.is_free and take.cost is not None:
        words.append(dollars(take.cost.usd))
    if count > 1 and planned.is_used:
        words.append('<span class="used">used</span>')
    label = f"Shot {planned.number}, take {planned.take}"
    used = f' data-shot="{planned.number}"' if planned.is_used else ""
    source = f"data:video/mp4;base64,{base64.b64encode(take.clip).decode()}"
    yield (
        f'<figure><video controls preload="metadata" playsinline aria-label="{label}"{used} src="{source}"></video>'
        f"<figcaption>{' · '.join(words)}</figcaption></figure>"
    )
