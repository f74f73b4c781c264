"""``grok-imagine screening FILE``: a film's clips, takes and costs as one HTML file to send. Submits nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...film.screening import screen_film
from ...models import VideoRequest
from .. import console
from ..output import check_file
from ..session import Home, with_session
from . import options


def write_page(
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
    output: Annotated[Path, typer.Option("--output", "-o", help="The page.")] = Path("film.html"),
    home: Home = None,
) -> None:
    """Write a film's clips, prompts, takes and costs into one HTML file that opens offline. Submits nothing.

    Takes the options of the film. The page has no keys, URLs or paths.
    """
    base = VideoRequest(
        model=model,
        resolution=resolution,
        aspect_ratio=aspect_ratio,
        duration_seconds=duration,
        motion_mode=motion_mode,
        seed=seed,
    )
    with console.report_errors(False):
        spec = options.read_film(file, connection, base, cast, draft)
        check_file("--output", output)
        page = with_session(home, lambda session: screen_film(session, spec, file.stem))
        output.write_text(page, "utf-8")
        console.out.print(str(output), soft_wrap=True)
