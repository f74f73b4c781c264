"""``python -m tests.crash``: the whole crash matrix, as a table and as JSON."""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from .matrix import AnyCase, Matrix, at_points, every_line, list_case, list_points, random_moments, turns
from .requests import ALL
from .verdict import Verdict
from .worker import scratch

_NAMED_PART = 4
"""A run of few kills makes one in so many at named points, of few dialects."""


def main() -> int:
    """Run it; 1 where anything was lost, paid twice or sent again in silence, or a limit was passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=5000, help="how many kills there are at least")
    parser.add_argument("--lanes", type=int, default=4, help="how many processes are killed side by side")
    parser.add_argument("--every", action="store_true", help="kill every request at all of its points, not at half")
    parser.add_argument("--lines", type=int, default=60, help="kills at lines of the pipeline's source")
    parser.add_argument("--seed", type=int, help="of what is chosen by chance; a new one if not given")
    parser.add_argument("--lists", action="store_true", help="kill lists only")
    parser.add_argument("--json", type=Path, help="write every verdict here")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"--kills {options.kills} --seed {seed}", file=sys.stderr)
    began = time.monotonic()
    with scratch() as folder, Matrix(Path(folder), options.lanes) as matrix:
        cases = _cases(matrix, options, seed)
        print(f"prepared in {time.monotonic() - began:.0f} s", file=sys.stderr)
        verdicts = matrix.run(cases, _tell, kills=options.kills)
    seconds = time.monotonic() - began
    print(table(verdicts))
    print(f"\n{sum(one.kills for one in verdicts)} kills in {seconds:.0f} s, seed {seed}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        told = {"seed": seed, "seconds": round(seconds, 1), "verdicts": [asdict(one) for one in verdicts]}
        options.json.write_text(json.dumps(told, indent=1))
    return int(any(one.faults for one in verdicts))


def _cases(matrix: Matrix, options: argparse.Namespace, seed: int) -> Iterator[AnyCase]:
    """Named points first, all or a part of them; then random moments without end."""
    is_whole = options.kills >= 5000
    chance = random.Random(seed)
    passed = matrix.prepare(ALL if is_whole else chance.sample(ALL, 3))
    if options.lists:
        return (list_case(chance) for _ in itertools.count())
    named: list[AnyCase] = [*at_points(passed, every=options.every), *list_points(matrix)]
    if is_whole:
        named += [*turns(matrix, every=options.every), *every_line(matrix, options.lines, seed)]
    chance.shuffle(named)
    return itertools.chain(named if is_whole else named[: options.kills // _NAMED_PART], random_moments(seed))


def _tell(verdict: Verdict) -> None:
    for fault in verdict.faults:
        print(f"{verdict.name}\n    {fault}", file=sys.stderr)


def table(verdicts: list[Verdict]) -> str:
    """One row for each scene, in Markdown."""
    rows: dict[str, list[Verdict]] = defaultdict(list)
    for one in sorted(verdicts, key=lambda one: one.scene):
        rows[one.scene].append(one)
    rows["**all** |"] = verdicts
    names = ("what is killed", "where", "kills", "paid when killed", "outcome unknown", "lost", "paid twice", "silent")
    lines = ["| " + " | ".join([*names, "limit passed"]) + " |", "|" + " --- |" * (len(names) + 1)]
    for name, ones in rows.items():
        figures = (
            sum(one.kills for one in ones),
            sum(one.is_paid for one in ones),
            sum(one.is_unknown for one in ones),
            sum(one.lost for one in ones),
            sum(one.twice for one in ones),
            sum(one.silent for one in ones),
            sum(one.passed for one in ones),
        )
        lines.append(f"| {name} | " + " | ".join(str(figure) for figure in figures) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
