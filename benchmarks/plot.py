"""The plot of what decode.py has measured: a panel of bars for each case, the shortest bar the best."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from figures import NAMES, digits, median, title
from matplotlib import pyplot
from matplotlib.axes import Axes

COLUMNS = 3
OURS, COMFYUI, OTHERS, LIMIT, INK, FAINT = "#2563eb", "#c2410c", "#a3acb9", "#e5e8ee", "#1f2937", "#6b7280"
COLOURS = {"ours": OURS, "comfyui": COMFYUI, "opencv_tuned": LIMIT, "nothing": LIMIT, "memory": LIMIT}
HEADROOM = 1.55
"""Beside the longest bar there must be room for its label."""


def draw(cases: dict[str, dict[str, Any]], folder: Path) -> None:
    """``decode.png`` and ``decode.svg`` in ``folder``."""
    columns = min(COLUMNS, len(cases))
    rows = -(-len(cases) // columns)
    pyplot.rcParams.update({"font.size": 8, "text.color": INK, "svg.hashsalt": "decode", "svg.fonttype": "none"})
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(0.6 + 3.8 * columns, 0.7 + 2.15 * rows), squeeze=False, layout="constrained"
    )
    figure.suptitle(
        "Seconds until the tensor is there; shorter is better", x=0.01, ha="left", fontsize=12, weight="bold"
    )
    panels = grid.flatten()
    for axis, (case, told) in zip(panels, cases.items(), strict=False):
        _panel(axis, case, told)
    for axis in panels[len(cases) :]:
        axis.axis("off")
    figure.savefig(folder / "decode.png", dpi=110)
    figure.savefig(folder / "decode.svg", metadata={"Date": None})


def _panel(axis: Axes, case: str, told: dict[str, Any]) -> None:
    names = [name for name in NAMES if name in told][::-1]
    ours = median(told, "ours", "seconds") or 1
    seconds = [median(told, name, "seconds") for name in names]
    longest = max(one for one in seconds if one is not None)
    axis.barh(range(len(names)), [one or 0 for one in seconds], color=[COLOURS.get(name, OTHERS) for name in names])
    for place, (name, one) in enumerate(zip(names, seconds, strict=True)):
        if one is None:
            text = told[name]["fault"]
        else:
            text = f"{digits(one)} s" + ("" if name == "ours" else f"  {one / ours:.1f} ×")
        is_ours = name == "ours"
        weight, colour = ("bold", OURS) if is_ours else ("normal", FAINT if one is None else INK)
        axis.text((one or 0) + longest * 0.015, place, text, va="center", fontsize=8, weight=weight, color=colour)
    axis.set_yticks(range(len(names)), [NAMES[name] for name in names])
    for label, name in zip(axis.get_yticklabels(), names, strict=True):
        label.set_color(FAINT if COLOURS.get(name) == LIMIT else OURS if name == "ours" else INK)
    axis.set_title(title(case), loc="left", fontsize=9.5, weight="bold")
    axis.set_xlim(0, longest * HEADROOM)
    axis.set_xticks([])
    axis.tick_params(left=False)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.spines["left"].set_color(LIMIT)
