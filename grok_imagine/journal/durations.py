"""How long jobs took: what to expect of the next one, from this user's own history."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass

import sqlalchemy as sa

from ..models import JobState
from .journal import Journal
from .schema import jobs

_NEWEST = 500
"""How many of the newest clips are looked at."""
_EACH = 20
"""How many of them count for one connection and mode: providers get faster and slower."""


@dataclass(frozen=True)
class DurationStats:
    """Seconds from the submit to the file, of the newest clips of one connection, model and mode.

    ``median``, and ``low`` and ``high``, between which most of them lie (the middle eight of ten).
    """

    connection: str
    model: str
    mode: str
    count: int
    median: float
    low: float
    high: float


async def duration_stats(journal: Journal) -> list[DurationStats]:
    """What the newest finished clips took. Clips that were fetched later, by hand, are not told from the others:
    the median is not moved by a few of them. Raises JournalError."""

    def ask(connection: sa.Connection) -> list[tuple[str, str, str, float]]:
        took = jobs.c.finished_at - jobs.c.submitted_at
        query = (
            sa.select(jobs.c.connection, jobs.c.model, jobs.c.mode, took)
            .where((jobs.c.state == JobState.SAVED.value) & jobs.c.submitted_at.is_not(None) & (took >= 0))
            .order_by(jobs.c.created_at.desc())
            .limit(_NEWEST)
        )
        return [(row[0], row[1], row[2], float(row[3])) for row in connection.execute(query)]

    taken = defaultdict[tuple[str, str, str], list[float]](list)
    for name, model, mode, seconds in await journal.transaction(ask):
        if mode and len(taken[name, model, mode]) < _EACH:
            taken[name, model, mode].append(seconds)
    return [DurationStats(*key, len(found), *_spread(found)) for key, found in taken.items()]


def _spread(seconds: list[float]) -> tuple[float, float, float]:
    if len(seconds) < 2:
        return seconds[0], seconds[0], seconds[0]
    tenths = statistics.quantiles(seconds, n=10, method="inclusive")
    return statistics.median(seconds), tenths[0], tenths[-1]
