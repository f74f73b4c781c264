"""``grok-imagine film FILE``: makes and joins the shots of a list. Run it again to continue, or after a change."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ...film.describe import film_as_json, plan_as_json
from ...film.edit_list import edit_list
from ...film.plan import FilmPlan, make_plan
from ...film.requests import Film
from ...film.run import FilmResult, run_film
from ...jobs import Session
from ...models import VideoRequest
from ...models.money import dollars
from .. import console
from ..batch import parse_dollars
from ..output import check_file, copy_clip
from ..session import AsJson, Home, with_session
from . import options

_WIDTH = 60
"""Characters of a prompt in the plan."""


def film(
    file: options.ShotFile,
    connection: options.Connection = "sandbox",
    duration: options.Seconds = None,
    resolution: options.Resolution = None,
    aspect_ratio: options.Ratio = None,
    model: options.Model = None,
    motion_mode: options.Motion = None,
    seed: options.Seed = 0,
    cast: options.CastNames = None,
    draft: options.Draft = False,
    at_once: Annotated[int, typer.Option(help="How many clips to make at the same time (1-50).")] = 4,
    max_usd: Annotated[str | None, typer.Option(help="Spending limit for the new shots, in US dollars.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check every shot and print the plan and its price. Sends nothing.")
    ] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="The joined film.")] = Path("film.mp4"),
    edit: Annotated[
        Path | None, typer.Option("--edit-list", help="Also write an OpenTimelineIO edit list (.otio).")
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Make a film from a shot list. Only shots that are new or changed are made; you won't pay for a shot twice.

    A shot is a prompt, with options in brackets before it: [continue, 8s] starts from the last frame of the shot
    before. The plan with its price is printed first.
    """
    base = VideoRequest(
        model=model,
        resolution=resolution,
        aspect_ratio=aspect_ratio,
        duration_seconds=duration,
        motion_mode=motion_mode,
        seed=seed,
    )

    with console.report_errors(as_json):
        limit = parse_dollars(max_usd)
        spec = options.read_film(file, connection, base, cast, draft)
        if dry_run:
            plan = with_session(home, lambda session: make_plan(session, spec))
            _print_plan(plan, as_json)
            plan.check_limit(limit)
            return
        check_file("--output", output)
        check_file("--edit-list", edit)
        made = with_session(home, lambda session: _make(session, spec, at_once, limit))
        copy_clip(made.file, output)
        if edit is not None:
            edit.write_text(edit_list(made), "utf-8")
        if as_json:
            console.print_json(film_as_json(made, str(output)))
        else:
            console.out.print(str(output), soft_wrap=True)


async def _make(session: Session, spec: Film, at_once: int, limit: Decimal | None) -> FilmResult:
    def on_plan(plan: FilmPlan) -> None:
        console.err.print(plan.text, style="bold")

    def on_change(text: str) -> None:
        console.err.print(text, style="dim")

    return await run_film(session, spec, at_once=at_once, max_usd=limit, on_plan=on_plan, on_change=on_change)


def _print_plan(plan: FilmPlan, as_json: bool) -> None:
    if as_json:
        console.print_json(plan_as_json(plan))
        return
    has_takes, has_drafts = any(take.shot.takes for take in plan.takes), any(take.has_draft for take in plan.takes)
    table = Table(box=None, header_style="bold")
    names = ("shot", "line", *(["take"] if has_takes else []), *(["draft"] if has_drafts else []), "state", "price", "")
    for name in (*names, "prompt"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for take in plan.takes:
        shot = take.shot
        state = "same as an earlier shot" if take.is_repeat else take.state.value
        cells = [str(take.number), str(shot.line)]
        cells += [f"{take.take}{' (used)' if take.is_used else ''}"] if has_takes else []
        cells += ["made" if take.has_draft else ""] if has_drafts else []
        price = (dollars(take.cost.usd) if take.cost else "see provider") if take.is_charged else ""
        cells += [state, price, "continue" if shot.continues else ""]
        table.add_row(*cells, shot.prompt.replace("\n", " ")[:_WIDTH])
    console.out.print(table)
    console.out.print(plan.text)
