"""``grok-imagine price``: the same clip at every connection, side by side. Nothing is sent."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from ..jobs.failover import Quote, quotes
from ..models import Mode, VideoRequest
from ..settings import load
from . import console
from .session import AsJson, Home, default_home


def price(
    duration: Annotated[int | None, typer.Option("--duration", "-d", help="Whole seconds.")] = None,
    resolution: Annotated[str | None, typer.Option("--resolution", "-r", help="480p, 720p …")] = None,
    aspect_ratio: Annotated[str | None, typer.Option("--aspect-ratio", "-a", help="16:9, 9:16, 1:1 …")] = None,
    images: Annotated[int, typer.Option(min=0, max=7, help="With so many images.")] = 0,
    mode: Annotated[Mode | None, typer.Option(help="Else the inputs decide.")] = None,
    source_seconds: Annotated[float | None, typer.Option(help="To edit or extend: the source's length.")] = None,
    model: Annotated[str | None, typer.Option(help="Else each connection's usual one.")] = None,
    motion_mode: Annotated[str | None, typer.Option(help="fun, normal or spicy.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Compare what a clip would cost at each connection, and say which cannot make it, and why."""
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
        found = quotes(load(home or default_home()), request)
        if as_json:
            console.print_json([one.as_json for one in found])
        else:
            console.out.print(_table(found))


def _table(found: list[Quote]) -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("connection", "price", "key", "what to know"):
        table.add_column(name, no_wrap=name != "what to know")
    for one in found:
        cost = "cannot" if one.fault else str(one.cost) if one.cost else "not published"
        told = one.fault or one.note or ("by your own figure" if one.is_assumed else "")
        table.add_row(one.connection, cost, "yes" if one.has_key else "none yet", told)
    return table
