"""Frame sizes: the tier gives the short side, the ratio the long one; H.264 in 4:2:0 wants both even."""

from __future__ import annotations

FPS = 24
SAMPLE_RATE = 48_000
SHORT_SIDE = {"480p": 480, "720p": 720, "1080p": 1080}
RATIOS: dict[str, tuple[int, int]] = {
    "16:9": (16, 9),
    "9:16": (9, 16),
    "1:1": (1, 1),
    "3:2": (3, 2),
    "2:3": (2, 3),
    "4:3": (4, 3),
    "3:4": (3, 4),
}
WIDEST, TALLEST = 16 / 9, 9 / 16


def frame_size(tier: str, ratio: str) -> tuple[int, int]:
    """Width and height of a standard ratio. 480p widescreen is 848 wide, as everywhere, not 854."""
    across, down = RATIOS[ratio]
    short = SHORT_SIDE[tier]
    long = 848 if short == 480 and {across, down} == {16, 9} else _even(short * max(across, down) / min(across, down))
    return (long, short) if across >= down else (short, long)


def size_like(tier: str, width: int, height: int) -> tuple[int, int]:
    """The size that follows a picture: its own ratio, within 9:16 and 16:9, snapped to a standard one nearby."""
    aspect = min(max(width / height, TALLEST), WIDEST)
    for ratio, (across, down) in RATIOS.items():
        if abs(aspect / (across / down) - 1) < 0.01:
            return frame_size(tier, ratio)
    short = SHORT_SIDE[tier]
    return (_even(short * aspect), short) if aspect >= 1 else (short, _even(short / aspect))


def ratio_name(width: int, height: int) -> str:
    """The standard ratio of a size, else its own numbers."""
    for ratio in RATIOS:
        if any(frame_size(tier, ratio) == (width, height) for tier in SHORT_SIDE):
            return ratio
    return f"{width}:{height}"


def _even(value: float) -> int:
    return round(value / 2) * 2
