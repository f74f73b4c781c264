"""A VIDEO as ComfyUI 0.35 and later have it: a file of which it shows a part in time and a rectangle, lazily."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import numpy as np


class EditedVideo:
    """``crop`` is x, y, width, height. The length of a crop is that of the file."""

    def __init__(
        self,
        file: Any,
        *,
        start_time: float = 0,
        duration: float = 0,
        crop: tuple[int, int, int, int] | None = None,
    ) -> None:
        self.__file, self.__start_time, self.__duration, self.__crop = file, start_time, duration, crop

    def get_stream_source(self) -> Any:
        return self.__file

    def get_active_trim_window(self) -> tuple[float, float]:
        return self.__start_time, self.__duration

    def get_dimensions(self) -> tuple[int, int]:
        with av.open(self.__file) as container:
            stream = container.streams.video[0]
            return self.__crop[2:] if self.__crop else (stream.width, stream.height)

    def get_duration(self) -> float:
        with av.open(self.__file) as container:
            rest = container.duration / av.time_base - self.__start_time
        return min(self.__duration, rest) if self.__duration else rest

    def get_components(self) -> Any:
        import torch

        pixels, rate = self._pixels()
        return SimpleNamespace(images=torch.from_numpy(pixels).float() / 255, audio=None, frame_rate=rate)

    def save_to(self, path: str) -> None:
        pixels, rate = self._pixels()
        with av.open(path, "w") as container:
            stream: Any = container.add_stream("libx264", rate=rate)
            stream.height, stream.width = pixels.shape[1:3]
            stream.pix_fmt = "yuv420p"
            for image in pixels:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())

    def _pixels(self) -> tuple[Any, Fraction]:
        x, y, width, height = self.__crop or (0, 0, 1 << 20, 1 << 20)
        with av.open(self.__file) as container:
            rate = Fraction(container.streams.video[0].average_rate or 1)
            end = self.__start_time + (self.__duration or 1e9)
            frames = [
                frame.to_ndarray(format="rgb24")[y : y + height, x : x + width]
                for frame in container.decode(video=0)
                if self.__start_time <= (frame.time or 0) < end
            ]
        return np.stack(frames), rate


EditedVideo.__name__ = "VideoFromFile"
