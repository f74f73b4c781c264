"""Extends a video by a few seconds."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..grok_imagine.models import Mode
from .common import generate, inputs, source_video

_MODES = (Mode.EXTEND,)


class GIVExtendVideo(inputs.ConnectionCheck, io.ComfyNode):
    """Extends a video by a few seconds."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.clip_schema(
            "GIVExtendVideo",
            "Grok Imagine: Extend Video",
            "Extends a video by a few seconds. Returns the whole clip.",
            ["extend video", "continue video", "longer video"],
            _MODES,
            [
                inputs.prompt(f"What should happen next. {inputs.prompt_limits(_MODES)}"),
                inputs.duration(_MODES),
                inputs.seed(),
                *source_video.inputs("xAI extends videos of 2–15 s."),
            ],
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
        on_rejected: str = inputs.FAIL,
    ) -> io.NodeOutput:
        """Extend the clip, or resume the job that already does."""
        request = generate.build_request(mode=Mode.EXTEND, model=model, prompt=prompt, duration=duration, seed=seed)
        made = source_video.generate_from_video(cls.hidden, connection, request, video, video_url)
        return await generate.outputs_or_placeholder(made, request, on_rejected)
