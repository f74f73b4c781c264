"""The command that says where the money stands: spent, pending, the limits, and the ledger's last lines."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.table import Table

from ..jobs import Session
from ..models.money import LedgerEntry, SpendSummary, Totals, dollars, money
from . import console
from .session import AsJson, Home, with_session


def budget(
    limit: Annotated[int, typer.Option(min=0, help="How many lines of the ledger.")] = 15,
    job: Annotated[str | None, typer.Option(help="Only the lines of this job.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Print what was spent today and this month, what is pending, the limits, and the ledger's newest lines."""

    async def work(session: Session) -> tuple[SpendSummary, list[LedgerEntry]]:
        return await session.spend(), await session.journal.ledger.entries(job_id=job, limit=limit)

    with console.report_errors(as_json):
        spend, entries = with_session(home, work)
        if as_json:
            console.print_json({**spend.as_json(), "entries": [_plain(one) for one in entries]})
            return
        console.out.print(_sums(spend))
        if spend.limits.per_run is not None:
            console.out.print(f"At most {dollars(spend.limits.per_run)} in one run.")
        if not spend.limits:
            console.out.print('No limit is set; see "budget" in the README.')
        if spend.unpriced:
            console.out.print(f"{spend.unpriced} clips of this month are not in these sums: their price is not known.")
        if entries:
            console.out.print(_lines(entries))


def _sums(spend: SpendSummary) -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("", "spent", "pending", "limit", "left"):
        table.add_column(name, justify="left" if not name else "right")
    rows = (("today", spend.today, spend.limits.per_day), ("this month", spend.month, spend.limits.per_month))
    for name, found, limit in rows:
        table.add_row(name, dollars(found.spent), dollars(found.pending), *_against(found, limit))
    return table


def _against(found: Totals, limit: Decimal | None) -> tuple[str, str]:
    if limit is None:
        return "none", ""
    return dollars(limit), dollars(max(Decimal(0), limit - found.total))


def _lines(entries: list[LedgerEntry]) -> Table:
    table = Table(box=None, header_style="bold", title_justify="left")
    for name in ("when", "job", "connection", "entry", "held", "spent"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("held", "spent") else "left")
    for one in entries:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.at))
        table.add_row(when, one.job_id, one.connection, one.kind, _signed(one.held), _signed(one.spent))
    return table


def _signed(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else '+'}{dollars(abs(amount))}" if amount else ""


def _plain(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "job_id": entry.job_id,
        "connection": entry.connection,
        "kind": entry.kind,
        "held_usd": money(entry.held),
        "spent_usd": money(entry.spent),
    }
