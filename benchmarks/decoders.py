"""One decoder, one task, fresh processes: prints seconds, memory and pixels as JSON. Run by decode.py.

Each gives float32 ``[N, H, W, 3]`` in 0..1, in its own fastest documented way. Imports come before the clock starts.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SIDE = 512
WINDOW_SECONDS = 2
EVERY = 8
Task = Callable[[str, str], Any]


def _clip(path: str) -> tuple[int, float, float]:
    """Frames, rate, and where the window begins."""
    with av.open(path) as container:
        video = container.streams.video[0]
        rate = float(video.average_rate)
        return video.frames, rate, video.frames / rate / 2


def _indices(path: str, task: str) -> list[int]:
    count, rate, start = _clip(path)
    first = round(start * rate)
    chosen = {"every8": range(0, count, EVERY), "window": range(first, first + round(WINDOW_SECONDS * rate))}
    return list(chosen.get(task, range(count - 1, count) if task == "last" else range(count)))


def _small(path: str) -> tuple[int, int]:
    with av.open(path) as container:
        video = container.streams.video[0]
        return SIDE, round(video.height * SIDE / video.width)


def ours() -> Task:
    """This project."""
    sys.path.insert(0, str(ROOT))
    decode, resize, selection = (
        importlib.import_module(f"grok_imagine.media.frames.{name}") for name in ("decode", "resize", "selection")
    )

    def run(path: str, task: str) -> Any:
        windows = {
            "every8": selection.FrameSelection(select_every_nth=EVERY),
            "window": selection.FrameSelection(start_seconds=_clip(path)[2], duration_seconds=WINDOW_SECONDS),
            "last": selection.FrameSelection(which="last"),
        }
        size = resize.Resize(longest_side=SIDE) if task == "resized" else resize.Resize()
        return decode.decode(path, window=windows.get(task, selection.FrameSelection()), resize=size).frames

    return run


def comfyui() -> Task:
    """ComfyUI's own decoder, behind its Get Video Components."""
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    sys.argv = [*sys.argv[:1], "--cpu"]
    import torch
    from comfy_api.latest import InputImpl

    def run(path: str, task: str) -> Any:
        count, rate, start = _clip(path)
        cuts = {"window": (start, WINDOW_SECONDS), "last": ((count - 1) / rate, 0)}
        begin, length = cuts.get(task, (0, 0))
        images = InputImpl.VideoFromFile(path, start_time=begin, duration=length).get_components().images
        if task == "every8":
            return images[::EVERY].clone()
        if task == "resized":
            width, height = _small(path)
            chosen = torch.nn.functional.interpolate(images.movedim(-1, 1), (height, width), mode="area")
            return chosen.movedim(1, -1).contiguous()
        return images

    return run


def torchcodec() -> Task:
    """torchcodec with as many threads as it likes; seek_mode approximate is its fast one."""
    import torch
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize

    def run(path: str, task: str) -> Any:
        transforms = [Resize(_small(path)[::-1])] if task == "resized" else None
        decoder = VideoDecoder(
            path, dimension_order="NHWC", num_ffmpeg_threads=0, seek_mode="approximate", transforms=transforms
        )
        if task in ("full", "resized"):
            frames = decoder[:]
        elif task == "window":
            chosen = _indices(path, task)
            frames = decoder.get_frames_in_range(chosen[0], chosen[-1] + 1).data
        else:
            frames = decoder.get_frames_at(_indices(path, task)).data
        return torch.div(frames, 255.0)

    return run


def decord() -> Task:
    """decord with as many threads as it likes."""
    from decord import VideoReader

    def run(path: str, task: str) -> Any:
        width, height = _small(path) if task == "resized" else (-1, -1)
        reader = VideoReader(path, num_threads=0, width=width, height=height)
        return np.divide(reader.get_batch(_indices(path, task)).asnumpy(), np.float32(255), dtype=np.float32)

    return run


def opencv() -> Task:
    """OpenCV as its users load a film: a list of pictures, stacked, then divided."""
    import cv2

    def run(path: str, task: str) -> Any:
        pictures: list[Any] = []
        for picture in _grabbed(path, task):
            if task == "resized":
                picture = cv2.resize(picture, _small(path), interpolation=cv2.INTER_AREA)
            pictures.append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        return np.stack(pictures) / np.float32(255)

    return run


