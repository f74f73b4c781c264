"""A clip continued over five segments at an API that cannot extend, killed in the third: are the seams seen?

``python benchmarks/seams.py`` makes a clip in reAPI's dialect and lets it go on by five prompts (``continue``), kills
the command line with SIGKILL while its third segment is under way, and runs the same command again. It counts what the
sandbox was paid for, measures picture and sound at each seam beside the rest of the film, and writes ``seams.json``
and ``seams.png`` (the frames around each seam, a row for each) into ``--output``. ``--check`` fails where a segment is
paid twice, a frame is missing or repeated, sound and picture differ in length, or a seam stands out.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import numpy as np
from batch import Sandbox, environment_of
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
PROMPTS = ("a storm comes up", "rain sets in", "it clears", "the sun sets", "night falls")
SECONDS, RATE, WIDTH = 6, 24, 320
AROUND = 4
"""Frames of the strip on either side of a seam."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "grok_imagine.cli", *arguments]


def run(sandbox: Sandbox, home: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        command(*arguments), cwd=ROOT, env=environment_of(sandbox, home), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{arguments[0]} failed: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def tasks(home: Path) -> int:
    """How many jobs were accepted, by the journal."""
    with closing(sqlite3.connect(f"file:{home / 'journal.db'}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM jobs WHERE task_id IS NOT NULL").fetchone()[0])


def make(folder: Path) -> dict[str, Any]:
    """The film, and what the sandbox's own ledger says of it."""
    sandbox, home = Sandbox(folder / "sandbox"), folder / "home"
    clip, film = folder / "clip.mp4", folder / "film.mp4"
    common = ("-c", "sandbox", "-d", str(SECONDS), "-r", "480p", "--json")
    try:
        run(sandbox, home, "generate", "a paper boat on a pond", *common, "-o", str(clip))
        wish = ("continue", str(clip), *PROMPTS, *common, "-o", str(film))
        nowhere: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command(*wish), cwd=ROOT, env=environment_of(sandbox, home), **nowhere) as first:
            while tasks(home) < 1 + 3:
                if first.poll() is not None:
                    raise SystemExit("it ended before it could be killed")
                time.sleep(0.02)
            first.kill()
        killed_at = sandbox.ask("/_sandbox/ledger")["submits"]
        told = run(sandbox, home, *wish)
        book = sandbox.ask("/_sandbox/ledger")
    finally:
        sandbox.close()
    return {**told, "film": film, "submits when killed": killed_at, "submits": book["submits"], "posts": book["posts"]}


def seen(film: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Small pictures ``[N, H, W, 3]`` of every frame, the sound ``[C, M]``, and its rate."""
    pictures, pieces = [], []
    with av.open(str(film)) as container:
        for frame in container.decode(video=0):
            height = round(frame.height * WIDTH / frame.width / 2) * 2
            pictures.append(frame.to_ndarray(format="rgb24", width=WIDTH, height=height))
    with av.open(str(film)) as container:
        rate = container.streams.audio[0].rate
        pieces = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.stack(pictures), np.concatenate(pieces, axis=1), int(rate)


def measured(made: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
    """The film in numbers; each seam beside what is usual elsewhere in the film."""
    pictures, sound, rate = seen(made["film"])
    moves = np.abs(np.diff(pictures.astype(np.float32), axis=0)).mean((1, 2, 3))
    colours = np.abs(np.diff(pictures.mean((1, 2)), axis=0)).max(1)
    at = np.array(made["seams"]) - 1
    jumps = np.abs(np.diff(sound, axis=1)).max(0)
    near = [jumps[int((seam / RATE - 0.02) * rate) : int((seam / RATE + 0.07) * rate)].max() for seam in made["seams"]]
    told = {
        "frames": len(pictures),
        "seconds": round(len(pictures) / RATE, 3),
        "seconds of sound": round(sound.shape[1] / rate, 3),
        "submits when killed": made["submits when killed"],
        "submits": made["submits"],
        "posts": made["posts"],
        "seams": made["seams"],
        "movement at the seams": [round(float(one), 2) for one in moves[at]],
        "movement elsewhere, median and most": [round(float(one), 2) for one in _spread(np.delete(moves, at))],
        "colour step at the seams": [round(float(one), 2) for one in colours[at]],
        "colour step elsewhere, median and most": [round(float(one), 2) for one in _spread(np.delete(colours, at))],
        "steepest sound at the seams": [round(float(one), 3) for one in near],
        "steepest sound anywhere": round(float(jumps.max()), 3),
    }
    return told, pictures


def _spread(values: np.ndarray) -> tuple[float, float]:
    return float(np.median(values)), float(values.max())


def faults(told: dict[str, Any]) -> list[str]:
    """What must not be."""
    found = []
    count = len(PROMPTS)
    if told["submits when killed"] != 1 + 3 or told["submits"] != 1 + count or told["posts"] != 1 + count:
        found.append("a segment was paid twice, or it was not killed in the third")
    if told["frames"] != SECONDS * RATE + count * (SECONDS * RATE - 1):
        found.append("a frame is missing or repeated")
    if told["seams"] != [SECONDS * RATE + number * (SECONDS * RATE - 1) for number in range(count)]:
        found.append("a seam is not where it belongs")
    if abs(told["seconds"] - told["seconds of sound"]) > 0.03:
        found.append("sound and picture differ in length")
    found += [
        f"the {name} at a seam stands out"
        for name in ("movement", "colour step")
        if max(told[f"{name} at the seams"]) > 1.5 * told[f"{name} elsewhere, median and most"][1] + 0.5
    ]
    if max(told["steepest sound at the seams"]) > max(0.02, told["steepest sound anywhere"]):
        found.append("a click in the sound")
    return found


def strip(pictures: np.ndarray, seams: list[int]) -> Image.Image:
    """A row of frames for each seam, which is marked by a line."""
    height, width = pictures.shape[1] * 2 // 3, WIDTH * 2 // 3
    gap, label = 4, 24
    sheet = Image.new("RGB", (gap + 2 * AROUND * (width + gap), len(seams) * (height + label + gap)), (24, 24, 27))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for row, seam in enumerate(seams):
        top = row * (height + label + gap) + gap
        for column in range(2 * AROUND):
            number = seam - AROUND + column
            left = gap + column * (width + gap)
            sheet.paste(
                Image.fromarray(pictures[number]).resize((width, height), Image.Resampling.LANCZOS), (left, top)
            )
            word = f"#{number}" + (f"  segment {row + 1} begins" if column == AROUND else "")
            draw.text((left + 4, top + height + label // 2), word, (212, 212, 216), font, anchor="lm")
        middle = gap + AROUND * (width + gap) - gap // 2
        draw.line((middle, top, middle, top + height + label - gap), (250, 204, 21), 3)
    return sheet


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--output", type=Path, default=Path("artifacts"))
    options.add_argument("--check", action="store_true")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="grok-imagine-seams-") as folder:
        told, pictures = measured(make(Path(folder)))
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "seams.json").write_text(json.dumps(told, indent=1))
    strip(pictures, told["seams"]).save(given.output / "seams.png", optimize=True)
    print(json.dumps(told, indent=1))
    wrong = faults(told)
    print("\n".join(wrong) or "no seam stands out, no segment is paid twice")
    return 1 if wrong and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
