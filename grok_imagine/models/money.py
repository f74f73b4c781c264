"""Limits, accounts, ledger entries and totals, in exact US dollars."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)


@dataclass(frozen=True)
class Limits:
    """Spending limits in US dollars; None is no limit. Days and months are in local time."""

    per_run: Decimal | None = None
    per_day: Decimal | None = None
    per_month: Decimal | None = None

    def __bool__(self) -> bool:
        return any(limit is not None for limit in (self.per_run, self.per_day, self.per_month))


@dataclass(frozen=True)
class Account:
    """What a job has reserved (``held``) and cost (``spent``), in US dollars.

    The cost counts for the day of ``charged_at`` (Unix seconds).
    """

    held: Decimal = ZERO
    spent: Decimal = ZERO
    charged_at: float | None = None
    run: str = ""


@dataclass(frozen=True)
class LedgerEntry:
    """One entry of the ledger: the changes of what is held and spent, in US dollars. ``at`` is in Unix seconds."""

    job_id: str
    at: float
    kind: str
    held: Decimal
    spent: Decimal
    connection: str = ""


@dataclass(frozen=True)
class Totals:
    """The cost of one span of time or one run: ``spent`` is final, ``pending`` may be refunded."""

    spent: Decimal
    pending: Decimal

    @property
    def total(self) -> Decimal:
        """What counts against a limit."""
        return self.spent + self.pending


@dataclass(frozen=True)
class SpendSummary:
    """The spending of today and this month. ``unpriced`` is this month's number of clips of unknown price."""

    today: Totals
    month: Totals
    limits: Limits
    unpriced: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; amounts are decimal text in US dollars."""
        return {
            "today": _plain(self.today, self.limits.per_day),
            "month": _plain(self.month, self.limits.per_month),
            "pending": money(self.month.pending),
            "limits": {
                "per_run": money(self.limits.per_run),
                "per_day": money(self.limits.per_day),
                "per_month": money(self.limits.per_month),
            },
            "unpriced_clips": self.unpriced,
        }


def money(amount: Decimal | None) -> str | None:
    """An amount as decimal text, or None."""
    return None if amount is None else f"{amount.normalize():f}"


def dollars(amount: Decimal) -> str:
    """An amount as text for users, with two to four decimals."""
    rounded = amount.quantize(Decimal("0.0001")).normalize()
    digits = max(2, -int(rounded.as_tuple().exponent))
    return f"${rounded:.{digits}f}"


def _plain(totals: Totals, limit: Decimal | None) -> dict[str, str | None]:
    left = None if limit is None else max(ZERO, limit - totals.total)
    return {"spent": money(totals.spent), "pending": money(totals.pending), "left": money(left)}
