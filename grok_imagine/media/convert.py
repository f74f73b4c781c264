"""Threads that turn decoded frames into RGB floats, each frame straight into its place."""

from __future__ import annotations

import os
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import Any, TypedDict, cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from ..errors import DecodeError
from .opening import pyav_version
from .orientation import Orientation

# More threads than this only wait for the memory.
MOST_THREADS = 8

# From the matrix that a file names (AVColorSpace) to swscale's number for it. Old versions of PyAV do not name them
# all. Every other file is taken for BT.601, as swscale does. Source: libavutil/pixfmt.h and libswscale/swscale.h.
BT709, FCC, BT601, SMPTE240M, BT2020 = 1, 4, 5, 7, 9
MATRICES = {1: BT709, 4: FCC, 7: SMPTE240M, 9: BT2020, 10: BT2020}
UNSPECIFIED_RANGE, FULL_RANGE = 0, 2

_Item = tuple[VideoFrame, NDArray[np.float32]]


class Converters:
    """A context with a few threads behind a short queue.

    The queue is bounded, so decoded frames do not pile up. A thread that fails keeps emptying the queue: else the
    decoder would wait for ever. On leaving, all threads are joined; after an exception they drop what is queued.
    """

    def __init__(self, name: str, orientation: Orientation, width: int, height: int) -> None:
        """``width`` and ``height`` are of the stored picture; a frame of another size is scaled to it."""
        self._name = name
        self._orientation = orientation
        self._size = width, height
        count = _thread_count()
        self._queue: Queue[_Item | None] = Queue(maxsize=2 * count)
        self._error: Exception | None = None
        self._abandoned = False
        self._threads = [Thread(target=self._work, name=f"convert-{n}", daemon=True) for n in range(count)]

    def __enter__(self) -> Converters:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._abandoned = kind is not None
        for _thread in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def give(self, frame: VideoFrame, place: NDArray[np.float32]) -> None:
        """Has ``frame`` converted into ``place``, ``[H, W, 3]``. Raises DecodeError if an earlier frame failed."""
        self._raise()
        self._queue.put((frame, place))

    def settle(self) -> None:
        """Waits until every frame given so far is in its place. Raises DecodeError if one failed."""
        self._queue.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise DecodeError(f"A frame of {self._name} cannot be converted to RGB: {self._error}") from self._error

    def _work(self) -> None:
        reformatter = VideoReformatter()
        while (item := self._queue.get()) is not None:
            try:
                if self._error is None and not self._abandoned:
                    convert(reformatter, item[0], self._size, self._orientation, item[1])
            except Exception as error:
                self._error = error
            finally:
                # The frame goes back to the decoder's pool now, not when the next one comes.
                del item
                self._queue.task_done()
        self._queue.task_done()


def convert(
    reformatter: VideoReformatter,
    frame: VideoFrame,
    size: tuple[int, int],
    orientation: Orientation,
    place: NDArray[np.float32],
) -> None:
    """Writes ``frame``, scaled to ``size`` and turned upright, into ``place`` as RGB in 0..1."""
    width, height = size
    rgb = reformatter.reformat(frame, width, height, "rgb24", **_colours(frame), **one_thread())
    plane = rgb.planes[0]
    # The stubs of PyAV do not say that a plane is a buffer. Each of its lines may end in padding.
    lines: NDArray[np.uint8] = np.frombuffer(cast(Any, plane), dtype=np.uint8).reshape(height, plane.line_size)
    picture = orientation.upright(lines[:, : width * 3].reshape(height, width, 3))
    np.divide(picture, np.float32(255), out=place, dtype=np.float32)


class _Colours(TypedDict):
    src_colorspace: int
    dst_colorspace: int
    src_color_range: int
    dst_color_range: int


def _colours(frame: VideoFrame) -> _Colours:
    """Matrix and range as the file says. Before version 17, PyAV ignored them unless all four were given."""
    matrix, range_ = source_colours(frame)
    return {
        "src_colorspace": matrix,
        "dst_colorspace": BT601,
        "src_color_range": range_,
        "dst_color_range": FULL_RANGE,
    }


def source_colours(frame: VideoFrame) -> tuple[int, int]:
    """swscale's number for the matrix of ``frame``, and its range."""
    range_ = int(frame.color_range)
    # A file need not say what goes without saying.
    if range_ == UNSPECIFIED_RANGE and (frame.format.is_rgb or frame.format.name.startswith(("yuvj", "gray"))):
        range_ = FULL_RANGE
    return MATRICES.get(int(frame.colorspace), BT601), range_


class Threads(TypedDict, total=False):
    """An argument that not every PyAV has."""

    threads: int


def one_thread() -> Threads:
    """swscale's own threads would fight with ours. Before version 17 it had none, and PyAV no such argument."""
    return {"threads": 1} if pyav_version() >= 17 else {}


def _thread_count() -> int:
    # Half of the cores: the decoder needs the other half. A container may own fewer cores than the machine has.
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(MOST_THREADS, cores // 2))
