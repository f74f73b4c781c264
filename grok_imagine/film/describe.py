"""A film's plan and result as JSON, for the node and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..jobs.pipeline.context import cost_of
from ..jobs.pipeline.provenance import clean
from ..models.money import ZERO, money
from .plan import FilmPlan, PlannedTake

if TYPE_CHECKING:
    from ..models import Cost
    from .run import FilmResult, MadeTake


def plan_as_json(plan: FilmPlan) -> dict[str, object]:
    """The plan: every take with its state and price, and the sums."""
    return {
        "plan": plan.text,
        "new": plan.new_count,
        "new_usd": _usd(plan.new),
        "total_usd": _usd(plan.total),
        "is_free": plan.is_free,
        "takes": [_planned(take) for take in plan.takes],
    }


def film_as_json(made: FilmResult, file: str) -> dict[str, object]:
    """The film and the cost of each take. ``file`` is where the film is."""
    costs = {take.result.job.id: cost_of(take.result.job) for take in made.takes if take.result is not None}
    return {
        "plan": made.plan.text,
        "file": file,
        "frames": made.numbers.get("frames"),
        "seconds": made.numbers.get("seconds"),
        "cost_usd": money(sum((cost.usd for cost in costs.values() if cost is not None), start=ZERO)),
        "seams": made.numbers.get("seams"),
        "takes": [_made(take) for take in made.takes],
    }


def _planned(take: PlannedTake) -> dict[str, object]:
    shot = take.shot
    return {
        "shot": take.number,
        "line": shot.line,
        "take": take.take,
        "is_used": take.is_used,
        "transition": "continue" if shot.continues else "cut",
        "prompt": clean(shot.prompt),
        "state": take.state.value,
        "has_draft": take.has_draft,
        "is_charged": take.is_charged,
        "price_usd": _usd(take.cost),
        "job_id": take.job.id if take.job else None,
    }


def _made(take: MadeTake) -> dict[str, object]:
    cost = cost_of(take.result.job) if take.result else None
    return {
        **_planned(take.planned),
        "state": "made" if take.result else "failed",
        "job_id": take.result.job.id if take.result else None,
        "cost_usd": _usd(cost),
        "cost_is_estimate": cost.is_estimate if cost else None,
        "file": str(take.result.file) if take.result else None,
        "error": take.error,
    }


def _usd(cost: Cost | None) -> str | None:
    return money(cost.usd) if cost else None
