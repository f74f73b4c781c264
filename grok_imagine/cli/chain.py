"""``grok-imagine continue``: a clip goes on over several segments, and all become one film."""

from __future__ import annotations

import shutil
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..chain.run import Chain, ChainPlan, ChainResult, plan, run_chain
from ..jobs import Session
from ..models import Mode, VideoRequest
from . import console
from .session import AsJson, Home, handle_interrupt, with_session


class How(str, Enum):
    """How a segment begins."""

    auto = "auto"
    extend = "extend"
    last_frame = "last-frame"


HOWS: dict[How, Mode | None] = {How.auto: None, How.extend: Mode.EXTEND, How.last_frame: Mode.IMAGE}


def continue_clip(
    source: Annotated[Path, typer.Argument(help="The clip that goes on.")],
    prompts: Annotated[list[str], typer.Argument(help="How it goes on: one prompt for each segment.")],
    connection: Annotated[str, typer.Option("--connection", "-c", help="See: grok-imagine connections.")] = "sandbox",
    how: Annotated[How, typer.Option(help="auto extends where the API can; else on from the last frame.")] = How.auto,
    model: Annotated[str | None, typer.Option(help="Else the connection's usual one.")] = None,
    duration: Annotated[int | None, typer.Option("--duration", "-d", help="Whole seconds of each segment.")] = None,
    resolution: Annotated[str | None, typer.Option("--resolution", "-r", help="Else the clip's own.")] = None,
    motion_mode: Annotated[str | None, typer.Option(help="fun or normal, where the API has it.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another film.")] = 0,
    price: Annotated[bool, typer.Option("--price", help="Only check, and say what it would cost.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="The film.")] = Path("film.mp4"),
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Let a clip go on, segment by segment. The same command again goes on where it stood; nothing is paid twice."""
    base = VideoRequest(
        mode=HOWS[how],
        model=model,
        duration_seconds=duration,
        resolution=resolution,
        motion_mode=motion_mode,
        seed=seed,
    )
    chain = Chain(connection, source, tuple(prompts), base)

    bar = console.Bar()

    async def work(session: Session) -> ChainResult | ChainPlan:
        planned = await plan(session, chain)
        console.err.print(planned.text, style="bold")
        if price:
            return planned
        with bar:
            return await run_chain(session, chain, owner="cli", run="", progress=bar)

    with console.report_errors(as_json):
        with handle_interrupt(home, bar):
            made = with_session(home, work)
        if isinstance(made, ChainPlan):
            _tell({"plan": made.text, "segments": len(made.digests)}, made.text, as_json)
            return
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made.file, output)
        _tell(as_plain(made, str(output)), str(output), as_json)


def as_plain(film: ChainResult, shown: str) -> dict[str, Any]:
    """The film for scripts."""
    joined = film.joined
    return {
        "file": shown,
        "segments": [console.job_as_json(one.job) for one in film.segments],
        "frames": joined.frames if joined else None,
        "seconds": joined.seconds if joined else None,
        "seams": [one.frame for one in joined.seams] if joined else None,
    }


def _tell(plain: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        console.print_json(plain)
    else:
        console.out.print(text, soft_wrap=True, markup=False)
