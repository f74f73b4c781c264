"""The crash matrix: record where a job can die, kill it there, and count what was lost or paid twice."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, Queue

from .case import Case, Verdict, judge
from .points import chosen
from .wishes import ALL
from .worker import Worker

FAULTY = [("reapi", "text", ("submit", "429=0")), ("xai", "text", ("cdn", "slow-body=0.1"))]
"""Walks that take a turn: a POST refused and sent again, a download with a pause in the middle."""
SUBMITTED = "journal advance submitted: after #1"


class Matrix:
    """``with Matrix(folder, lanes=3) as matrix: verdicts = matrix.run(matrix.cases())``."""

    def __init__(self, folder: Path, lanes: int) -> None:
        self._folder, self._count = folder, lanes
        self._open = ExitStack()
        self.lanes: list[Worker] = []

    def __enter__(self) -> Matrix:
        with ExitStack() as opening:
            for number in range(self._count):
                folder = self._folder / f"lane-{number}"
                folder.mkdir()
                self.lanes.append(opening.enter_context(Worker(folder)))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def prepare(self, wishes: Iterable[tuple[str, str]] = ALL) -> dict[tuple[str, str], list[str]]:
        """Walk every wish once to its end: which points it passes."""
        first = self.lanes[0]
        source = self._folder / "source.mp4"
        passed: dict[tuple[str, str], list[str]] = {}
        for number, (dialect, mode) in enumerate([("xai", "text"), *wishes]):
            home = first.fresh()
            ended, told = first.order(home, do="generate", dialect=dialect, mode=mode, points=True)
            assert ended == 0, f"{dialect} {mode} without a kill: {ended}"
            assert told.get("state") == "saved", told
            if number == 0:  # the clip to be edited and extended
                shutil.copyfile(told["file"], source)
                for lane in self.lanes:
                    lane.source = source
            else:
                passed[dialect, mode] = chosen(told["points"], every=number == 1)
            first.tidy(home)
        return passed

    def recorded(self, case: Case) -> list[str]:
        """The points of a case's last walk, when all its own kills have been."""
        lane = self.lanes[0]
        home = lane.fresh()
        if case.fault:
            lane.ask("/_sandbox/faults", {"on": case.fault[0], "fault": case.fault[1], "dialect": case.dialect})
        wish = {"do": "generate", "dialect": case.dialect, "mode": case.mode, "points": True, "lines": case.lines}
        for point in case.points:
            lane.order(home, **wish, kill_at=point)
        ended, told = lane.order(home, **wish)
        assert ended == 0, case.name
        assert told.get("state") == "saved", told
        lane.tidy(home)
        return chosen(told["points"], every=case.lines)

    def run(self, cases: list[Case], each: Callable[[Verdict], None] = lambda _: None) -> list[Verdict]:
        """Judge all the cases, each lane one at a time."""
        waiting, done = Queue[Case](), Queue[Verdict | BaseException]()
        for case in cases:
            waiting.put(case)
        for lane in self.lanes:
            threading.Thread(target=_work, args=(lane, waiting, done), daemon=True).start()
        verdicts: list[Verdict] = []
        for _ in cases:
            verdict = done.get()
            if isinstance(verdict, BaseException):
                raise verdict
            each(verdict)
            verdicts.append(verdict)
        return verdicts


def _work(lane: Worker, waiting: Queue[Case], done: Queue[Verdict | BaseException]) -> None:
    while True:
        try:
            case = waiting.get_nowait()
        except Empty:
            return
        try:
            done.put(judge(case, lane))
        except BaseException as error:
            done.put(error)
            return


def at_points(passed: dict[tuple[str, str], list[str]], *, every: bool = False) -> list[Case]:
    """Each dialect and mode, killed at its points; every other one comes back by the job's id.

    The first wish is killed at all of them. The others take turns: one its odd points, the next its even ones, so
    that each step is met in several dialects. ``every`` leaves none out.
    """
    return [
        Case(dialect, mode, (point,), by_id=number % 4 > 1)
        for turn, ((dialect, mode), points) in enumerate(passed.items())
        for number, point in enumerate(points)
        if every or turn == 0 or number % 2 == turn % 2
    ]


def turns(matrix: Matrix, *, every: bool = False) -> list[Case]:
    """Walks with a fault on the way, and walks whose second process dies too, at the points of theirs."""
    roots = [Case(dialect, mode, fault=fault) for dialect, mode, fault in FAULTY]
    roots += [Case(dialect, "text", (SUBMITTED,)) for dialect in ("reapi", "openai_videos")]
    return [
        Case(root.dialect, root.mode, (*root.points, point), fault=root.fault)
        for root in roots
        for number, point in enumerate(matrix.recorded(root))
        if every or number % 2
    ]


def every_line(matrix: Matrix, count: int, seed: int = 0) -> list[Case]:
    """Kills at lines of the corridor's own source, wherever they are: points that nobody thought of."""
    root = Case("reapi", "image", lines=True)
    lines = [point for point in matrix.recorded(root) if ".py:" in point]
    some = random.Random(seed).sample(lines, min(count, len(lines)))
    return [Case("reapi", "image", (line,), lines=True) for line in some]


def any_time(count: int, wishes: Sequence[tuple[str, str]] = ALL, *, longest: float = 0.6, seed: int = 0) -> list[Case]:
    """Up to three kills in a row at times that nobody chose."""
    chance = random.Random(seed)
    cases: list[Case] = []
    for number in range(count):
        dialect, mode = wishes[number % len(wishes)]
        cases.append(Case(dialect, mode, after=tuple(chance.uniform(0, longest) for _ in range(chance.randint(1, 3)))))
    return cases
