"""Names and medians, for the page and its plot."""

from __future__ import annotations

import statistics
from typing import Any

NAMES = {
    "ours": "Load Video Frames",
    "comfyui": "ComfyUI",
    "torchcodec": "torchcodec",
    "decord": "decord",
    "opencv": "OpenCV, list and stack",
    "pyav": "PyAV, list and stack",
    "opencv_tuned": "OpenCV, tuned here",
    "nothing": "limit: decode only",
    "memory": "limit: memory only",
}
LIMITS = ("nothing", "memory")
NO_PEERS = ("ours", "comfyui", "opencv_tuned", *LIMITS)
TASKS = {
    "full": "all frames",
    "every8": "every 8th frame",
    "window": "2 s from the middle",
    "resized": "resized to 512",
    "last": "the last frame",
}


def title(case: str) -> str:
    """``720p-6s-full`` in words."""
    tier, length, task = case.split("-")
    return f"{tier}, {length.rstrip('s')} s: {TASKS[task]}"


def median(told: dict[str, Any], name: str, field: str) -> float | None:
    """Over the runs of one decoder; None where there is none."""
    values = [run[field] for run in told.get(name, {}).get("runs", []) if field in run]
    return statistics.median(values) if values else None


def memory(told: dict[str, Any], name: str) -> float | None:
    """The median of the peak over the tensor's size."""
    peaks = [run["peak"] / run["bytes"] for run in told.get(name, {}).get("runs", []) if "bytes" in run]
    return statistics.median(peaks) if peaks else None


def fastest_peer(told: dict[str, Any]) -> tuple[str, float] | None:
    """The fastest decoder that is neither this project's nor ComfyUI's nor a limit nor tuned here, and its median."""
    peers = [(name, median(told, name, "seconds")) for name in told if name not in NO_PEERS]
    known = [(name, seconds) for name, seconds in peers if seconds is not None]
    return min(known, key=lambda one: one[1]) if known else None


def digits(seconds: float) -> str:
    """Two digits that count, and no more than thousandths."""
    return f"{seconds:.3f}" if seconds < 0.1 else f"{seconds:.2f}"
