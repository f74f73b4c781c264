"""Makes a clip from a prompt."""

from __future__ import annotations

from comfy_api.latest import io

from .common import generate, inputs

_MODES = inputs.MAKES_FROM_TEXT


class GIVTextToVideo(inputs.ConnectionCheck, io.ComfyNode):
    """Makes a clip from a prompt."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.clip_schema(
            "GIVTextToVideo",
            "Grok Imagine: Text to Video",
            "Makes a video from a prompt.",
            ["text to video", "t2v", "generate video"],
            _MODES,
            [
                inputs.prompt(f"What should happen in the clip. {inputs.prompt_limits(_MODES)}"),
                inputs.resolution(_MODES),
                inputs.aspect_ratio(_MODES, "auto = provider default."),
                inputs.duration(_MODES),
                inputs.motion_mode(_MODES),
                inputs.seed(),
                inputs.fallbacks(),
            ],
        )

    @classmethod
    async def execute(
        cls,
        connection: str,
        model: str,
        prompt: str,
        resolution: str,
        aspect_ratio: str,
        duration: int,
        motion_mode: str,
        seed: int,
        fallbacks: str = "",
        on_rejected: str = inputs.FAIL,
    ) -> io.NodeOutput:
        """Make the clip, or resume the job that already makes it."""
        request = generate.build_request(
            model=model,
            prompt=prompt,
            resolution=resolution,
            aspect_ratio=aspect_ratio,
            duration=duration,
            motion_mode=motion_mode,
            seed=seed,
        )
        made = generate.generate(cls.hidden, connection, request, fallbacks=fallbacks)
        return await generate.outputs_or_placeholder(made, request, on_rejected)
