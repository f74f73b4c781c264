"""Grok Edit Video: a clip, changed as the prompt says."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..grok_imagine.models import Mode
from . import making, source, widgets

_MODES = (Mode.EDIT,)


class GIVEditVideo(widgets.ConnectionCheck, io.ComfyNode):
    """A clip, changed as the prompt says."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return widgets.schema(
            node_id="GIVEditVideo",
            display_name="Grok Edit Video",
            category=widgets.CATEGORY,
            description="Changes a video as the prompt says, and keeps its length and motion. Offered by "
            f"{widgets.offered_by(_MODES)}. A run that was stopped is gone on with by running the graph again, and not "
            "paid twice.",
            search_aliases=["grok", "grok imagine", "xai", "edit video", "video to video", "v2v", "restyle"],
            inputs=[
                widgets.connection(f" Editing is offered by {widgets.offered_by(_MODES)}.", _MODES),
                widgets.model(_MODES),
                widgets.prompt(f"What should change in the clip. {widgets.prompt_limits(_MODES)}"),
                widgets.resolution(_MODES),
                widgets.seed(),
                *source.inputs("xAI edits at most 8.7 s."),
                widgets.on_rejected(),
            ],
            outputs=widgets.job_outputs(),
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    async def execute(
        cls,
        connection: str,
        model: str,
        prompt: str,
        resolution: str,
        seed: int,
        video: Any = None,
        video_url: str = "",
        on_rejected: str = widgets.FAIL,
    ) -> io.NodeOutput:
        """Edit the clip, or go on with the job that already does."""
        request = making.wish(mode=Mode.EDIT, model=model, prompt=prompt, resolution=resolution, seed=seed)
        made = source.make(cls.hidden, connection, request, video, video_url)
        return await making.outcome_of(made, request, on_rejected)
