"""ComfyUI's videos and files: the file of a VIDEO, files named in a graph, free memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import folder_paths

from ...grok_imagine.errors import RequestError
from . import execution, tensors

if TYPE_CHECKING:
    from ...grok_imagine.media.mux.source_video import SourceVideo


def source_video(video: Any, should_stop: Callable[[], bool]) -> SourceVideo:
    """What a VIDEO shows as an MP4 that can be uploaded: its file as it is where that fits, without metadata."""
    from ...grok_imagine.media.mux.source_video import prepare_video

    with tempfile.TemporaryDirectory(prefix="grok-imagine-") as folder:
        return prepare_video(_saved(video, folder), should_stop=should_stop)


@asynccontextmanager
async def file_of(video: Any) -> AsyncGenerator[tuple[Path, Callable[[], bool]], None]:
    """A file of what a VIDEO shows, saved for this block if there is none, and a function that says when to stop."""
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="grok-imagine-", ignore_cleanup_errors=True) as folder:
        try:
            yield await asyncio.to_thread(_saved, video, folder), stop.is_set
        finally:
            stop.set()


def _saved(video: Any, folder: str) -> Path:
    path = whole_file(video)
    if path is None:
        path = Path(folder) / "source.mp4"
        video.save_to(str(path))
    return path


def cut_file(video: Any, folder: Path) -> Path:
    """A VIDEO that is trimmed or in memory, saved in ``folder``: the same file for the same video."""
    parts = video.get_components()
    # By its content: the encoder need not give the same bytes again.
    digest = hashlib.sha256(str(parts.frame_rate).encode())
    for frame in tensors.to_pixels(parts.images):
        digest.update(frame.tobytes())
    if parts.audio is not None:
        digest.update(parts.audio["waveform"].cpu().numpy().tobytes())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"{digest.hexdigest()[:24]}.mp4"
    if not target.is_file():
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as work:
            path = Path(work) / "source.mp4"
            video.save_to(str(path))
            path.replace(target)
    os.utime(folder)  # prune looks at when it was last used
    return target


def video_from_file(path: Path) -> Any:
    """ComfyUI's VIDEO on a file. It reads the file when it is used, so the file stays.

    Save Video copies a file's metadata. With --disable-metadata an older clip, which has some, is therefore copied
    without it. Raises EncodeError if that fails.
    """
    from comfy_api.latest import InputImpl

    return InputImpl.VideoFromFile(str(path if execution.runtime().writes_metadata else _without_facts(path)))


def _without_facts(path: Path) -> Path:
    from ...grok_imagine.media.mux import metadata
    from ...grok_imagine.private_files import private_folder

    if metadata.read(path) is None:
        return path
    target = private_folder(Path(folder_paths.get_temp_directory()) / "grok_imagine") / path.name
    if not target.is_file():
        metadata.copy_without_facts(path, target)
    return target


def whole_file(video: Any) -> Path | None:
    """The file that a VIDEO shows as it is; None for one that is trimmed, cropped or in memory, to be saved first."""
    source = video.get_stream_source() if type(video).__name__ == "VideoFromFile" else None
    if not isinstance(source, str):
        return None
    # ComfyUI does not say what a VIDEO changes of its file: a part, a crop, and what later versions add. A fresh VIDEO
    # of that file changes nothing, so one that is equal to it in every attribute does not either.
    fresh: object = type(video)(source)
    return Path(source) if vars(fresh) == vars(video) else None


def find_file(text: str) -> Path:
    """The video file that ``text`` names: a path, or a name within ComfyUI's folders, ``clip.mp4 [output]`` too.

    Raises RequestError for one that is missing, or that lies anywhere else: a workflow may come from anybody.
    """
    name, stated = folder_paths.annotated_filepath(text)
    folders = {
        "input": folder_paths.get_input_directory(),
        "output": folder_paths.get_output_directory(),
        "temp": folder_paths.get_temp_directory(),
        "results": str(execution.runtime().home / "results"),
    }
    candidates = [os.path.join(folder, name) for folder in ([stated] if stated else folders.values())]
    roots = [_plain(folder) for folder in folders.values()]
    # Links are followed first: one may lead out of the folder that it lies in.
    is_inside = {path: any(_plain(path).startswith(root + os.sep) for root in roots) for path in candidates}
    for path in candidates:
        if is_inside[path] and os.path.isfile(path):
            return Path(path)
    if all(is_inside.values()):
        raise RequestError(f"There is no file {text!r} in ComfyUI's input, output or temp folder.")
    raise RequestError(
        f"{text!r} lies outside ComfyUI's input, output and temp folders. Copy the video into the input folder, "
        "or connect a VIDEO."
    )


def _plain(path: str) -> str:
    return os.path.normcase(os.path.realpath(path)).rstrip(os.sep)


def free_memory() -> int | None:
    """Bytes of memory that are free for frames; None if unknown."""
    with suppress(Exception):
        import psutil

        return int(psutil.virtual_memory().available)
    return None
