"""Kills ``grok-imagine film`` at random moments, runs it again to the end, and counts what was submitted.

``python -m tests.film.kills --kills 50`` prints the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.server import served

from .provider import KEY, FilmProvider

ROOT = Path(__file__).resolve().parents[2]
SHOTS = 12
CHAIN = (4, 5, 9, 10, 11)
"""The shots that continue the one before."""


@dataclass
class Figures:
    """What happened. ``attached``: jobs killed within their POST, given the task that the provider had for them."""

    kills: int = 0
    films: int = 0
    submits: int = 0
    extra: int = 0
    attached: int = 0
    sent_again: int = 0
    """Jobs killed before their POST arrived: the provider had no task for them."""


def kill_films(home: Path, kills: int, seed: int) -> Figures:
    """Make films, each killed several times, until ``kills`` runs were killed."""
    figures, chance = Figures(), random.Random(seed)
    with served(FilmProvider()) as provider:
        provider.seconds = 0.3
        mine = {"dialect": "xai", "base_url": provider.url, "api_key": KEY, "pace": 0.05}
        home.mkdir(parents=True, exist_ok=True)
        settings = {"connections": {"mine": mine}, "answer_seconds": 1}
        (home / "settings.json").write_text(json.dumps(settings), "utf-8")
        while figures.kills < kills:
            figures.films += 1
            _kill_one_film(home, provider, figures, kills, chance)
    figures.submits = len(provider.tasks)
    figures.extra = sum(count - 1 for count in Counter(provider.prompts).values())
    return figures


def _kill_one_film(home: Path, provider: FilmProvider, figures: Figures, kills: int, chance: random.Random) -> None:
    shots = home / "shots.txt"
    shots.write_text(
        "\n".join(
            f"{'[continue] ' if number in CHAIN else ''}film {figures.films} shot {number}"
            for number in range(1, SHOTS + 1)
        ),
        "utf-8",
    )
    wanted = figures.films * SHOTS
    while figures.kills < kills and len(provider.tasks) < wanted:
        process = _start(home, "film", str(shots), "-c", "mine", "-d", "1", "-o", str(home / "film.mp4"))
        until = min(wanted, len(provider.tasks) + chance.randint(1, 3))
        while process.poll() is None and len(provider.tasks) < until:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.5) ** 2)
        figures.kills += process.poll() is None
        process.kill()
        process.communicate()
        _settle(home, provider, figures)
    process = _start(home, "film", str(shots), "-c", "mine", "-d", "1", "-o", str(home / "film.mp4"))
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said


def _settle(home: Path, provider: FilmProvider, figures: Figures) -> None:
    """Do what the user is told to do about jobs of unknown outcome: look at the provider's list of tasks."""
    time.sleep(1.1)  # a killed run's POST may be answered until then
    for job in json.loads(_run(home, "jobs", "--unfinished", "--json")):
        if not job["outcome_unknown"]:
            continue
        task = next((one["id"] for one in provider.tasks if one["prompt"] == job["request"]["prompt"]), None)
        figures.attached += task is not None
        figures.sent_again += task is None
        _run(home, *(("attach", job["job_id"], task) if task else ("again", job["job_id"], "--yes")))


def _run(home: Path, *arguments: str) -> str:
    process = _start(home, *arguments)
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return out


def _start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "grok_imagine.cli", *arguments, "--home", str(home)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), text=True, **pipes)


def main() -> int:
    """Print the figures; 1 if anything was submitted twice."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="grok-imagine-kills-") as folder:
        figures = kill_films(Path(folder) / "home", given.kills, given.seed)
    print(figures)
    return 1 if figures.extra or figures.submits != figures.films * SHOTS else 0


if __name__ == "__main__":
    sys.exit(main())
