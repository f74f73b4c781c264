"""``grok-imagine price``: compares the price of a clip on every connection. Sends nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..jobs.failover import Quote, quotes
from ..journal.database import FILE_NAME
from ..journal.price_drift import price_drifts
from ..models import Mode, VideoRequest
from ..settings import load
from . import console
from .session import AsJson, Home, default_home, with_session


def price(
    duration: Annotated[int | None, typer.Option("--duration", "-d", help="Length in whole seconds.")] = None,
    resolution: Annotated[str | None, typer.Option("--resolution", "-r", help="480p, 720p …")] = None,
    aspect_ratio: Annotated[str | None, typer.Option("--aspect-ratio", "-a", help="16:9, 9:16, 1:1 …")] = None,
    images: Annotated[int, typer.Option(min=0, max=7, help="Number of images.")] = 0,
    mode: Annotated[Mode | None, typer.Option(help="Default: chosen from the inputs.")] = None,
    source_seconds: Annotated[float | None, typer.Option(help="For edit and extend: the source's length.")] = None,
    model: Annotated[str | None, typer.Option(help="Default: each connection's default model.")] = None,
    motion_mode: Annotated[str | None, typer.Option(help="fun, normal or spicy.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Compare the price of a clip on each connection, and show which ones cannot make it and why."""
    with console.report_errors(as_json):
        takes_video = mode in (Mode.EDIT, Mode.EXTEND)
        request = VideoRequest(
            mode=mode,
            model=model,
            prompt="a price",
            resolution=resolution,
            aspect_ratio=aspect_ratio,
            duration_seconds=duration,
            motion_mode=motion_mode,
            reference_images=("https://example.com/image.png",) * images,
            source_video="https://example.com/source.mp4" if takes_video else None,
            source_seconds=source_seconds if takes_video else None,
        )
        folder = home or default_home()
        drifts = with_session(home, lambda session: price_drifts(session.journal)) if _has_journal(folder) else []
        said = {(one.connection, one.model): f"{one}; see the provider's prices" for one in drifts}
        quoted = [
            replace(one, note="; ".join(filter(None, (one.note, said.get((one.connection, one.model))))))
            for one in quotes(load(folder), request)
        ]
        if as_json:
            console.print_json([quote.as_json for quote in quoted])
        else:
            console.out.print(_table(quoted))


def _has_journal(folder: Path) -> bool:
    """Comparing prices creates no journal."""
    return load(folder).database_url is not None or (folder / FILE_NAME).exists()


def _table(quoted: list[Quote]) -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("connection", "price", "key", "note"):
        table.add_column(name, no_wrap=name != "note")
    for quote in quoted:
        cost = "not supported" if quote.fault else str(quote.cost) if quote.cost else "not published"
        remark = quote.fault or quote.note or ("your own assumption" if quote.is_assumed else "")
        table.add_row(quote.connection, cost, "yes" if quote.has_key else "none yet", remark)
    return table
