"""Where bills differ from estimates: the newest bill of each connection and model, from this journal's own jobs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa

from ..models import JobState
from .journal import Journal
from .schema import jobs

_MOST_JOBS = 500
"""How many of the newest billed jobs are read."""
_TOLERANCE = Decimal("0.01")


@dataclass(frozen=True)
class PriceDrift:
    """The newest bill of a connection and model that is more than one percent off its estimate."""

    connection: str
    model: str
    estimate_usd: Decimal
    billed_usd: Decimal

    @property
    def percent(self) -> int:
        """The bill, in percent of the estimate."""
        return round(100 * self.billed_usd / self.estimate_usd)

    def __str__(self) -> str:
        return f"the last bill for {self.model} was {self.percent} % of its estimate"


async def price_drifts(journal: Journal) -> list[PriceDrift]:
    """Every drift. A bill that agrees again ends one. Raises JournalError."""

    def read(connection: sa.Connection) -> list[PriceDrift]:
        columns = (jobs.c.connection, jobs.c.model, jobs.c.estimate_usd, jobs.c.billed_usd)
        query = (
            sa.select(*columns)
            .where((jobs.c.state == JobState.SAVED.value) & (jobs.c.billed_usd > 0) & (jobs.c.estimate_usd > 0))
            .order_by(jobs.c.finished_at.desc())
            .limit(_MOST_JOBS)
        )
        return [PriceDrift(*row) for row in connection.execute(query)]

    newest: dict[tuple[str, str], PriceDrift] = {}
    for one in await journal.transaction(read):
        newest.setdefault((one.connection, one.model), one)
    return [one for one in newest.values() if abs(one.billed_usd / one.estimate_usd - 1) > _TOLERANCE]
