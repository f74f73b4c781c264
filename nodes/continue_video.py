"""Extends a video by several segments, at any provider, and joins them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..grok_imagine.errors import RequestError
from ..grok_imagine.models import Mode
from .common import generate, inputs
from .host import execution, files, node_events

if TYPE_CHECKING:
    from ..grok_imagine.chain.run import ChainResult
    from .host.progress import NodeProgress

_MODES = (Mode.IMAGE, Mode.EXTEND)
_HOWS: dict[str, Mode | None] = {inputs.AUTO: None, "extend": Mode.EXTEND, "last_frame": Mode.IMAGE}


class GIVContinueVideo(inputs.ConnectionCheck, io.ComfyNode):
    """Extends a video by several segments and joins them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVContinueVideo",
            display_name="Grok Imagine: Continue Video",
            description="Extends a video by any number of segments, one per prompt, joined seamlessly. If a run fails "
            "or is interrupted, run the graph again to continue there. You won't pay twice for a segment.",
            search_aliases=["grok", "grok imagine", "xai", "long video", "continue video", "extend video", "chain"],
            inputs=[
                inputs.connection(" Works with every connection."),
                inputs.model(_MODES),
                _prompts(),
                _how(),
                inputs.resolution((Mode.IMAGE,)),
                inputs.duration(_MODES),
                inputs.motion_mode((Mode.IMAGE,)),
                inputs.seed(),
                io.Video.Input("video", tooltip="The video to continue. Free."),
            ],
            outputs=[
                io.Video.Output(display_name="video", tooltip="The source and all segments as one video."),
                io.String.Output(display_name="job_ids", tooltip="The job ID of each segment, one per line."),
                io.String.Output(
                    display_name="info", tooltip="JSON: plan, price, frames, joins, and details of each segment."
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
        """Make the missing segments and join all of them."""
        node_id = cls.hidden.unique_id
        lines = tuple(line.strip() for line in prompts.splitlines() if line.strip())
        if not lines:
            raise RequestError("Enter at least one prompt, one per line. Nothing was sent or charged.")
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
                return await run_chain(session, chain, progress=progress, should_stop=should_stop)

        result = await execution.run(node_id, work)
        ids = "\n".join(one.job.id for one in result.segments)
        info = json.dumps(_describe(result), ensure_ascii=False, indent=2)
        cards = [node_events.card(one) for one in result.segments]
        return io.NodeOutput(files.video_from_file(result.file), ids, info, ui={node_events.UI: cards})


def _describe(result: ChainResult) -> dict[str, Any]:
    joined = result.joined
    return {
        "plan": result.plan.text,
        "file": str(result.file),
        "frames": joined.frames if joined else None,
        "seconds": round(joined.seconds, 3) if joined else None,
        "seams": joined.seams_as_json if joined else [],
        "segments": [generate.describe(one) for one in result.segments],
    }


def _prompts() -> io.String.Input:
    return io.String.Input(
        "prompts",
        multiline=True,
        default="",
        dynamic_prompts=False,
        placeholder="One segment per line: what should happen next",
        tooltip=f"One segment per line, each charged as one clip. "
        f"{inputs.prompt_limits((Mode.IMAGE,))} Changing a line keeps the segments before it.",
    )


def _how() -> io.Combo.Input:
    return io.Combo.Input(
        "how",
        options=list(_HOWS),
        default=inputs.AUTO,
        tooltip="extend = the provider continues the end of the video; offered by "
        f"{inputs.list_providers((Mode.EXTEND,))}, and some also charge for the source's seconds. last_frame = the "
        "last frame starts the next segment; works everywhere. auto = extend if offered.",
    )
