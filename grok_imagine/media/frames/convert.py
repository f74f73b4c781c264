"""Threads that convert decoded frames to float RGB, directly into the target array."""

from __future__ import annotations

import os
from collections.abc import Sequence
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import Any, cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from ...errors import DecodeError
from ..orientation import Orientation
from .resize import Geometry
from .scale import RGB_BYTES, RGB_FLOATS, Scaler, new_scaler, white_of

# A single thread stalls at each page fault, which dominates on virtual machines: two threads made a decode 1.4 to 1.9
# times as fast. More than eight are limited by memory bandwidth.
FEWEST_THREADS, MOST_THREADS = 2, 8

# Minimum queue length; it is at least twice the number of threads. With a queue of two, the decoder stalled and a
# decode took 5 to 7 % longer. Each entry is a YUV frame, an eighth of the floats' size.
QUEUED = 6

# NumPy converts this many bytes to floats at a time before dividing them. With its default of 8192 a frame takes a
# sixth longer, as 32 KB of floats fill the L1 cache.
BUFFERED = 1024

_Targets = Sequence[NDArray[np.float32]]
_Item = tuple[VideoFrame, _Targets]


class FrameConverter:
    """A context manager with some converter threads behind a bounded queue.

    A failed thread keeps emptying the queue, so that the decoder does not block forever. On exit all threads are
    joined; after an exception they discard the queue.
    """

    def __init__(self, name: str, orientation: Orientation, geometry: Geometry) -> None:
        self._name = name
        self._orientation = orientation
        self._geometry = geometry
        count = _thread_count()
        self._queue: Queue[_Item | None] = Queue(maxsize=max(QUEUED, 2 * count))
        self._error: Exception | None = None
        self._abandoned = False
        self._threads = [Thread(target=self._work, name=f"convert-{n}", daemon=True) for n in range(count)]

    def __enter__(self) -> FrameConverter:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._abandoned = kind is not None
        for _thread in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def submit(self, frame: VideoFrame, targets: _Targets) -> None:
        """Queue ``frame`` for writing into ``targets``, ``[H, W, 3]``. Raises DecodeError if an earlier one failed."""
        self._raise_error()
        self._queue.put((frame, targets))

    def wait(self) -> None:
        """Wait until all queued frames are written. Raises DecodeError if one failed."""
        self._queue.join()
        self._raise_error()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise DecodeError(f"A frame of {self._name} cannot be converted to RGB: {self._error}") from self._error

    def _work(self) -> None:
        scaler = new_scaler()
        np.setbufsize(BUFFERED)  # of this thread alone
        while (item := self._queue.get()) is not None:
            try:
                if self._error is None and not self._abandoned:
                    convert(scaler, item[0], self._geometry, self._orientation, item[1])
            except Exception as error:
                self._error = error
            finally:
                # Return the frame to the decoder's pool now, not when the next one arrives.
                del item
                self._queue.task_done()
        self._queue.task_done()


def convert(scaler: Scaler, frame: VideoFrame, geometry: Geometry, orientation: Orientation, targets: _Targets) -> None:
    """Write ``frame``, scaled and upright, into each of ``targets`` as RGB in 0..1."""
    # Scaling happens before rotation, so a quarter turn swaps the sides.
    width, height = orientation.size(*geometry.scaled)
    made = scaler(frame, width, height)
    parts, white = _parts(made, height, width), 255.0 if made.format.name == RGB_BYTES else white_of(frame)
    for target in targets:
        if geometry.is_padded:
            target[...] = 0
        for channels, part in parts:
            here, there = _overlap(orientation.apply(part), target[..., channels])
            np.divide(here, np.float32(white), out=there, dtype=np.float32)
        if made.format.name == RGB_FLOATS:
            # What is brighter than white is not clipped by swscale.
            np.minimum(target, np.float32(1), out=target)


def _parts(made: VideoFrame, height: int, width: int) -> list[tuple[slice, NDArray[Any]]]:
    """The channels of a target, and views of the frame with these. Each line of a plane may end in padding."""
    if made.format.name == RGB_BYTES:
        return [(slice(0, 3), _lines(made.planes[0], np.uint8, height)[:, : width * 3].reshape(height, width, 3))]
    # The planes are green, blue and red.
    return [
        (slice(channel, channel + 1), _lines(plane, np.float32, height)[:, :width, np.newaxis])
        for plane, channel in zip(made.planes, (1, 2, 0), strict=True)
    ]


def _lines(plane: VideoPlane, kind: type[np.generic], height: int) -> NDArray[Any]:
    # A plane is a buffer, although PyAV's stubs do not say so.
    return np.frombuffer(cast(Any, plane), dtype=kind).reshape(height, -1)


def _overlap(picture: NDArray[Any], target: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Centered views of both arrays, with the smaller one's height and width."""
    height, width = min(picture.shape[0], target.shape[0]), min(picture.shape[1], target.shape[1])
    return _crop_center(picture, height, width), _crop_center(target, height, width)


def _crop_center(array: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    top, left = (array.shape[0] - height) // 2, (array.shape[1] - width) // 2
    return array[top : top + height, left : left + width]


def _thread_count() -> int:
    # Half of the cores; the decoder needs the others. A container may have fewer cores than the machine.
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(FEWEST_THREADS, min(MOST_THREADS, cores // 2))