def opencv_tuned() -> Task:
    """No peer: the best that this project could make of OpenCV's loop, with one array for all frames."""
    import cv2

    def run(path: str, task: str) -> Any:
        made: Any = None
        for place, picture in enumerate(_grabbed(path, task)):
            if made is None:
                made = np.empty((_clip(path)[0], *picture.shape), np.float32)
            np.divide(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.float32(255), out=made[place], dtype=np.float32)
        return made

    return run


def _grabbed(path: str, task: str) -> Iterator[Any]:
    """The pictures that the task asks for; what lies between them is grabbed and not converted."""
    import cv2

    chosen = _indices(path, task)
    film = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    at = 0
    if task in ("window", "last"):
        film.set(cv2.CAP_PROP_POS_FRAMES, at := chosen[0])
    for position in chosen:
        while film.grab():
            at += 1
            if at > position:
                yield film.retrieve()[1]
                break


def pyav() -> Task:
    """PyAV as its manual shows it: a list of arrays, stacked."""

    def run(path: str, task: str) -> Any:
        width, height = _small(path) if task == "resized" else (None, None)
        chosen = set(_indices(path, task))
        with av.open(path) as container:
            frames = [
                frame.to_ndarray(format="rgb24", width=width, height=height)
                for number, frame in enumerate(container.decode(video=0))
                if number in chosen
            ]
        return np.stack(frames) / np.float32(255)

    return run


def nothing() -> Task:
    """A limit: every frame decoded by PyAV on all cores, and thrown away."""

    def run(path: str, _task: str) -> Any:
        with av.open(path) as container:
            video = container.streams.video[0]
            video.thread_type, video.thread_count = "FRAME", 0
            for _ in container.decode(video):
                pass

    return run


def memory() -> Task:
    """A limit: as much memory as the frames take, written once."""

    def run(path: str, _task: str) -> Any:
        with av.open(path) as container:
            video = container.streams.video[0]
            made = np.empty((video.frames, video.height, video.width, 3), np.float32)
        made.fill(0)
        return made

    return run


EVERY_ONE = (ours, comfyui, torchcodec, decord, opencv, opencv_tuned, pyav, nothing, memory)
DECODERS = {one.__name__: one for one in EVERY_ONE}


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def _difference(frames: Any, path: str) -> tuple[float, float]:
    """Mean and largest difference to PyAV's own RGB, in 8-bit steps, over the whole film."""
    mean = most = 0.0
    with av.open(path) as container:
        for mine, frame in zip(frames, container.decode(video=0), strict=True):
            apart = np.abs(np.asarray(mine) * 255 - frame.to_ndarray(format="rgb24"))
            mean, most = mean + float(apart.mean()), max(most, float(apart.max()))
    return mean / len(frames), most


def _once(run: Task, path: str, task: str, compare: bool) -> dict[str, Any]:
    """Time, peak of memory and pixels of one decode."""
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark of memory begins anew
    before, cpu = _status("VmRSS"), time.process_time()
    began = time.perf_counter()
    made = run(path, task)
    seconds = time.perf_counter() - began
    result = {"seconds": seconds, "cpu": time.process_time() - cpu, "peak": _status("VmHWM") - before}
    if made is not None:
        result |= {"shape": list(made.shape), "bytes": int(np.prod(made.shape)) * 4}
        if compare:
            result["mean"], result["most"] = _difference(made, path)
    return result


def _in_a_child(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Its result from a fork of this process: all is imported there, and nothing was decoded yet."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            with open(writing, "w") as told:
                json.dump(work(), told)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    with open(reading) as told:
        text = told.read()
    if os.waitpid(child, 0)[1] or not text:
        raise SystemExit("a decode ended with an error")
    return json.loads(text)


def main() -> None:
    """Do it several times, each in a process that has decoded nothing before: the fastest, and the seconds of all.

    The memory of a virtual machine may be with its host, who is slow to give it back: seconds for what takes tenths,
    now and then. The page shows both what came of that and what the decoder does without it.
    """
    name, task, path, times, compare = sys.argv[1:6]
    run = DECODERS[name]()
    made: list[dict[str, Any]] = []
    for number in range(int(times)):
        is_compared = compare == "compare" and number == 0
        made.append(_in_a_child(lambda compared=is_compared: _once(run, path, task, compared)))
    fastest = min(made, key=lambda one: one["seconds"])
    print(json.dumps({**made[0], **fastest, "all": [one["seconds"] for one in made]}))


if __name__ == "__main__":
    main()
