"""Grok Extend Video: a clip that goes on."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..grok_imagine.models import Mode
from . import making, source, widgets

_MODES = (Mode.EXTEND,)


class GIVExtendVideo(widgets.ConnectionCheck, io.ComfyNode):
    """A clip that goes on."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return widgets.schema(
            node_id="GIVExtendVideo",
            display_name="Grok Extend Video",
            category=widgets.CATEGORY,
            description="Lets a video go on by some seconds; the result is the source and what was added. Offered by "
            f"{widgets.offered_by(_MODES)}. A run that was stopped is gone on with by running the graph again, and not "
            "paid twice.",
            search_aliases=["grok", "grok imagine", "xai", "extend video", "continue video", "longer video"],
            inputs=[
                widgets.connection(f" Extending is offered by {widgets.offered_by(_MODES)}.", _MODES),
                widgets.model(_MODES),
                widgets.prompt(f"How the clip goes on. {widgets.prompt_limits(_MODES)}"),
                widgets.duration(_MODES),
                widgets.seed(),
                *source.inputs("xAI extends clips of 2 to 15 s."),
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
        duration: int,
        seed: int,
        video: Any = None,
        video_url: str = "",
        on_rejected: str = widgets.FAIL,
    ) -> io.NodeOutput:
        """Extend the clip, or go on with the job that already does."""
        request = making.wish(mode=Mode.EXTEND, model=model, prompt=prompt, duration=duration, seed=seed)
        made = source.make(cls.hidden, connection, request, video, video_url)
        return await making.outcome_of(made, request, on_rejected)
