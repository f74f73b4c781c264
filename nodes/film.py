"""Makes a film from a list of shots; running the graph again makes only what changed."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING

from comfy_api.latest import io

from ..grok_imagine.models import Mode
from .common import generate, inputs
from .common.cast import CAST, CastValue
from .host import execution, files, node_events, tensors

if TYPE_CHECKING:
    from ..grok_imagine.film.run import FilmResult
    from ..grok_imagine.film.shots import Member
    from ..grok_imagine.jobs.session import Session
    from .host.progress import NodeProgress

_MODES = (Mode.TEXT, Mode.IMAGE, Mode.REFERENCE)


class GIVFilm(inputs.ConnectionCheck, io.ComfyNode):
    """Makes the shots of a list and joins them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVFilm",
            display_name="Grok Imagine: Film",
            description="Makes a film from a shot list. After a change only the shots that depend on it are made "
            "again. If a run is interrupted, run the graph again to pick it up. You won't pay twice.",
            search_aliases=["grok", "grok imagine", "xai", "film", "movie", "shot list", "storyboard", "animatic"],
            inputs=[
                inputs.connection(),
                _shots(),
                inputs.model(_MODES),
                inputs.resolution(_MODES),
                inputs.aspect_ratio(_MODES, "auto = provider default."),
                inputs.duration(_MODES),
                inputs.motion_mode(_MODES),
                inputs.seed(),
                io.Boolean.Input(
                    "draft",
                    default=False,
                    tooltip="Make a free draft on the sandbox that stands for the connection. Turn it off for the "
                    "film.",
                ),
                io.Int.Input(
                    "at_once",
                    default=4,
                    min=1,
                    max=50,
                    advanced=True,
                    tooltip="Maximum clips at the same time. The connection's own limit also applies.",
                ),
                io.Float.Input(
                    "max_usd",
                    default=0.0,
                    min=0.0,
                    max=100000.0,
                    step=0.5,
                    advanced=True,
                    tooltip="Maximum cost of the new shots, in US dollars. 0 = no limit. If they cost more, nothing is "
                    "made.",
                ),
                CAST.Input("cast", optional=True, tooltip="Named images that shots can use, from Cast."),
            ],
            outputs=[
                io.Video.Output(display_name="video", tooltip="The film: all shots joined."),
                io.Video.Output(
                    display_name="shots", is_output_list=True, tooltip="The clip of each shot, in order, as downloaded."
                ),
                io.String.Output(
                    display_name="edit_list",
                    tooltip="The film as an OpenTimelineIO timeline. Save it as .otio for an editing program.",
                ),
                io.String.Output(display_name="info", tooltip="JSON: plan, cost, and the details of each take."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    async def execute(
        cls,
        connection: str,
        shots: str,
        model: str,
        resolution: str,
        aspect_ratio: str,
        duration: int,
        motion_mode: str,
        seed: int,
        draft: bool,
        at_once: int,
        max_usd: float,
        cast: CastValue = (),
    ) -> io.NodeOutput:
        """Make what is missing and join the film."""
        base = generate.build_request(
            model=model,
            prompt="",
            seed=seed,
            resolution=resolution,
            aspect_ratio=aspect_ratio,
            duration=duration,
            motion_mode=motion_mode,
        )

        async def work(progress: NodeProgress) -> tuple[FilmResult, str]:
            from ..grok_imagine.film.edit_list import edit_list
            from ..grok_imagine.film.read import read_text
            from ..grok_imagine.film.requests import Film
            from ..grok_imagine.film.run import run_film

            listed = read_text(shots)
            async with execution.runtime().session() as session:
                members = await _members(session, cast)
                made = await run_film(
                    session,
                    Film(listed, connection, base, members, reads_files=False, is_draft=draft),
                    at_once=at_once,
                    max_usd=Decimal(str(max_usd)) if max_usd else None,
                    on_plan=lambda plan: progress.report(plan.text, is_news=True),
                    on_change=progress.report,
                )
            return made, await asyncio.to_thread(edit_list, made)

        return _outputs(*await execution.run(cls.hidden.unique_id, work))


async def _members(session: Session, cast: CastValue) -> list[Member]:
    """The cast with its images encoded."""
    return [(name, tuple(await session.publisher.images(tensors.to_pixels(images)))) for name, images in cast]


def _outputs(made: FilmResult, edits: str) -> io.NodeOutput:
    from ..grok_imagine.film.describe import film_as_json

    info = json.dumps(film_as_json(made, str(made.file)), ensure_ascii=False, indent=2)
    clips = [files.video_from_file(shot.file) for shot in made.shots]
    cards = [node_events.card(shot) for shot in made.shots]
    return io.NodeOutput(files.video_from_file(made.file), clips, edits, info, ui={node_events.UI: cards})


def _shots() -> io.String.Input:
    return io.String.Input(
        "shots",
        multiline=True,
        default="",
        dynamic_prompts=False,
        placeholder="A boat leaves the shore\n[continue, 8s] It meets a flock of ducks\n[take 2 of 4] A lighthouse",
        tooltip="One shot per line, each charged as one clip. Options go in brackets before the prompt: [continue] "
        "starts from the last frame of the shot before, [8s] sets the seconds, [seed 7] the seed. [take 2 of 4] makes "
        "four takes and uses the second; using another one is free. Lines that begin with a number sign are skipped. A "
        "CSV or Markdown table also works.",
    )
