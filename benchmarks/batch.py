"""A batch of 1,000 rows, 50 in flight, a tenth of them faulty, killed three times: is every row accounted for?

``python benchmarks/batch.py`` starts a sandbox and the command line, kills the command line with SIGKILL at each fifth
of the rows up to three, lets it run into a cap of cost, then runs it without one to its end, and compares the journal's
rows with the sandbox's own ledger. It writes ``batch.json`` and the plot ``batch.svg`` into ``--output``; ``--check``
fails where a row is lost or paid twice, a cap is passed, or memory grows.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FAULTS = (
    "failed",
    "moderated",
    "429*2",
    "503@poll*2",
    "cut",
    "drop-after",
    "500",
    "truncated-json@poll",
    "401@cdn",
    "slow-body@poll=0.2",
)
"""One for every tenth row: refused, moderated, limited, down, cut off, lost answers; some heal, some do not."""
MOST_GROWTH_MB = 40.0
USD_A_ROW, CAP_SHARE = 0.054, 0.75
LIVES = (1, 2, 3, 4, 5)


def rows(count: int) -> list[dict[str, Any]]:
    made = []
    for number in range(count):
        mark = f" [sandbox:{FAULTS[number // 10 % len(FAULTS)]}]" if number % 10 == 9 else ""
        made.append({"prompt": f"a paper boat{mark}", "seed": number, "duration": 6, "resolution": "480p"})
    return made


class Sandbox:
    """A sandbox process, and what it says of itself."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "grok_imagine.sandbox", "--seconds", "2", "--exit-with-parent"]
        command += ["--state", str(folder)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self.process.stdout.readline())["url"]  # type: ignore[union-attr]

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            return json.load(answer)

    def close(self) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait(30)


def environment_of(sandbox: Sandbox, home: Path) -> dict[str, str]:
    """What the command line is told: where the sandbox is, its data folder, and not to wait long for the dead."""
    told = {"SANDBOX_URL": sandbox.url, "HOME": str(home), "ANSWER_SECONDS": "5"}
    return {**os.environ, **{f"GROK_IMAGINE_{name}": value for name, value in told.items()}}


