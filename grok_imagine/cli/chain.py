"""``grok-imagine continue``: continues a clip over several segments and joins them into one video."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..chain.run import Chain, ChainPlan, ChainResult, make_plan, run_chain
from ..jobs import Session
from ..models import Mode, VideoRequest
from . import console
from .output import check_file, copy_clip
from .session import AsJson, Home, handle_interrupt, with_session


class SegmentStart(str, Enum):
    """How a segment continues the one before: by extending it, or from its last frame."""

    auto = "auto"
    extend = "extend"
    last_frame = "last-frame"


START_MODES: dict[SegmentStart, Mode | None] = {
    SegmentStart.auto: None,
    SegmentStart.extend: Mode.EXTEND,
    SegmentStart.last_frame: Mode.IMAGE,
}


def continue_clip(
    source: Annotated[Path, typer.Argument(help="The clip to continue.")],
    prompts: Annotated[list[str], typer.Argument(help="One prompt per segment.")],
    connection: Annotated[str, typer.Option("--connection", "-c", help="List: grok-imagine connections")] = "sandbox",
    how: Annotated[
        SegmentStart, typer.Option(help="auto extends if the API can, else continues from the last frame.")
    ] = SegmentStart.auto,
    model: Annotated[str | None, typer.Option(help="Default: the connection's default model.")] = None,
    duration: Annotated[
        int | None, typer.Option("--duration", "-d", help="Length of each segment in whole seconds.")
    ] = None,
    resolution: Annotated[str | None, typer.Option("--resolution", "-r", help="Default: the clip's.")] = None,
    motion_mode: Annotated[str | None, typer.Option(help="fun or normal, if the API supports it.")] = None,
    seed: Annotated[
        int, typer.Option(help="The same inputs and seed are the same clips, paid once. Change it for new ones.")
    ] = 0,
    price: Annotated[
        bool, typer.Option("--price", help="Check the request and print the price. Sends nothing.")
    ] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="The joined video.")] = Path("film.mp4"),
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Continue a clip segment by segment. If interrupted, run the same command again to resume; you won't pay twice."""
    base = VideoRequest(
        mode=START_MODES[how],
        model=model,
        duration_seconds=duration,
        resolution=resolution,
        motion_mode=motion_mode,
        seed=seed,
    )
    chain = Chain(connection, source, tuple(prompts), base)

    bar = console.ProgressBar()

    async def work(session: Session) -> ChainResult | ChainPlan:
        planned = await make_plan(session, chain)
        console.err.print(planned.text, style="bold")
        if price:
            return planned
        with bar:
            return await run_chain(session, chain, progress=bar)

    with console.report_errors(as_json):
        check_file("--output", None if price else output)
        with handle_interrupt(home, bar):
            outcome = with_session(home, work)
        if isinstance(outcome, ChainPlan):
            _print_result({"plan": outcome.text, "segments": len(outcome.digests)}, outcome.text, as_json)
            return
        copy_clip(outcome.file, output)
        _print_result(chain_as_json(outcome, str(output)), str(output), as_json)


def chain_as_json(result: ChainResult, path: str) -> dict[str, Any]:
    """The ``--json`` output for a finished chain."""
    joined = result.joined
    return {
        "file": path,
        "segments": [console.job_as_json(segment.job) for segment in result.segments],
        "frames": joined.frames if joined else None,
        "seconds": joined.seconds if joined else None,
        "seams": [seam.frame for seam in joined.seams] if joined else None,
    }


def _print_result(plain: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        console.print_json(plain)
    else:
        console.out.print(text, soft_wrap=True)
