"""Writes docs/benchmarks.md, with its plot, from what the other programs here have kept in artifacts/bench."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import kept
import plot
from decode import CASES, FEWER_TIMES, ROUNDS, TIMES
from figures import LIMITS, NAMES, at_best, digits, every, fastest_peer, median, memory, title

HEAD = """# Benchmarks

`make bench` measures everything here anew; with `COMFYUI_PATH` and `COMFYUI_PYTHON` set, beside that ComfyUI. Each
figure is the median over fresh processes that take turns, so what disturbs one disturbs the others too: read ratios
rather than seconds.
"""
DECODING = """Every decoder ends with the same tensor, float32 `[N, H, W, 3]` in 0..1. Load Video Frames and ComfyUI
also decode the sound, the others do not. Each round starts a process for each decoder, which forks before it has
decoded anything, several times one after the other: {times} for clips of 6 s, {fewer} for longer ones.

Two figures come of that. *Seconds* is the median over all decodes of all rounds. *At best* is the median over each
round's fastest: a virtual machine that gives what is freed back to its host has to fetch it again page by page, whole
seconds for what takes tenths on a machine that owns its memory. At best most of it was at hand; where even *limit:
memory only* comes near to a whole decode, it was not.

*OpenCV, tuned here* is nobody's loader: a loop of this project's own, into one array like its decoder's, to see how
far OpenCV could be brought.

The clips are the sandbox's films with grain on them, H.264 with a key frame every 2 s and AAC, 5 Mbit/s at 720p and 2
at 480p. The last frame needs its own group of frames alone, so the gain depends on how far key frames lie apart.
"""
COLUMNS = """In the tables, *CPU* is the processor time of all threads in the fastest decode of a round,
*memory* the process's peak above what it had before, over the size of the tensor, and *difference* is to PyAV's own
RGB, in 8-bit steps, the mean and the largest.
"""
UPLOADS = """Seven references of 2048 × 2048 as float tensors, encoded and put into an S3 server on loopback. ComfyUI
is the conversion of its own API nodes (`tensor_to_bytesio`, PNG) with a PUT to the same server; providers here take
10 MB for an image. *Memory* is the peak beyond the tensors themselves.
"""
START = """What the pack adds to ComfyUI's start: its import, its entry point, its routes and the schemas of all
nodes, in {host}, with what ComfyUI itself has loaded before not counted.
"""
JOBS = """Jobs that wait at a provider in one process, at reAPI's documented pace: a poll every five seconds, a
progress tick every second. *Loop* is the longest that the event loop kept a timer of 10 ms waiting.
"""


def table(*rows: list[str]) -> list[str]:
    """Lines of Markdown; the first row is the head."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return [head, "| " + " | ".join("---" for _ in rows[0]) + " |", *body, ""]


def decoding(kept_before: dict[str, Any]) -> list[str]:
    """The plot, what it comes to, all cases in one table, and each for itself."""
    found: dict[str, dict[str, Any]] = kept_before.get("cases", {})
    cases = {case: found[case] for case in CASES if found.get(case, {}).get("ours", {}).get("runs")}
    fewest = min((len(told["ours"]["runs"]) for told in cases.values()), default=0)
    if not cases:
        return []
    plot.draw(cases, kept.ROOT / "docs" / "img")
    shown = [name for name in NAMES if any(name in told for told in cases.values())]
    few = f"The fewest rounds of a clip are {fewest}; each table below says its own." if fewest < ROUNDS else ""
    lines = [
        "## Decoding",
        "",
        DECODING.format(times=_word(TIMES), fewer=_word(FEWER_TIMES)),
        *([few, ""] if few else []),
        *headline(cases),
        "",
        "![Seconds for each decoder](img/decode.png)",
        "",
    ]
    lines += ["Seconds:", "", *table(["Clip", *(NAMES[name] for name in shown)], *overview(cases, shown))]
    lines += [
        f"*ComfyUI* is {kept_before['comfyui'] or 'left out'}. Measured on {kept_before['machine']}.",
        "",
        COLUMNS,
    ]
    for case, told in cases.items():
        lines += [f"### {title(case)}", "", *table(*details(told))]
    return lines


def overview(cases: dict[str, dict[str, Any]], shown: list[str]) -> list[list[str]]:
    """A row for each case."""
    rows: list[list[str]] = []
    for case, told in cases.items():
        cells = [median(told, name, "seconds") for name in shown]
        faults = [told.get(name, {}).get("fault", "") for name in shown]
        texts = [fault if one is None else digits(one) for one, fault in zip(cells, faults, strict=True)]
        rows.append([title(case), f"**{texts[0]}**", *texts[1:]])
    return rows


def headline(cases: dict[str, dict[str, Any]]) -> list[str]:
    """What it comes to: a table of the full decodes, and a word on the last frame."""
    head = ["All frames", "seconds", "faster than ComfyUI", "than the fastest other", "than tuned OpenCV"]
    rows = [[*head, "time over the limit", "memory"]]
    for case, told in cases.items():
        if not case.endswith("full"):
            continue
        name, peak = title(case).split(":")[0], f"{memory(told, 'ours') or 0:.2f}"
        rows.append([name, *_ratios(told, lambda one, told=told: median(told, one, "seconds")), peak])
        rows.append([f"{name}, at best", *_ratios(told, lambda one, told=told: at_best(told, one)), ""])
    lines = [*table(*rows), "*Limit* is the time of decoding to nothing, *memory* the peak over the tensor's size.", ""]
    whole, last = (median(cases.get(f"720p-30s-{task}", {}), "ours", "seconds") for task in ("full", "last"))
    if whole and last:
        lines.append(
            f"The last frame of 30 s at 720p takes {digits(last)} s: {whole / last:.0f} times faster than all."
        )
    return lines


