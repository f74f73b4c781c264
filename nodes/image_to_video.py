"""Makes a clip from a start image or from reference images."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..grok_imagine.models import Mode
from .common import generate, inputs

_MODES = inputs.MAKES_FROM_IMAGES
_SOCKETS = tuple(f"image_{number}" for number in range(1, inputs.image_limit(_MODES) + 1))


class GIVImageToVideo(inputs.ConnectionCheck, io.ComfyNode):
    """Makes a clip from a start image or from reference images."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.clip_schema(
            "GIVImageToVideo",
            "Grok Imagine: Image to Video",
            "Makes a video from images: one to start from, or several as references. Every image of a batch counts.",
            ["image to video", "i2v", "reference to video", "animate"],
            _MODES,
            [
                _mode(),
                inputs.prompt(
                    "What should happen to the images. Name a connected image by the token beside its socket, if the "
                    f"provider supports tokens. {inputs.prompt_limits(_MODES)}"
                ),
                inputs.resolution(_MODES),
                inputs.aspect_ratio(_MODES, "auto = usually the first image's ratio."),
                inputs.duration(_MODES),
                inputs.motion_mode(_MODES),
                inputs.seed(),
                *(_socket(number, name) for number, name in enumerate(_SOCKETS, 1)),
                _image_urls(),
                inputs.fallbacks(),
            ],
        )

    @classmethod
    async def execute(
        cls,
        connection: str,
        model: str,
        mode: str,
        prompt: str,
        resolution: str,
        aspect_ratio: str,
        duration: int,
        motion_mode: str,
        seed: int,
        image_urls: str = "",
        fallbacks: str = "",
        on_rejected: str = inputs.FAIL,
        **sockets: Any,
    ) -> io.NodeOutput:
        """Make the clip, or resume the job that already makes it."""
        chosen = inputs.value(mode)
        request = generate.build_request(
            # Without an image the inferred mode would be text-to-video; here that is an error.
            mode=Mode(chosen) if chosen else _inferred(sockets, image_urls),
            model=model,
            prompt=prompt,
            resolution=resolution,
            aspect_ratio=aspect_ratio,
            duration=duration,
            motion_mode=motion_mode,
            seed=seed,
            reference_images=tuple(line.strip() for line in (image_urls or "").splitlines() if line.strip()),
        )
        images = [sockets[name] for name in _SOCKETS if sockets.get(name) is not None]
        made = generate.generate(cls.hidden, connection, request, images, fallbacks)
        return await generate.outputs_or_placeholder(made, request, on_rejected)


def _inferred(sockets: dict[str, Any], image_urls: str) -> Mode | None:
    has_images = any(image is not None for image in sockets.values()) or bool((image_urls or "").strip())
    return None if has_images else Mode.IMAGE


def _mode() -> io.Combo.Input:
    return io.Combo.Input(
        "mode",
        options=[inputs.AUTO, *(mode.value for mode in _MODES)],
        default=inputs.AUTO,
        advanced=True,
        tooltip="image_to_video starts the clip from the image; reference_to_video shows the images' subjects in it. "
        "auto = image_to_video, or reference_to_video if the provider needs it for several images. Usually the same "
        "price.",
    )


def _socket(number: int, name: str) -> io.Image.Input:
    tooltip = "An image or a batch. Every image of a batch counts, in order."
    if number == 1:
        tooltip += f" Maximum images: {inputs.image_limits(_MODES)}. Doesn't affect published prices."
    return io.Image.Input(name, optional=True, tooltip=tooltip)


def _image_urls() -> io.String.Input:
    return io.String.Input(
        "image_urls",
        multiline=True,
        default="",
        optional=True,
        advanced=True,
        dynamic_prompts=False,
        placeholder="https://… one public image URL per line",
        tooltip="Public image URLs, one per line. They follow the connected images and need no upload.",
    )
