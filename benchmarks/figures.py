"""Names and medians, for the page and its plot."""

from __future__ import annotations

import statistics
from collections.abc import Callable
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
    """Over the runs of one decoder; None where there is none. Of ``seconds``, over all decodes of all rounds."""
    values = every(told, name) if field == "seconds" else _fields(told, name, field)
    return statistics.median(values) if values else None


def at_best(told: dict[str, Any], name: str) -> float | None:
    """The seconds of each round's fastest decode, their median: what the machine does when its memory is at hand."""
    values = _fields(told, name, "seconds")
    return statistics.median(values) if values else None


def every(told: dict[str, Any], name: str) -> list[float]:
    """The seconds of every decode."""
    return [seconds for run in told.get(name, {}).get("runs", []) for seconds in run["all"]]


def _fields(told: dict[str, Any], name: str, field: str) -> list[float]:
    return [run[field] for run in told.get(name, {}).get("runs", []) if field in run]


def memory(told: dict[str, Any], name: str) -> float | None:
    """The median of the peak over the tensor's size."""
    peaks = [run["peak"] / run["bytes"] for run in told.get(name, {}).get("runs", []) if "bytes" in run]
    return statistics.median(peaks) if peaks else None


def fastest_peer(told: dict[str, Any], seconds: Callable[[str], float | None]) -> tuple[str, float] | None:
    """Who takes the fewest ``seconds``, but for this project's, ComfyUI's, the limits and what was tuned here."""
    peers = [(name, seconds(name)) for name in told if name not in NO_PEERS]
    known = [(name, one) for name, one in peers if one is not None]
    return min(known, key=lambda one: one[1]) if known else None


def digits(seconds: float) -> str:
    """Two digits that count, and no more than thousandths."""
    return f"{seconds:.3f}" if seconds < 0.1 else f"{seconds:.2f}"
