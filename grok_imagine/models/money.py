"""Money as values: limits, accounts, entries and sums, in exact US dollars."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)


@dataclass(frozen=True)
class Limits:
    """The most that may be spent, in US dollars; None is no limit. Days and months are those of the local clock."""

    per_run: Decimal | None = None
    per_day: Decimal | None = None
    per_month: Decimal | None = None

    def __bool__(self) -> bool:
        return any(limit is not None for limit in (self.per_run, self.per_day, self.per_month))


@dataclass(frozen=True)
class Account:
    """One job's money, in US dollars. ``charged_at`` is the moment that its spending counts to."""

    held: Decimal = ZERO
    spent: Decimal = ZERO
    charged_at: float | None = None
    run: str = ""


@dataclass(frozen=True)
class LedgerEntry:
    """One line of the ledger: by how much it changed what is held and what is spent, in US dollars."""

    job_id: str
    at: float
    kind: str
    held: Decimal
    spent: Decimal
    connection: str = ""


@dataclass(frozen=True)
class Totals:
    """What one span of time, or one run, has cost: ``spent`` is settled, ``pending`` may still come back."""

    spent: Decimal
    pending: Decimal

    @property
    def total(self) -> Decimal:
        """What counts against a limit."""
        return self.spent + self.pending


@dataclass(frozen=True)
class SpendSummary:
    """Where the money stands. ``unpriced`` counts this month's clips whose price nobody has told yet."""

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
    """An amount as plain decimal text; None where there is none."""
    return None if amount is None else f"{amount.normalize():f}"


def dollars(amount: Decimal) -> str:
    """An amount for people: two decimals, more where they mean something."""
    shown = amount.quantize(Decimal("0.0001")).normalize()
    digits = max(2, -int(shown.as_tuple().exponent))
    return f"${shown:.{digits}f}"


def _plain(found: Totals, limit: Decimal | None) -> dict[str, str | None]:
    left = None if limit is None else max(ZERO, limit - found.total)
    return {"spent": money(found.spent), "pending": money(found.pending), "left": money(left)}