class Life:
    """One run of the command line, watched until it ends or is killed."""

    def __init__(self, sandbox: Sandbox, home: Path, arguments: list[str]) -> None:
        environment = environment_of(sandbox, home)
        command = [sys.executable, "-m", "grok_imagine.cli", *arguments]
        self.sandbox, self.journal = sandbox, home / "journal.db"
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def watch(self, samples: list[dict[str, Any]], began: float, kill_at: int | None, life: int) -> str:
        while self.process.poll() is None:
            book = self.sandbox.ask("/_sandbox/ledger")
            now = {"submits": book["submits"], "in_flight": self.in_flight(), "rss_mb": self.rss()}
            samples.append({"t": time.monotonic() - began, "life": life, **now})
            if kill_at is not None and book["submits"] >= kill_at:
                self.process.kill()
                break
            time.sleep(0.25)
        return self.process.communicate()[0]

    def in_flight(self) -> int:
        """Rows being made whose job is with the provider, by the client's own journal."""
        query = """SELECT count(*) FROM batch_rows JOIN jobs ON owner = batch || '/' || substr(key, 1, 24)
            WHERE batch_rows.state = 'running' AND jobs.state IN ('submitting', 'submitted')"""
        try:
            with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as database:
                return int(database.execute(query).fetchone()[0])
        except sqlite3.OperationalError:  # it is not there yet
            return 0

    def rss(self) -> float:
        try:
            text = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0.0
        found = [line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")]
        return int(found[0]) / 1024 if found else 0.0


def measure(count: int, at_once: int, folder: Path) -> dict[str, Any]:
    listed, home = folder / "list.jsonl", folder / "home"
    listed.write_text("\n".join(json.dumps(row) for row in rows(count)))
    arguments = ["batch", str(listed), "-c", "bench", "--at-once", str(at_once), "--json"]
    cap = round(count * USD_A_ROW * CAP_SHARE, 3)
    sandbox = Sandbox(folder / "sandbox")
    # The sandbox's own connection is held to fewer at once: this one is a paid provider's, to the client.
    bench = {"dialect": "reapi", "base_url": f"{sandbox.url}/reapi", "api_key": "rk_live_sandbox", "pace": 0.2}
    home.mkdir()
    bench |= {"requests_per_second": 200, "jobs_at_once": at_once}
    (home / "settings.json").write_text(json.dumps({"connections": {"bench": bench}}))
    samples: list[dict[str, Any]] = []
    began = time.monotonic()
    try:
        for life, share in enumerate((0.2, 0.4, 0.6), 1):
            Life(sandbox, home, [*arguments, "--max-usd", str(cap)]).watch(samples, began, int(count * share), life)
        capped = json.loads(Life(sandbox, home, [*arguments, "--max-usd", str(cap)]).watch(samples, began, None, 4))
        out = Life(sandbox, home, arguments).watch(samples, began, None, 5)
        told, book = json.loads(out), sandbox.ask("/_sandbox/ledger")
    finally:
        sandbox.close()
    results = [json.loads(line) for line in Path(told["results"]).read_text().splitlines()]
    return {
        "rows": count,
        "at_once": at_once,
        "seconds": round(time.monotonic() - began, 1),
        "states": told["rows"],
        "cost_usd": told["cost_usd"],
        "cap_usd": cap,
        "cost_under_cap_usd": capped["cost_usd"],
        "stopped_by": capped["stopped_by"],
        "submits": book["submits"],
        "listed": len({row["row"] for row in results}),
        "tasks": len({row["task_id"] for row in results if row["task_id"]}),
        "files": sum(1 for row in results if row["file"] and Path(row["file"]).is_file()),
        "most_in_flight": max(one["in_flight"] for one in samples),
        "growth_mb": round(growth(samples), 1),
        "samples": samples,
    }


def growth(samples: list[dict[str, Any]]) -> float:
    """How much the memory of the longest life grew from a third of it, when all rows are in flight, to its end."""
    lives = [[one for one in samples if one["life"] == life and one["rss_mb"]] for life in LIVES]
    longest = max(lives, key=len)
    third = longest[len(longest) // 3 : len(longest) // 3 + 5]
    return max(one["rss_mb"] for one in longest[-5:]) - sum(one["rss_mb"] for one in third) / max(1, len(third))


def faults(told: dict[str, Any]) -> list[str]:
    """What must not be."""
    found = []
    if told["listed"] != told["rows"] or sum(told["states"].values()) != told["rows"]:
        found.append("rows are missing from the results")
    if told["submits"] > told["rows"]:
        found.append(f"{told['submits']} submits for {told['rows']} rows: something was paid twice")
    if told["files"] != told["states"].get("done", 0):
        found.append("a row is done and has no file")
    if float(told["cost_under_cap_usd"]) > told["cap_usd"] or "limit" not in told["stopped_by"]:
        found.append("the cap is passed")
    if told["most_in_flight"] > told["at_once"]:
        found.append(f"{told['most_in_flight']} rows in flight, of {told['at_once']} at most")
    if told["rows"] >= 500 and told["most_in_flight"] < 0.9 * told["at_once"]:
        found.append(f"never more than {told['most_in_flight']} rows in flight: it says nothing of {told['at_once']}")
    # A short run is over before all of its rows are in flight, and then this says nothing.
    if told["rows"] >= 500 and told["growth_mb"] > MOST_GROWTH_MB:
        found.append(f"memory grew by {told['growth_mb']} MB")
    if set(told["states"]) - {"done", "failed", "unknown", "stopped"}:
        found.append("rows are left that nobody stopped")
    return found


def nice(step: float) -> float:
    """The next round number: 1, 2, 2.5 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(max(step, 1)))
    return next(one * power for one in (1, 2, 2.5, 5, 10) if one * power >= step)


def plot(told: dict[str, Any]) -> str:
    """Submits and memory over time, as SVG."""
    samples, wide, tall, left, top = told["samples"], 760, 180, 64, 64
    end = max(one["t"] for one in samples) or 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide + 2 * left}" height="{3 * tall + 260}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#223">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{left}" y="26" font-size="17" font-weight="600">{told["rows"]} rows, {told["at_once"]} in flight, '
        "a tenth faulty, killed three times</text>",
    ]
    for place, (name, label, colour) in enumerate(
        (
            ("submits", "submits accepted", "#2563eb"),
            ("in_flight", "rows in flight", "#0f766e"),
            ("rss_mb", "memory of the client, MB", "#c2410c"),
        )
    ):
        y0 = top + place * (tall + 60) + tall
        most = 4 * nice(max(one[name] for one in samples) / 4)
        parts.append(f'<text x="{left}" y="{y0 - tall - 8}" font-weight="600">{label}</text>')
        for step in range(5):
            y = y0 - tall * step / 4
            parts.append(f'<line x1="{left}" x2="{left + wide}" y1="{y}" y2="{y}" stroke="#e3e6ec"/>')
            parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{most * step / 4:.0f}</text>')
        for life in LIVES:
            points = [one for one in samples if one["life"] == life and one["rss_mb"]]
            line = " ".join(f"{left + wide * one['t'] / end:.1f},{y0 - tall * one[name] / most:.1f}" for one in points)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
            if life < LIVES[-1] and points:
                x = left + wide * points[-1]["t"] / end
                parts.append(
                    f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y0 - tall}" y2="{y0}" stroke="#889" stroke-dasharray="4 4"/>'
                )
                parts.append(
                    f'<text x="{x + 4:.1f}" y="{y0 - tall + 14}" fill="#667">{"killed" if life < 4 else "cap"}</text>'
                )
    foot, pace = top + 3 * tall + 2 * 60 + 22, int(nice(end / 6))
    for seconds in range(0, int(end) + 1, pace):
        x = left + wide * seconds / end
        parts += [f'<text x="{x:.1f}" y="{foot}" text-anchor="middle">{seconds} s</text>']
    states = ", ".join(f"{count} {state}" for state, count in told["states"].items())
    money = f"${float(told['cost_under_cap_usd']):.2f} under the cap of ${told['cap_usd']:.2f}"
    parts.append(f'<text x="{left}" y="{foot + 30}">{states}; {told["submits"]} submits; {money}</text>')
    return "\n".join([*parts, "</svg>"])


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1000)
    options.add_argument("--at-once", type=int, default=50)
    options.add_argument("--output", type=Path, default=Path("artifacts"))
    options.add_argument("--check", action="store_true")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="grok-imagine-batch-") as folder:
        told = measure(given.rows, given.at_once, Path(folder))
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "batch.json").write_text(json.dumps(told, indent=1))
    (given.output / "batch.svg").write_text(plot(told))
    print(json.dumps({name: value for name, value in told.items() if name != "samples"}, indent=1))
    wrong = faults(told)
    print("\n".join(wrong) or "all rows accounted for")
    return 1 if wrong and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
