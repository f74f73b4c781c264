"""The crash matrix: record where a job can die, kill it there, and count what was lost or paid twice."""

from __future__ import annotations

import itertools
import random
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Protocol

from . import batch_case, clip_case
from .batch_case import LIMITS, PRICES, BatchCase
from .case import Case
from .clip_case import ClipCase
from .points import chosen
from .provider import FAULTS
from .requests import ALL, MODES
from .verdict import Verdict
from .worker import Worker

FAULTY = [("reapi", "text", ("submit", "429=0")), ("xai", "text", ("cdn", "slow-body=0.1"))]
"""Walks that take a turn: a POST refused and sent again, a download with a pause in the middle."""
CLIPS_A_LIST = 8
SUBMITTED = "journal advance submitted: after #1"


class AnyCase(Protocol):
    """What a lane can be given."""

    def judge(self, lane: Worker) -> Verdict: ...


class Matrix:
    """``with Matrix(folder, lanes=3) as matrix: verdicts = matrix.run(cases)``."""

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

    def prepare(self, requests: Iterable[tuple[str, str]] = ALL) -> dict[tuple[str, str], list[str]]:
        """Walk every request once to its end: which points it passes."""
        self._load()
        first = self.lanes[0]
        source = self._folder / "source.mp4"
        passed: dict[tuple[str, str], list[str]] = {}
        for number, (dialect, mode) in enumerate([("xai", "text"), *requests]):
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

    def _load(self) -> None:
        """Do everything once in each lane, so that its processes are forked with all that they need."""
        with ThreadPoolExecutor(len(self.lanes)) as pool:
            list(pool.map(_load, self.lanes))

    def recorded(self, case: Case) -> list[str]:
        """The points of a case's last walk, when all its own kills have been."""
        lane = self.lanes[0]
        home = lane.fresh()
        if case.fault:
            lane.ask("/_sandbox/faults", {"on": case.fault[0], "fault": case.fault[1], "dialect": case.dialect})
        request = {"do": "generate", "dialect": case.dialect, "mode": case.mode, "points": True, "lines": case.lines}
        for point in case.points:
            lane.order(home, **request, kill_at=point)
        ended, told = lane.order(home, **request)
        assert ended == 0, case.name
        assert told.get("state") == "saved", told
        lane.tidy(home)
        return chosen(told["points"], every=case.lines)

    def run(
        self,
        cases: Iterable[AnyCase],
        each: Callable[[Verdict], None] = lambda _: None,
        *,
        kills: int | None = None,
    ) -> list[Verdict]:
        """Judge the cases, each lane one at a time: all of them, or until there were so many kills."""
        waiting, lock, done = iter(cases), threading.Lock(), Queue[Verdict | BaseException | None]()
        verdicts: list[Verdict] = []

        def work(lane: Worker) -> None:
            try:
                while kills is None or sum(one.kills for one in verdicts) < kills:
                    with lock:
                        case = next(waiting, None)
                    if case is None:
                        break
                    done.put(case.judge(lane))
                done.put(None)
            except BaseException as error:
                done.put(error)

        for lane in self.lanes:
            threading.Thread(target=work, args=(lane,), daemon=True).start()
        working = len(self.lanes)
        while working:
            verdict = done.get()
            if isinstance(verdict, BaseException):
                raise verdict
            if verdict is None:
                working -= 1
            else:
                verdicts.append(verdict)
                each(verdict)
        return verdicts


def _load(lane: Worker) -> None:
    clip_case.learn(lane)
    home = lane.fresh()
    lane.order(home, do="generate", dialect="xai", mode="image", learn=True)
    lane.tidy(home)


def at_points(passed: dict[tuple[str, str], list[str]], *, every: bool = False) -> list[Case]:
    """Each dialect and mode, killed at its points; every other one comes back by the job's id.

    The first request is killed at all of them. The others take turns: one its odd points, the next its even ones, so
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


def list_points(matrix: Matrix) -> list[BatchCase]:
    """A list, some of whose rows fail, killed before, in and after each transaction of its journal."""
    root = BatchCase("reapi", "budget per day", ("task fails", "", "moderated", "no url", "500 after acceptance"), ())
    points = chosen(root.recorded(matrix.lanes[0]), times=3, every=False)
    return [replace(root, points=(point,)) for point in points if point.startswith("journal")]


def random_moments(seed: int, dialects: Sequence[str] = tuple(MODES)) -> Iterator[AnyCase]:
    """Without end: clips under each fault of the independent provider, and now and then a list."""
    chance = random.Random(seed)
    for turn in itertools.count():
        for number, fault in enumerate(chance.sample(FAULTS, len(FAULTS))):
            dialect = "openai_videos" if fault == "second source" else dialects[(turn + number) % len(dialects)]
            mode = chance.choice(("text", "image"))
            moments = tuple(chance.uniform(0, 1.2) for _ in range(chance.randint(1, 4)))
            yield ClipCase(dialect, mode, fault, moments, by_id=chance.random() < 0.5)
            if number % CLIPS_A_LIST == 0:
                yield list_case(chance)


def list_case(chance: random.Random) -> BatchCase:
    """A list of rows with some faults, killed three to six times."""
    faults = tuple(chance.choice(batch_case.FAULTS) for _ in range(batch_case.ROWS))
    return BatchCase(
        chance.choice(tuple(PRICES)),
        chance.choice(LIMITS),
        faults if chance.random() < 0.7 else ("",) * batch_case.ROWS,
        tuple(chance.random() for _ in range(chance.randint(3, 6))),
        grows=chance.random() < 0.5,
        at_once=chance.choice((1, 1, 3)),
    )
