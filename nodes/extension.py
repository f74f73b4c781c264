"""The list of nodes, written by hand, and how ComfyUI gets it."""

from __future__ import annotations

import logging

from comfy_api.latest import ComfyExtension, io

from .batch import GIVBatch
from .cast import GIVCast
from .continue_video import GIVContinueVideo
from .edit_video import GIVEditVideo
from .extend_video import GIVExtendVideo
from .film import GIVFilm
from .host import execution, pages, prompt_server
from .image_to_video import GIVImageToVideo
from .join_chunks import GIVJoinChunks
from .load_video_frames import GIVLoadVideoFrames
from .routes import register
from .split_video import GIVSplitVideo
from .text_to_video import GIVTextToVideo
from .upload_media import GIVUploadMedia
from .wait_for_task import GIVWaitForTask

NODES: tuple[type[io.ComfyNode], ...] = (
    GIVTextToVideo,
    GIVImageToVideo,
    GIVEditVideo,
    GIVExtendVideo,
    GIVContinueVideo,
    GIVBatch,
    GIVFilm,
    GIVCast,
    GIVWaitForTask,
    GIVLoadVideoFrames,
    GIVSplitVideo,
    GIVJoinChunks,
    GIVUploadMedia,
)


class GrokImagineExtension(ComfyExtension):
    """The pack, as ComfyUI loads it."""

    async def on_load(self) -> None:
        """ComfyUI awaits this before it asks for the nodes. Routes can only be added now."""
        table = prompt_server.routes()
        if table is not None:
            register.add_routes(table, execution.runtime(), pages.publish)

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """The nodes that this ComfyUI can show. One that it cannot is left out, and the others stay."""
        return [node for node in NODES if _is_fine(node)]


def _is_fine(node: type[io.ComfyNode]) -> bool:
    try:
        node.GET_SCHEMA()
    except Exception as error:  # whatever a newer or older ComfyUI objects to, it must not cost the other nodes
        logging.error("Grok Imagine Video: %s cannot be shown by this ComfyUI: %s", node.__name__, error)
        return False
    return True


async def comfy_entrypoint() -> GrokImagineExtension:
    """ComfyUI calls this once, when it loads the pack."""
    return GrokImagineExtension()
