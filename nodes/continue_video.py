"""Grok Continue Video: a clip goes on over several segments, at any provider, and all become one film."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..grok_imagine.errors import RequestError
from ..grok_imagine.models import Mode
from .common import generate, inputs
from .host import execution, files

if TYPE_CHECKING:
    from ..grok_imagine.chain.run import ChainResult
    from .host.progress import NodeProgress

_MODES = (Mode.IMAGE, Mode.EXTEND)
_HOWS: dict[str, Mode | None] = {inputs.AUTO: None, "extend": Mode.EXTEND, "last_frame": Mode.IMAGE}


class GIVContinueVideo(inputs.ConnectionCheck, io.ComfyNode):
    """A clip goes on over several segments."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVContinueVideo",
            display_name="Grok Continue Video",
            description="Lets a video go on for as long as you like: one segment a prompt, joined without a visible "
            "seam. Every segment is a job of its own: after a failure, or a stop, run the graph again and it goes on "
            "there; what is paid is kept.",
            search_aliases=["grok", "grok imagine", "xai", "long video", "continue video", "extend video", "chain"],
            inputs=[
                inputs.connection(" It works with every connection."),
                inputs.model(_MODES),
                _prompts(),
                _how(),
                inputs.resolution((Mode.IMAGE,)),
                inputs.duration(_MODES),
                inputs.motion_mode((Mode.IMAGE,)),
                inputs.seed(),
                io.Video.Input("video", tooltip="The clip that goes on. It is the beginning of the film, and is free."),
            ],
            outputs=[
                io.Video.Output(display_name="video", tooltip="The whole film: the clip and all its segments."),
                io.String.Output(display_name="job_ids", tooltip="The job of each segment, one id a line."),
                io.String.Output(
                    display_name="info", tooltip="JSON: plan and price, frames, seams, and each segment's own facts."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    async def execute(
        cls,
        connection: str,
        model: str,
        prompts: str,
        how: str,
        resolution: str,
        duration: int,
        motion_mode: str,
        seed: int,
        video: Any,
    ) -> io.NodeOutput:
        """Make the film, or go on with the segment that is next."""
        node_id = cls.hidden.unique_id
        lines = tuple(line.strip() for line in prompts.splitlines() if line.strip())
        if not lines:
            raise RequestError("Write at least one prompt: each line is a segment. Nothing was sent or charged.")
        base = generate.build_request(
            mode=_HOWS[how],
            model=model,
            prompt="",
            resolution=resolution,
            duration=duration,
            motion_mode=motion_mode,
            seed=seed,
        )

        async def work(progress: NodeProgress) -> ChainResult:
            from ..grok_imagine.chain.run import Chain, run_chain

            async with execution.runtime().session() as session, files.file_of(video) as (path, should_stop):
                chain = Chain(connection, path, lines, base)
                return await run_chain(session, chain, owner=node_id or "", progress=progress, should_stop=should_stop)

        film = await execution.run(node_id, work)
        ids = "\n".join(one.job.id for one in film.segments)
        info = json.dumps(_describe(film), ensure_ascii=False, indent=2)
        return io.NodeOutput(files.video_from_file(film.file), ids, info)


def _describe(film: ChainResult) -> dict[str, Any]:
    joined = film.joined
    seams = [
        {
            "frame": one.frame,
            "seconds": round(float(one.frame / joined.shape.rate), 3),
            "colours_matched": one.match.is_needed,
            "fade_seconds": round(one.fade_seconds, 4),
        }
        for one in (joined.seams if joined else ())
    ]
    return {
        "plan": film.plan.text,
        "file": str(film.file),
        "frames": joined.frames if joined else None,
        "seconds": round(joined.seconds, 3) if joined else None,
        "seams": seams,
        "segments": [generate.describe(one) for one in film.segments],
    }


def _prompts() -> io.String.Input:
    return io.String.Input(
        "prompts",
        multiline=True,
        default="",
        dynamic_prompts=False,
        placeholder="One line a segment: how the clip goes on.",
        tooltip=f"How the clip goes on: every line is a segment, and is paid as one clip. "
        f"{inputs.prompt_limits((Mode.IMAGE,))} Changing a line keeps the segments before it.",
    )


def _how() -> io.Combo.Input:
    return io.Combo.Input(
        "how",
        options=list(_HOWS),
        default=inputs.AUTO,
        tooltip="extend: the provider is shown the end of the film and goes on with its motion; offered by "
        f"{inputs.offered_by((Mode.EXTEND,))}, and some charge for the seconds shown. last_frame: the last picture "
        "starts the next segment; every provider can. auto: extend where it is offered.",
    )
