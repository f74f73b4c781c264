"""Converts ComfyUI's IMAGE and AUDIO to numpy arrays and back. Only this module imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import torch

from ...grok_imagine.errors import RequestError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...grok_imagine.media.clip import Audio
    from ...grok_imagine.media.frames.resize import Resize


class AudioValue(TypedDict):
    """ComfyUI's AUDIO: samples as ``[batch, channels, samples]``, and samples per second."""

    waveform: torch.Tensor
    sample_rate: int


def to_pixels(batch: torch.Tensor) -> list[NDArray[np.float32]]:
    """Every image of an IMAGE ``[B, H, W, C]``, in order, as ``[H, W, C]``. A single ``[H, W, C]`` is taken too.

    Bytes become floats in 0..1. Raises RequestError for other integers, whose range is not known, and for an empty
    batch: a clip made without its images would be another one than was meant.
    """
    if not batch.numel():
        shape = "x".join(str(side) for side in batch.shape)
        raise RequestError(
            f"A connected image batch is empty ({shape}): connect at least one image. Nothing was sent or charged."
        )
    images = batch if batch.ndim == 4 else batch.unsqueeze(0)
    if batch.dtype == torch.uint8:
        images = images / 255
    elif not batch.is_floating_point() and batch.dtype != torch.bool:
        raise RequestError(f"An image holds {batch.dtype} values. Convert it to floats from 0 to 1.")
    return [image.detach().to("cpu", torch.float32).numpy() for image in images]


def to_image(frames: NDArray[np.float32]) -> torch.Tensor:
    """An IMAGE that shares its memory with ``frames``: a clip of seconds takes gigabytes, so it is not copied."""
    return torch.from_numpy(frames)


def to_audio(audio: Audio | None) -> AudioValue | None:
    """ComfyUI's AUDIO, or None for a silent video, as ComfyUI's own nodes give it."""
    if audio is None:
        return None
    return {"waveform": torch.from_numpy(audio.samples), "sample_rate": audio.rate}


def pick(batch: torch.Tensor, positions: NDArray[np.int64], resize: Resize) -> torch.Tensor:
    """The images at ``positions`` of an IMAGE, resized. The IMAGE itself if that is all of them as they are."""
    geometry = resize.geometry(batch.shape[2], batch.shape[1])
    if geometry.output == (batch.shape[2], batch.shape[1]):
        return batch if list(positions) == list(range(len(batch))) else batch[torch.from_numpy(positions)]
    made = torch.zeros(len(positions), geometry.output[1], geometry.output[0], batch.shape[3])
    for place, position in zip(made, positions, strict=True):
        image = batch[int(position)].movedim(-1, 0).unsqueeze(0).to(torch.float32)
        size = geometry.scaled[::-1]
        scaled = torch.nn.functional.interpolate(image, size, mode="bicubic", antialias=True)[0].clamp(0, 1)
        height, width = min(size[0], place.shape[0]), min(size[1], place.shape[1])
        _middle(place, height, width).copy_(_middle(scaled.movedim(0, -1), height, width))
    return made


def _middle(image: torch.Tensor, height: int, width: int) -> torch.Tensor:
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def cut(audio: AudioValue | None, start: float, duration: float, is_whole: bool) -> AudioValue | None:
    """An AUDIO from ``start`` on for ``duration``, in seconds; None if nothing of it sounds then."""
    if audio is None or is_whole:
        return audio
    rate = int(audio["sample_rate"])
    first = round(start * rate)
    part = audio["waveform"][..., first : first + round(duration * rate)]
    return {**audio, "waveform": part.clone()} if part.shape[-1] else None
