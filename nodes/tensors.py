"""The only room that knows torch: ComfyUI's IMAGE and AUDIO to numpy arrays and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..grok_imagine.media.clip import Audio


def to_pixels(batch: torch.Tensor) -> list[NDArray[np.float32]]:
    """Every image of an IMAGE ``[B, H, W, C]``, in order, as ``[H, W, C]``. A single ``[H, W, C]`` is taken too."""
    images = batch if batch.ndim == 4 else batch.unsqueeze(0)
    return [image.detach().to("cpu", torch.float32).numpy() for image in images]


def to_image(frames: NDArray[np.float32]) -> torch.Tensor:
    """An IMAGE that shares its memory with ``frames``: a clip of seconds takes gigabytes, so it is not copied."""
    return torch.from_numpy(frames)


def to_audio(audio: Audio | None) -> dict[str, Any] | None:
    """ComfyUI's AUDIO, or None for a silent film, as ComfyUI's own nodes give it."""
    if audio is None:
        return None
    return {"waveform": torch.from_numpy(audio.samples), "sample_rate": audio.rate}
