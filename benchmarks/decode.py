"""Measures this decoder beside others: fresh processes, interleaved, medians; then the page, the table and the plot.

``python benchmarks/decode.py`` does it all. ``--rounds 1 --case 720p-6s-full`` adds one round of one case to
artifacts/bench/decode.json, where everything that was measured is kept; ``--report`` writes docs/benchmarks.md from it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import clips
import decode_report
import psutil

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "artifacts" / "bench"
RESULTS = FOLDER / "decode.json"
LIMITS = ("nothing", "memory")
ALL = ("ours", "comfyui", "torchcodec", "decord", "opencv", "pyav")
# ComfyUI's decoder needs three times the 8 GB that thirty seconds at 720p take; where that is not there, it says so.
CASES: dict[str, tuple[str, int, str, tuple[str, ...]]] = {
    f"{tier}-{seconds}s-{task}": (tier, seconds, task, ALL + (LIMITS if task == "full" else ()))
    for tier, seconds, tasks in (
        ("720p", 6, ("full", "every8", "window", "resized", "last")),
        ("720p", 30, ("full", "every8", "window", "last")),
        ("480p", 6, ("full",)),
        ("480p", 30, ("full", "resized")),
    )
    for task in tasks
}
PEAKS = {"comfyui": 3.1, "opencv": 1.2, "ours": 1.2, "nothing": 0.2, "memory": 1.1}
"""How many times the whole tensor a decoder takes at most; the others stay below 2.5."""
SHARES = {"window": 0.5, "last": 0.1}
"""How much of the tensor is there, at most, where a decoder need not load it all."""
SPARE = 1_500_000_000


def measure(name: str, task: str, clip: Path, compare: bool) -> dict[str, Any] | str:
    """One fresh process, or why there was none."""
    with av.open(str(clip)) as container:
        video = container.streams.video[0]
        whole = video.frames * video.width * video.height * 12
    needed = int(whole * PEAKS.get(name, 2.5) * SHARES.get(task, 1))
    if needed > psutil.virtual_memory().available - SPARE:
        return f"needs {needed / 1e9:.0f} GB"
    python = os.environ.get("COMFYUI_PYTHON", sys.executable) if name == "comfyui" else sys.executable
    command = [python, str(ROOT / "benchmarks" / "decoders.py"), name, task, str(clip), str(needed)]
    done = subprocess.run(
        [*command, "compare" if compare else ""], capture_output=True, text=True, check=False, env=_environment()
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:200]
    return json.loads(done.stdout.splitlines()[-1])


def _environment() -> dict[str, str]:
    """torchcodec brings no FFmpeg: it is given the one that PyAV brings, by the names that it looks for."""
    libraries = Path(av.__file__).parent.parent / "av.libs"
    links = FOLDER / "ffmpeg"
    links.mkdir(parents=True, exist_ok=True)
    for library in libraries.glob("lib[as][vw]*-*.so.*"):
        name, version = library.name.split("-")[0], library.name.split(".so.")[1].split(".")[0]
        link = links / f"{name}.so.{version}"
        if not link.exists():
            link.symlink_to(library)
    return {**os.environ, "LD_LIBRARY_PATH": f"{links}:{libraries}"}


def rounds(case: str, count: int, results: dict[str, Any]) -> None:
    """Adds ``count`` interleaved rounds of one case."""
    tier, seconds, task, names = CASES[case]
    clip = clips.clip(FOLDER / "clips", tier, seconds)
    told = results.setdefault(case, {})
    for number in range(count):
        for name in names:
            if name == "comfyui" and not os.environ.get("COMFYUI_PATH"):
                continue
            kept = told.setdefault(name, {"runs": [], "fault": ""})
            compare = task == "full" and number == 0 and not any("mean" in run for run in kept["runs"])
            found = measure(name, task, clip, compare and name not in LIMITS)
            if isinstance(found, str):
                kept["fault"] = found
            else:
                kept["runs"].append(found)
            RESULTS.write_text(json.dumps(results, indent=1))
        print(case, number + 1, {name: _median(one) for name, one in told.items()}, flush=True)


def _median(one: dict[str, Any]) -> Any:
    return round(statistics.median(run["seconds"] for run in one["runs"]), 2) if one["runs"] else one["fault"]


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--case", choices=CASES, action="append", help="only this one, added to what is there")
    parser.add_argument("--report", action="store_true", help="only write the page from what was measured")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    adds = options.report or options.case
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if adds and RESULTS.exists() else {}
    if not options.report:
        for case in options.case or CASES:
            rounds(case, options.rounds, results)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, PyAV {av.__version__}"
    decode_report.write(results, machine, ROOT / "docs")


if __name__ == "__main__":
    main()