def _ratios(told: dict[str, Any], seconds: Callable[[str], float | None]) -> list[str]:
    """This decoder beside ComfyUI's, the fastest other, OpenCV tuned here, and the limit."""
    ours, peer = seconds("ours") or 1, fastest_peer(told, seconds)
    comfyui, tuned, nothing = (seconds(name) for name in ("comfyui", "opencv_tuned", "nothing"))
    return [
        digits(ours),
        f"**{comfyui / ours:.1f} ×**" if comfyui else "does not fit",
        f"**{peer[1] / ours:.1f} ×** ({NAMES[peer[0]]})" if peer else "",
        f"{tuned / ours:.1f} ×" if tuned else "",
        f"{ours / nothing:.2f}" if nothing else "",
    ]


def details(told: dict[str, Any]) -> list[list[str]]:
    """One case, a row for each decoder."""
    head = ["Decoder", "rounds", "seconds", "fastest, slowest", "× ours", "at best", "× ours at best", "CPU seconds"]
    rows = [[*head, "memory", "difference"]]
    ours, best_ours = median(told, "ours", "seconds") or 1, at_best(told, "ours") or 1
    for name in (one for one in NAMES if one in told):
        runs, seconds, best = told[name]["runs"], median(told, name, "seconds"), at_best(told, name)
        if seconds is None or best is None:
            rows.append([NAMES[name], "0", told[name]["fault"], *[""] * 7])
            continue
        peak = None if name in LIMITS else memory(told, name)
        compared = next((run for run in runs if "mean" in run), None)
        rows.append(
            [
                *(NAMES[name], str(len(runs)), digits(seconds)),
                ", ".join(digits(pick(every(told, name))) for pick in (min, max)),
                *(f"{seconds / ours:.2f}", digits(best), f"{best / best_ours:.2f}"),
                f"{median(told, name, 'cpu') or 0:.2f}",
                f"{peak:.2f}" if peak else "",
                f"{compared['mean']:.2f}, {compared['most']:.0f}" if compared else "",
            ]
        )
    return rows


def _word(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def uploads(kept_before: dict[str, Any]) -> list[str]:
    """Images on their way to a store."""
    if not kept_before:
        return []
    rows = [["Pictures", "who", "seconds", "memory, MB", "uploaded, MB", "format", "PSNR of the first", "too large"]]
    for kind, told in kept_before["kinds"].items():
        for who, one in told.items():
            name = "this pack" if who == "ours" else kept_before["comfyui"]
            nearness = "exact" if one["psnr"] == float("inf") else f"{one['psnr']:.1f} dB"
            row = [kind, name, f"{one['seconds']:.2f}", f"{one['peak_mb']:.0f}", f"{one['mb']:.1f}"]
            rows.append([*row, one["format"], nearness, f"{one['too_large']} of 7"])
    runs = next(iter(next(iter(kept_before["kinds"].values())).values()))["runs"]
    foot = f"`python benchmarks/upload_encoding.py`, medians of {runs}. Measured on {kept_before['machine']}."
    return ["## Images on their way to a store", "", UPLOADS, *table(*rows), foot, ""]


def start(kept_before: dict[str, Any]) -> list[str]:
    """Import time."""
    if not kept_before:
        return []
    totals = [run["import"] + run["nodes"] for run in kept_before["runs"]]
    text = f"Median **{statistics.median(totals):.0f} ms** of {len(totals)} fresh processes, from {min(totals):.0f} to "
    text += f"{max(totals):.0f} ms; the limit that is checked is {kept_before['limit_ms']:.0f} ms. "
    text += f"`python benchmarks/import_time.py`, measured on {kept_before['machine']}."
    return ["## ComfyUI's start", "", START.format(host=kept_before["host"]), text, ""]


def waiting(kept_before: dict[str, Any]) -> list[str]:
    """Waiting jobs."""
    if not kept_before:
        return []
    rows = [
        ["Jobs", "CPU of one core", "CPU seconds for a job and minute", "memory for a job", "memory in all", "loop"]
    ]
    for one in kept_before["rows"]:
        # A few jobs weigh less than what the process sets up for the first.
        each = f"{one['kb_per_job']:.0f} KB" if one["jobs"] >= 100 else ""
        row = [str(one["jobs"]), f"{one['cpu_share'] * 100:.1f} %", f"{one['cpu_per_job_minute']:.3f}"]
        rows.append([*row, each, f"{one['rss_mb']:.0f} MB", f"{one['latest_ms']:.0f} ms"])
    foot = f"`python benchmarks/many_jobs.py`, measured on {kept_before['machine']}."
    return ["## Waiting jobs", "", JOBS, *table(*rows), foot, ""]


def main() -> None:
    """Write the page."""
    parts = {"decode": decoding, "upload": uploads, "import_time": start, "many_jobs": waiting}
    lines = [HEAD, *(line for name, write in parts.items() for line in write(kept.load(name)))]
    (kept.ROOT / "docs" / "benchmarks.md").write_text("\n".join(lines).rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    main()
