"""Names images for the shots of a film."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .common import inputs
from .common.cast import CAST, CastValue


class GIVCast(io.ComfyNode):
    """Gives images a name that the prompts of a film can use."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVCast",
            display_name="Grok Imagine: Cast",
            description="Names a character, place or thing by its images, for Grok Imagine: Film. Free.",
            search_aliases=["grok", "grok imagine", "character", "reference images", "consistent character"],
            inputs=[
                io.String.Input(
                    "name",
                    default="",
                    dynamic_prompts=False,
                    placeholder="anna (write @anna in a prompt)",
                    tooltip="The name that shots use, with an at sign before it. Letters, digits and underscores.",
                ),
                io.Image.Input("images", tooltip="What the name shows: an image or a batch. Every image counts."),
                CAST.Input("cast", optional=True, tooltip="More names, from another Cast node."),
            ],
            outputs=[CAST.Output(display_name="cast", tooltip="All names, for Film or another Cast node.")],
        )

    @classmethod
    async def execute(cls, name: str, images: Any, cast: CastValue = ()) -> io.NodeOutput:
        """Add the name to the cast. Film checks it before anything is sent."""
        return io.NodeOutput((*cast, (name.strip().removeprefix("@"), images)))
