"""Threads that turn decoded frames into RGB floats, each frame straight into its place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import Any, cast

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from ...errors import DecodeError
from ..orientation import Orientation
from .resize import Geometry
from .scale import Scaler, new_scaler

# One alone would stand still whenever a page is touched for the first time and the system has to find it: where a
# virtual machine's memory is with its host, that is most of the time, and two made a decode 1.4 to 1.9 times as fast.
# More threads than eight only wait for the memory.
FEWEST_THREADS, MOST_THREADS = 2, 8

# So many frames may wait for a converter, or twice as many as there are converters: with two, the decoder stood still
# now and then, and a whole decode took 5 to 7 % longer. Each is a frame of YUV, an eighth of the floats' size.
QUEUED = 6

# NumPy turns bytes into floats so many at a time before it divides them. With its usual 8192 a frame takes a sixth
# longer: 32 KB of floats crowd out what else the first cache holds.
BUFFERED = 1024

_Places = Sequence[NDArray[np.float32]]
_Item = tuple[VideoFrame, _Places]


class Converters:
    """A context with a few threads behind a short queue.

    The queue is bounded, so decoded frames do not pile up. A thread that fails keeps emptying the queue: else the
    decoder would wait for ever. On leaving, all threads are joined; after an exception they drop what is queued.
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

    def give(self, frame: VideoFrame, places: _Places) -> None:
        """Has ``frame`` written into each of ``places``, ``[H, W, 3]``. Raises DecodeError if an earlier one failed."""
        self._raise()
        self._queue.put((frame, places))

    def settle(self) -> None:
        """Waits until every frame given so far is in its place. Raises DecodeError if one failed."""
        self._queue.join()
        self._raise()

    def _raise(self) -> None:
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
                # The frame goes back to the decoder's pool now, not when the next one comes.
                del item
                self._queue.task_done()
        self._queue.task_done()


def convert(scaler: Scaler, frame: VideoFrame, geometry: Geometry, orientation: Orientation, places: _Places) -> None:
    """Writes ``frame``, scaled and turned upright, into each of ``places`` as RGB in 0..1."""
    # A quarter turn has the same two sides, the other way round.
    width, height = orientation.size(*geometry.scaled)
    rgb = scaler(frame, width, height)
    plane = rgb.planes[0]
    # The stubs of PyAV do not say that a plane is a buffer. Each of its lines may end in padding.
    lines: NDArray[np.uint8] = np.frombuffer(cast(Any, plane), dtype=np.uint8).reshape(height, plane.line_size)
    picture = orientation.upright(lines[:, : width * 3].reshape(height, width, 3))
    for place in places:
        if geometry.is_padded:
            place[...] = 0
        here, there = _overlap(picture, place)
        np.divide(here, np.float32(255), out=there, dtype=np.float32)


def _overlap(picture: NDArray[np.uint8], place: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The middle of both, as large as the smaller one along each side."""
    height, width = min(picture.shape[0], place.shape[0]), min(picture.shape[1], place.shape[1])
    return _middle(picture, height, width), _middle(place, height, width)


def _middle(array: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    top, left = (array.shape[0] - height) // 2, (array.shape[1] - width) // 2
    return array[top : top + height, left : left + width]


def _thread_count() -> int:
    # Half of the cores: the decoder needs the other half. A container may own fewer cores than the machine has.
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(FEWEST_THREADS, min(MOST_THREADS, cores // 2))
