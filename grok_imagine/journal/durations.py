"""How long jobs took, from this journal's history, as an estimate for the next one."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass

import sqlalchemy as sa

from ..models import JobState
from .journal import Journal
from .schema import jobs

_MOST_CLIPS = 500
"""How many of the newest clips are read."""
_MOST_PER_GROUP = 20
"""How many count for one connection, model and mode. Only recent ones, as providers' speeds change."""


@dataclass(frozen=True)
class DurationStats:
    """Seconds from submit to saved file, for the newest clips of one connection, model and mode.

    ``low`` and ``high`` are the 10th and 90th percentile.
    """

    connection: str
    model: str
    mode: str
    count: int
    median: float
    low: float
    high: float


async def duration_stats(journal: Journal) -> list[DurationStats]:
    """Durations of the newest finished clips. Raises JournalError.

    Clips that were downloaded later by hand count too; a few of them do not change the median.
    """

    def read(connection: sa.Connection) -> list[tuple[str, str, str, float]]:
        took = jobs.c.finished_at - jobs.c.submitted_at
        query = (
            sa.select(jobs.c.connection, jobs.c.model, jobs.c.mode, took)
            .where((jobs.c.state == JobState.SAVED.value) & jobs.c.submitted_at.is_not(None) & (took >= 0))
            .order_by(jobs.c.created_at.desc())
            .limit(_MOST_CLIPS)
        )
        return [(row[0], row[1], row[2], float(row[3])) for row in connection.execute(query)]

    durations = defaultdict[tuple[str, str, str], list[float]](list)
    for name, model, mode, seconds in await journal.transaction(read):
        if mode and len(durations[name, model, mode]) < _MOST_PER_GROUP:
            durations[name, model, mode].append(seconds)
    return [DurationStats(*key, len(seconds), *_median_and_range(seconds)) for key, seconds in durations.items()]


def _median_and_range(seconds: list[float]) -> tuple[float, float, float]:
    if len(seconds) < 2:
        return seconds[0], seconds[0], seconds[0]
    tenths = statistics.quantiles(seconds, n=10, method="inclusive")
    return statistics.median(seconds), tenths[0], tenths[-1]
