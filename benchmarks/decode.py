"""Measures this decoder beside others: fresh processes, interleaved, medians.

``python benchmarks/decode.py`` does it all anew. ``--case 720p-6s-full --rounds 1`` adds one round of one case to what
is kept in artifacts/bench/decode.json; report.py makes the page of it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import clips
import kept
import psutil
from figures import LIMITS, median

ROUNDS = 7
TIMES, FEWER_TIMES = 5, 2
"""How often each decoder decodes in a round; fewer times where the clip is long."""
BESIDE = ("opencv_tuned", *LIMITS)
"""No peers, measured to see how far one could go."""
ALL = ("ours", "comfyui", "torchcodec", "decord", "opencv", "pyav")
# ComfyUI's decoder needs three times the 8 GB that thirty seconds at 720p take; where that is not there, it says so,
# and fifteen seconds are the longest that it is measured on.
CASES: dict[str, tuple[str, int, str, tuple[str, ...]]] = {
    f"{tier}-{seconds}s-{task}": (tier, seconds, task, ALL + (BESIDE if task == "full" else ()))
    for tier, seconds, tasks in (
        ("720p", 6, ("full",)),
        ("720p", 15, ("full",)),
        ("720p", 30, ("full",)),
        ("480p", 6, ("full",)),
        ("480p", 30, ("full",)),
        ("720p", 6, ("resized", "every8", "window", "last")),
        ("720p", 30, ("every8", "window", "last")),
    )
    for task in tasks
}
PEAKS = {"comfyui": 3.1, "opencv_tuned": 1.2, "ours": 1.2, "nothing": 0.2, "memory": 1.1, "torchcodec": 2.4}
"""How many times the whole tensor a decoder takes at most; the others stay below 1.6."""
SHARES = {"window": 0.15, "last": 0.1, "every8": 0.25, "resized": 0.3}
"""How much of that is there where less is asked for: of a clip of 30 s, and of one of 6 s three times as much."""
LOADS_ALL = ("every8", "resized")
"""Where ComfyUI's decoder has no other way than to load the whole first."""
SPARE = 1_500_000_000


def needs(names: tuple[str, ...], task: str, clip: Path) -> dict[str, int]:
    """How many bytes each decoder may take."""
    with av.open(str(clip)) as container:
        video = container.streams.video[0]
        whole = video.frames * video.width * video.height * 12
        length = video.frames / float(video.average_rate or 24)
    share = min(1, SHARES.get(task, 1) * (3 if length < 10 else 1))
    shares = {name: 1 if name == "comfyui" and task in LOADS_ALL else share for name in names}
    return {name: int(whole * PEAKS.get(name, 1.6) * shares[name]) for name in names}


def measure(name: str, task: str, clip: Path, times: int, compare: bool) -> dict[str, Any] | str:
    """One fresh process, or what it died of."""
    python = os.environ.get("COMFYUI_PYTHON", sys.executable) if name == "comfyui" else sys.executable
    command = [python, str(kept.ROOT / "benchmarks" / "decoders.py"), name, task, str(clip), str(times)]
    environment = _with_ffmpeg() if name == "torchcodec" else None
    done = subprocess.run(
        [*command, "compare" if compare else ""], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:200]
    return json.loads(done.stdout.splitlines()[-1])


def _with_ffmpeg() -> dict[str, str]:
    """torchcodec brings no FFmpeg: it is given the one that PyAV brings, by the names that it looks for."""
    libraries = Path(av.__file__).parent.parent / "av.libs"
    links = kept.FOLDER / "ffmpeg"
    links.mkdir(parents=True, exist_ok=True)
    for library in libraries.glob("lib[as][vw]*-*.so.*"):
        name, version = library.name.split("-")[0], library.name.split(".so.")[1].split(".")[0]
        link = links / f"{name}.so.{version}"
        if not link.exists():
            link.symlink_to(library)
    return {**os.environ, "LD_LIBRARY_PATH": f"{links}:{libraries}"}


def rounds(case: str, count: int, results: dict[str, Any]) -> None:
    """Adds ``count`` interleaved rounds of one case."""
    tier, seconds, task, everybody = CASES[case]
    clip = clips.clip(kept.FOLDER / "clips", tier, seconds)
    names = tuple(name for name in everybody if name != "comfyui" or os.environ.get("COMFYUI_PATH"))
    needed = needs(names, task, clip)
    room = psutil.virtual_memory().available - SPARE
    told = results.setdefault(case, {})
    for _ in range(count):
        for name in names:
            mine = told.setdefault(name, {"runs": [], "fault": ""})
            if needed[name] > room:
                mine["fault"] = f"needs {needed[name] / 1e9:.0f} GB"
                continue
            compare = task == "full" and name not in LIMITS and not any("mean" in run for run in mine["runs"])
            found = measure(name, task, clip, TIMES if seconds <= 6 else FEWER_TIMES, compare)
            if isinstance(found, str):
                mine["fault"] = found
            else:
                mine["runs"].append(found)
            kept.save("decode", {"cases": results, "comfyui": kept.comfyui()})
        print(case, len(told["ours"]["runs"]), {name: _median(told, name) for name in told}, flush=True)


def _median(told: dict[str, Any], name: str) -> Any:
    seconds = median(told, name, "seconds")
    return told[name]["fault"] if seconds is None else round(seconds, 2)


def main() -> None:
    """Measure, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--case", choices=CASES, action="append", help="only this one, added to what is there")
    options = parser.parse_args()
    results: dict[str, Any] = kept.load("decode").get("cases", {}) if options.case else {}
    for case in options.case or CASES:
        rounds(case, options.rounds, results)


if __name__ == "__main__":
    main()
