"""``grok-imagine budget``: what was spent, what is pending, the limits, and the newest ledger entries."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.table import Table

from ..batch.rows import MAX_ROWS
from ..jobs import Session
from ..models.money import LedgerEntry, SpendSummary, Totals, dollars, money
from . import console
from .session import AsJson, Home, with_session


def budget(
    limit: Annotated[int, typer.Option(min=0, max=MAX_ROWS, help="How many ledger entries to show.")] = 15,
    job: Annotated[str | None, typer.Option(help="Only entries of this job.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Show what you spent today and this month, what is pending, your limits, and the newest ledger entries."""

    async def work(session: Session) -> tuple[SpendSummary, list[LedgerEntry]]:
        return await session.spend_summary(), await session.journal.ledger.entries(job_id=job, limit=limit)

    with console.report_errors(as_json):
        spend, entries = with_session(home, work)
        if as_json:
            console.print_json({**spend.as_json(), "entries": [_entry_as_json(entry) for entry in entries]})
            return
        console.out.print(_totals_table(spend))
        if spend.limits.per_run is not None:
            console.out.print(f"Limit per run: {dollars(spend.limits.per_run)}")
        if not spend.limits:
            console.out.print('No spending limit is set. See "budget" in the README.')
        if spend.unpriced:
            console.out.print(f"Not included: {spend.unpriced} clips this month with an unknown price.")
        if entries:
            console.out.print(_entries_table(entries))


def _totals_table(spend: SpendSummary) -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("", "spent", "pending", "limit", "left"):
        table.add_column(name, justify="left" if not name else "right")
    rows = (("today", spend.today, spend.limits.per_day), ("this month", spend.month, spend.limits.per_month))
    for name, totals, limit in rows:
        table.add_row(name, dollars(totals.spent), dollars(totals.pending), *_limit_and_left(totals, limit))
    return table


def _limit_and_left(totals: Totals, limit: Decimal | None) -> tuple[str, str]:
    if limit is None:
        return "none", ""
    return dollars(limit), dollars(max(Decimal(0), limit - totals.total))


def _entries_table(entries: list[LedgerEntry]) -> Table:
    table = Table(box=None, header_style="bold", title_justify="left")
    for name in ("when", "job", "connection", "entry", "held", "spent"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("held", "spent") else "left")
    for entry in entries:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.at))
        table.add_row(when, entry.job_id, entry.connection, entry.kind, _signed(entry.held), _signed(entry.spent))
    return table


def _signed(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else '+'}{dollars(abs(amount))}" if amount else ""


def _entry_as_json(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "job_id": entry.job_id,
        "connection": entry.connection,
        "kind": entry.kind,
        "held_usd": money(entry.held),
        "spent_usd": money(entry.spent),
    }
