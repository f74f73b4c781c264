"""The page and the plot of what decode.py has measured."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

NAMES = {
    "ours": "Load Video Frames",
    "comfyui": "ComfyUI",
    "torchcodec": "torchcodec",
    "decord": "decord",
    "opencv": "OpenCV, into one array",
    "pyav": "PyAV, list and stack",
    "nothing": "limit: decoded to nothing",
    "memory": "limit: memory written once",
}
TASKS = {
    "full": "all frames",
    "every8": "every 8th frame",
    "window": "2 s from the middle",
    "resized": "all frames, longest side 512",
    "last": "the last frame",
}
OURS, OTHERS, LIMIT = "#1f77b4", "#9aa0a6", "#d9dce0"
HEAD = """# Benchmarks

`make bench` measures everything here anew. Each figure is the median over fresh processes that take turns, so what
disturbs one decoder disturbs the others too; read ratios rather than seconds. Every decoder ends with the same tensor:
float32 `[N, H, W, 3]` in 0..1. Load Video Frames and ComfyUI also decode the sound, the others do not. *CPU* is the
processor time of all threads; *memory* is the process's peak above what it had before, over the size of the tensor;
*difference* is to PyAV's own RGB, in 8-bit steps, the mean and the largest. Before each measurement another process
takes and frees as much memory, so that a virtual machine has it at hand.

The clips are the sandbox's films with grain on them, H.264 with a key frame every 2 s and AAC, 5 Mbit/s at 720p and 2
at 480p. The last frame needs its own group of frames alone, so the gain depends on how far key frames lie apart.
"""


def write(results: dict[str, Any], machine: str, folder: Path) -> None:
    """``benchmarks.md``, ``decode.png`` and ``decode.svg`` in ``folder``."""
    folder.mkdir(exist_ok=True)
    measured = {case: told for case, told in results.items() if told.get("ours", {}).get("runs")}
    plot(measured, folder)
    page = [HEAD, f"Measured on {machine}.\n", "![Seconds for each decoder](decode.png)\n"]
    for case, told in measured.items():
        page += ["", f"## {_title(case)}", "", *_table(told)]
    (folder / "benchmarks.md").write_text("\n".join(page) + "\n", "utf-8")


def _title(case: str) -> str:
    tier, length, task = case.split("-")
    return f"{tier}, {length.rstrip('s')} s: {TASKS[task]}"


def _median(told: dict[str, Any], name: str, field: str) -> float | None:
    values = [run[field] for run in told.get(name, {}).get("runs", []) if field in run]
    return statistics.median(values) if values else None


def _table(told: dict[str, Any]) -> list[str]:
    lines = ["| Decoder | runs | seconds | × ours | CPU seconds | memory | difference |", "| --- " * 7 + "|"]
    ours = _median(told, "ours", "seconds") or 1
    for name, one in told.items():
        seconds = _median(told, name, "seconds")
        if seconds is None:
            lines.append(f"| {NAMES[name]} | 0 | {one['fault']} | | | | |")
            continue
        peaks = [run["peak"] / run["bytes"] for run in one["runs"] if "bytes" in run]
        memory = f"{statistics.median(peaks):.2f}" if peaks else ""
        compared = next((run for run in one["runs"] if "mean" in run), None)
        apart = f"{compared['mean']:.2f}, {compared['most']:.0f}" if compared else ""
        cpu = _median(told, name, "cpu") or 0
        lines.append(
            f"| {NAMES[name]} | {len(one['runs'])} | {seconds:.2f} | {seconds / ours:.2f} | {cpu:.2f} "
            f"| {memory} | {apart} |"
        )
    return lines


def plot(measured: dict[str, Any], folder: Path) -> None:
    """One row of bars for each case, the shortest the best."""
    if not measured:
        return
    figure, axes = pyplot.subplots(
        len(measured), 1, figsize=(8, 0.5 + 2.3 * len(measured)), squeeze=False, layout="constrained"
    )
    for axis, (case, told) in zip(axes[:, 0], measured.items(), strict=True):
        names = [name for name in NAMES if _median(told, name, "seconds") is not None][::-1]
        seconds = [_median(told, name, "seconds") or 0 for name in names]
        colours = [OURS if name == "ours" else LIMIT if NAMES[name].startswith("limit") else OTHERS for name in names]
        bars = axis.barh([NAMES[name] for name in names], seconds, color=colours)
        axis.bar_label(bars, [f"{value:.2f} s" for value in seconds], padding=4, fontsize=8)
        axis.set_title(_title(case), loc="left", fontsize=10, fontweight="bold")
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        axis.margins(x=0.12)
    axes[-1, 0].set_xlabel("seconds, median; shorter is better", fontsize=8)
    figure.savefig(folder / "decode.png", dpi=120)
    figure.savefig(folder / "decode.svg")
