"""Edits a video from a prompt."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..grok_imagine.models import Mode
from .common import generate, inputs, source_video

_MODES = (Mode.EDIT,)


class GIVEditVideo(inputs.ConnectionCheck, io.ComfyNode):
    """Edits a video from a prompt."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.clip_schema(
            "GIVEditVideo",
            "Grok Imagine: Edit Video",
            "Edits a video from a prompt, keeping its length and motion.",
            ["edit video", "video to video", "v2v", "restyle"],
            _MODES,
            [
                inputs.prompt(f"What should change in the clip. {inputs.prompt_limits(_MODES)}"),
                inputs.resolution(_MODES),
                inputs.seed(),
                *source_video.inputs("xAI edits at most 8.7 s."),
            ],
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
        on_rejected: str = inputs.FAIL,
    ) -> io.NodeOutput:
        """Edit the clip, or resume the job that already does."""
        request = generate.build_request(mode=Mode.EDIT, model=model, prompt=prompt, resolution=resolution, seed=seed)
        made = source_video.generate_from_video(cls.hidden, connection, request, video, video_url)
        return await generate.outputs_or_placeholder(made, request, on_rejected)
