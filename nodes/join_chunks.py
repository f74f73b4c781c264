"""Join Video Chunks: keeps each finished chunk as a file, queues the graph for the next one, and joins them at the end.

An interruption or a crash costs one chunk at most: the next run continues with the first missing one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..grok_imagine.errors import RequestError
from .common import inputs
from .common.chunk_ref import CHUNK, ChunkRef
from .host import execution, files, queue, tensors

if TYPE_CHECKING:
    from .host.progress import NodeProgress


class GIVJoinChunks(io.ComfyNode):
    """Joins the finished chunks into one video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVJoinChunks",
            display_name="Join Video Chunks",
            description="Saves each finished chunk of Split Video into Chunks and runs the graph for the next. After "
            "the last it joins them, with the source's audio. If a run is interrupted, run the graph again to "
            "continue with the first missing chunk. Free.",
            search_aliases=["chunked video", "combine chunks", "concatenate video", "meta batch"],
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The processed frames of this chunk: as many as before, or more."),
                CHUNK.Input("chunk", tooltip="From Split Video into Chunks."),
                io.Int.Input(
                    "crf",
                    default=16,
                    min=0,
                    max=40,
                    tooltip="H.264 quality: lower is better and larger. 16 looks like the original.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    display_name="video", tooltip="The whole video. Nodes after this one wait for the last chunk."
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: Any) -> float:
        """Never the same, so that this runs for chunks that ComfyUI has in its cache too."""
        return float("nan")

    @classmethod
    async def execute(cls, images: Any, chunk: ChunkRef, crf: int) -> io.NodeOutput:
        """Save this chunk, then queue the next one or join all."""
        folder = _folder(chunk, crf, _makers(cls.hidden.prompt or {}, cls.hidden.unique_id))
        target = folder / "joined.mp4"

        async def work(progress: NodeProgress) -> int | None:
            return await execution.in_thread(lambda _stop: _keep(images, chunk, crf, folder, progress))

        missing = await execution.run(cls.hidden.unique_id, work)
        if missing is None:
            return io.NodeOutput(files.video_from_file(target))
        if not queue.run_again(execution.prompt_id(), {chunk.split_id: {"chunk": missing}}):
            raise RequestError(
                f"Chunk {chunk.chunk.index} is kept, but the next run could not be queued. Set chunk to {missing} at "
                "Split Video and run again."
            )
        return io.NodeOutput(queue.execution_blocker())


def _makers(prompt: dict[str, Any], node_id: str) -> dict[str, Any]:
    """All nodes upstream of this one with their inputs, without the chunk's number: other settings, other chunks."""
    found: dict[str, Any] = {}
    waiting = [node_id]
    while waiting:
        name = waiting.pop()
        if name in found or name not in prompt:
            continue
        node = prompt[name]
        given: dict[str, Any] = node["inputs"]
        # A link to another node is a list of its id and the number of its output.
        links: dict[str, list[Any]] = {key: value for key, value in given.items() if isinstance(value, list)}
        values = {key: value for key, value in given.items() if key != "chunk" or key in links}
        found[name] = [node["class_type"], values]
        waiting += [str(link[0]) for link in links.values() if len(link) == 2]
    return found


def _folder(ref: ChunkRef, crf: int, makers: dict[str, Any]) -> Path:
    key = hashlib.sha256(json.dumps([ref.key, crf, makers], sort_keys=True, default=str).encode()).hexdigest()[:24]
    folder = execution.runtime().home / "chunks" / key
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.utime(folder)  # prune looks at when it was last used
    return folder


def _keep(images: Any, ref: ChunkRef, crf: int, folder: Path, progress: NodeProgress) -> int | None:
    """Save the chunk. Returns the first missing one, or None once all are joined."""
    from ..grok_imagine.media.mux.chunks import join_chunks, read_tags, write_chunk

    target, chunk = folder / "joined.mp4", ref.chunk
    if target.exists():
        return None
    chunk_files = [folder / "pieces" / f"{number:05d}.mp4" for number in range(chunk.count)]
    chunk_files[0].parent.mkdir(mode=0o700, exist_ok=True)
    made = tensors.to_pixels(images)
    progress.report(f"Chunk {chunk.index + 1} of {chunk.count}: saving {len(made)} frames", is_news=True)
    rate = ref.rate * chunk.factor(len(made))
    write_chunk(chunk_files[chunk.index], made[chunk.count_repeats(len(made)) :], rate, crf, read_tags(ref.source))
    # Later chunks come before earlier gaps: a user who starts in the middle wants to see that part first.
    order = [*range(chunk.index + 1, chunk.count), *range(chunk.index)]
    missing = next((number for number in order if not chunk_files[number].exists()), None)
    if missing is None:
        progress.report("Joining", is_news=True)
        join_chunks(chunk_files, ref.source, target)
        shutil.rmtree(chunk_files[0].parent)
    return missing
