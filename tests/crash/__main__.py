"""``python -m tests.crash``: the whole crash matrix, as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

from .case import Verdict
from .matrix import Matrix, any_time, at_points, every_line, turns
from .worker import scratch


def main() -> int:
    """Run it; 1 where anything was lost, paid twice or sent again in silence."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--lanes", type=int, default=4, help="how many processes are killed side by side")
    parser.add_argument("--every", action="store_true", help="kill every wish at all of its points, not at half")
    parser.add_argument("--lines", type=int, default=60, help="kills at lines of the corridor's source")
    parser.add_argument("--random", type=int, default=60, help="cases killed at random times")
    parser.add_argument("--seed", type=int, default=0, help="of the lines and times that are chosen")
    parser.add_argument("--json", type=Path, help="write every verdict here")
    options = parser.parse_args()
    began = time.monotonic()
    with scratch() as folder, Matrix(Path(folder), options.lanes) as matrix:
        cases = at_points(matrix.prepare(), every=options.every) + turns(matrix, every=options.every)
        cases += every_line(matrix, options.lines, options.seed) + any_time(options.random, seed=options.seed)
        print(f"{len(cases)} cases; prepared in {time.monotonic() - began:.0f} s", file=sys.stderr)
        verdicts = matrix.run(cases, _tell)
    seconds = time.monotonic() - began
    print(table(verdicts))
    print(f"\n{sum(one.kills for one in verdicts)} kills in {seconds:.0f} s")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        told = [{**asdict(one), "name": one.case.name} for one in verdicts]
        options.json.write_text(json.dumps({"seconds": round(seconds, 1), "verdicts": told}, indent=1))
    return int(any(one.faults for one in verdicts))


def _tell(verdict: Verdict) -> None:
    for fault in verdict.faults:
        print(f"{verdict.case.name}\n    {fault}", file=sys.stderr)


def table(verdicts: list[Verdict]) -> str:
    """One row for each dialect and mode, in Markdown."""
    rows: dict[str, list[Verdict]] = defaultdict(list)
    for one in verdicts:
        rows[f"{one.case.dialect} | {one.case.mode}"].append(one)
    rows["**all** |"] = verdicts
    names = ("dialect", "mode", "kills", "paid when killed", "outcome unknown", "lost", "paid twice", "sent again")
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for name, ones in rows.items():
        figures = (
            sum(one.kills for one in ones),
            sum(one.is_paid for one in ones),
            sum(one.is_unknown for one in ones),
            sum(not one.is_home for one in ones),
            sum(one.submits > 1 for one in ones),
            sum(one.resubmits for one in ones),
        )
        lines.append(f"| {name} | " + " | ".join(str(figure) for figure in figures) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
