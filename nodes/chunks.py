"""Split Video and Join Chunks: a long video worked on in pieces, so that memory holds one piece at a time.

The graph runs once for each piece. Join keeps each finished piece as a file and queues the graph for the next one that
is missing; after the last it joins them. So a stop or a crash costs one piece at most. Lists and loops within one run
would be simpler to use, but ComfyUI keeps every output of a run until it ends: all pieces at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..grok_imagine.errors import RequestError
from .common import inputs
from .host import execution, files, queue, tensors

if TYPE_CHECKING:
    from ..grok_imagine.media.mux.chunks import Chunk

CHUNK = io.Custom("GIV_CHUNK")


@dataclass(frozen=True)
class _Ticket:
    """What Split tells Join: the piece, whose it is, and which node loads the next one."""

    chunk: Chunk
    source: Path
    rate: Fraction
    size: int
    split_id: str

    @property
    def name(self) -> str:
        """The same for every piece of one film cut in one way."""
        look = self.source.stat()
        return json.dumps([str(self.source), look.st_mtime_ns, look.st_size, self.size, self.chunk.count])


class GIVSplitVideo(io.ComfyNode):
    """One piece of a video as frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVSplitVideo",
            display_name="Split Video into Chunks",
            category=inputs.CATEGORY,
            description="Loads one piece of a video as frames, for upscalers and interpolators that cannot hold the "
            "whole. Join Video Chunks at the other end runs the graph again for each further piece. Free.",
            search_aliases=["chunked video", "long video", "upscale video", "batch frames", "meta batch"],
            inputs=[
                io.Video.Input("video", tooltip="The video, as a file. Only one piece of it is in memory. Free."),
                io.Int.Input("chunk_frames", default=48, min=1, max=100_000, tooltip="Frames in each piece."),
                io.Int.Input(
                    "overlap",
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="Frames of the piece before to load again: 1 for interpolators, more for models that look "
                    "at neighbouring frames. Join leaves them out again.",
                ),
                io.Int.Input(
                    "chunk",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="The first piece to work on, counted from 0. The rest follow by themselves.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images", tooltip="The frames of this piece."),
                CHUNK.Output(display_name="chunk", tooltip="For Join Video Chunks: which piece this is."),
                io.Float.Output(display_name="fps", tooltip="Frames per second of the video."),
                io.Int.Output(display_name="chunk_count", tooltip="How many pieces there are."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    async def execute(cls, video: Any, chunk_frames: int, overlap: int, chunk: int) -> io.NodeOutput:
        """Decode one piece."""
        split_id = cls.hidden.unique_id

        async def work(progress: execution.NodeProgress) -> tuple[Any, _Ticket]:
            return await execution.in_thread(
                lambda stop: _load(video, chunk_frames, overlap, chunk, split_id, progress, stop)
            )

        images, ticket = await execution.run(split_id, work)
        return io.NodeOutput(images, ticket, float(ticket.rate), ticket.chunk.count)


def _load(
    video: Any, size: int, overlap: int, index: int, split_id: str, progress: execution.NodeProgress, stop: Any
) -> tuple[Any, _Ticket]:
    from ..grok_imagine.media.frames.decode import decode
    from ..grok_imagine.media.frames.index import read_index
    from ..grok_imagine.media.mux.chunks import chunk
    from ..grok_imagine.media.open import open_video

    path = files.whole_file(video)
    if path is None:
        raise RequestError("Only a video that is a whole file can be split: save this one first, and load the file.")
    with open_video(path) as source:
        frames = read_index(source, stop)
    piece = chunk(index, len(frames.times), size, overlap)
    clip = decode(
        path,
        window=piece.window,
        on_plan=lambda plan: progress.tell(f"Chunk {index + 1} of {piece.count}: {plan}", is_news=True),
        should_stop=stop,
        max_bytes=files.free_memory(),
    )
    return tensors.to_image(clip.frames), _Ticket(piece, path, frames.rate, size, split_id)


class GIVJoinChunks(io.ComfyNode):
    """The finished pieces as one video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVJoinChunks",
            display_name="Join Video Chunks",
            category=inputs.CATEGORY,
            description="Keeps each finished piece of Split Video into Chunks as a file and runs the graph for the "
            "next. After the last it joins them, with the sound of the source. Stopped or crashed, it goes on with "
            "the first piece that is missing. Free.",
            search_aliases=["chunked video", "combine chunks", "concatenate video", "meta batch"],
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The worked-on frames of this piece: as many as before, or more."),
                CHUNK.Input("chunk", tooltip="From Split Video into Chunks."),
                io.Int.Input(
                    "crf",
                    default=16,
                    min=0,
                    max=40,
                    tooltip="Quality of the H.264 file: lower is better and larger, 16 looks like the original.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    display_name="video", tooltip="The whole video. Nodes after this wait for the last piece."
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: Any) -> float:
        """Never the same: a piece that ComfyUI still has in its cache must be joined all the same."""
        return float("nan")

    @classmethod
    async def execute(cls, images: Any, chunk: _Ticket, crf: int) -> io.NodeOutput:
        """Keep this piece; queue the next one, or join."""
        folder = _folder(chunk, crf, _makers(cls.hidden.prompt or {}, cls.hidden.unique_id))
        target = folder / "joined.mp4"

        async def work(progress: execution.NodeProgress) -> int | None:
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
    """All nodes that this one's input comes from, without the number of the piece: other settings, other pieces."""
    found: dict[str, Any] = {}
    waiting = [node_id]
    while waiting:
        name = waiting.pop()
        if name in found or name not in prompt:
            continue
        node = prompt[name]
        inputs = {key: value for key, value in node["inputs"].items() if key != "chunk" or isinstance(value, list)}
        found[name] = [node["class_type"], inputs]
        waiting += [str(value[0]) for value in inputs.values() if isinstance(value, list) and len(value) == 2]
    return found


def _folder(ticket: _Ticket, crf: int, makers: dict[str, Any]) -> Path:
    key = hashlib.sha256(json.dumps([ticket.name, crf, makers], sort_keys=True, default=str).encode()).hexdigest()[:24]
    folder = execution.runtime().home / "chunks" / key
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.utime(folder)  # prune goes by when it was last asked for
    return folder


def _keep(images: Any, ticket: _Ticket, crf: int, folder: Path, progress: execution.NodeProgress) -> int | None:
    """Write the piece. The first one that is missing, or None once the film is whole."""
    from ..grok_imagine.media.mux.chunks import join_pieces, write_piece

    target, chunk = folder / "joined.mp4", ticket.chunk
    if target.exists():
        return None
    pieces = [folder / "pieces" / f"{number:05d}.mp4" for number in range(chunk.count)]
    pieces[0].parent.mkdir(mode=0o700, exist_ok=True)
    made = tensors.to_pixels(images)
    progress.tell(f"Chunk {chunk.index + 1} of {chunk.count}: saving {len(made)} frames", is_news=True)
    rate = ticket.rate * chunk.factor(len(made))
    write_piece(pieces[chunk.index], made[chunk.repeated(len(made)) :], rate, crf)
    # A later piece is next before an earlier gap: whoever begins in the middle wants to see that first.
    order = [*range(chunk.index + 1, chunk.count), *range(chunk.index)]
    missing = next((number for number in order if not pieces[number].exists()), None)
    if missing is None:
        progress.tell("Joining", is_news=True)
        join_pieces(pieces, ticket.source, target)
        shutil.rmtree(pieces[0].parent)
    return missing
