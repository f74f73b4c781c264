"""A slice of the crash matrix: killed at its most dangerous moments and at some others, nothing is lost or paid twice.

``make crash`` runs all of it: every dialect and mode.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from .batch_case import BatchCase
from .case import Case
from .clip_case import ClipCase
from .matrix import Matrix, every_line, random_moments
from .provider import FAULTS
from .worker import scratch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the processes to be killed are forked"),
]

POINTS = [
    "journal __aenter__: written, not committed #1",
    "journal claim: after #1",
    "upload: send_request_body.complete #1",
    "journal advance submitting: written, not committed #1",
    "journal advance submitting: after #1",
    "submit: connect_tcp.complete #1",
    "submit: send_request_headers.complete #1",
    "submit: send_request_body.complete #1",
    "submit: receive_response_headers.complete #1",
    "submit: receive_response_body.complete #1",
    "journal advance submitted: before #1",
    "journal advance submitted: written, not committed #1",
    "journal advance submitted: after #1",
    "poll: send_request_body.complete #1",
    "journal advance succeeded: written, not committed #1",
    "journal advance succeeded: after #1",
    "download: chunk read #1",
    "file fsync: before #1",
    "file replace: before #1",
    "file replace: after #1",
    "journal advance saved: written, not committed #1",
    "journal advance saved: after #1",
]
WISH = ("reapi", "image")


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    with scratch() as folder, Matrix(Path(folder), lanes=2) as opened:
        opened.prepare([WISH])
        yield opened


def forget(home: Path) -> None:
    """Remove all that the client has."""
    for path in home.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_killed_at_the_most_dangerous_points(matrix: Matrix) -> None:
    cases = {case.name: case for case in (Case(*WISH, (one,), by_id=n % 2 == 0) for n, one in enumerate(POINTS))}
    verdicts = matrix.run(cases.values())
    assert {one.name: one.faults for one in verdicts if one.faults} == {}
    assert [one.name for one in verdicts if one.kills != 1] == [], "these points were not reached"
    unknown = {cases[one.name].points[0] for one in verdicts if one.is_unknown}
    assert unknown == set(POINTS[4:12]), "from the line before the POST to the line after it, and nowhere else"


def test_killed_at_any_line(matrix: Matrix) -> None:
    verdicts = matrix.run(every_line(matrix, 6))
    assert {one.name: one.faults for one in verdicts if one.faults} == {}
    assert sum(one.kills for one in verdicts) == 6


def test_killed_at_any_moment_under_an_independent_providers_faults(matrix: Matrix) -> None:
    cases = [case for case in islice(random_moments(seed=1), 40) if isinstance(case, ClipCase)]
    verdicts = matrix.run(cases)
    assert {one.name: one.faults for one in verdicts if one.faults} == {}
    assert sum(one.kills for one in verdicts) >= 30
    assert {one.scene for one in verdicts} == {f"random moments | {fault or 'no fault'}" for fault in FAULTS}


LISTS = [
    BatchCase("reapi", "budget per day", ("", "429 first", "no url", "moderated", "polls cut"), (0.3, 0.6), grows=True),
    BatchCase("openai_videos", "budget per day", ("500 after acceptance", "", "", "", "no url"), (0.5, 0.9), at_once=3),
]


@pytest.mark.parametrize("case", LISTS, ids=lambda case: case.dialect)
def test_a_batch_that_is_killed_and_resumed(case: BatchCase, matrix: Matrix) -> None:
    assert case.judge(matrix.lanes[0]).faults == []


def test_the_matrix_detects_a_clip_that_is_paid_twice(matrix: Matrix) -> None:
    case = Case(*WISH, ("journal advance submitted: after #1",))
    verdict = case.judge(matrix.lanes[0], meanwhile=forget)
    assert verdict.twice == 1
    assert verdict.faults == ["2 submits, 2 charges", "the clip is that of another task"]


def test_the_matrix_detects_it_in_the_independent_providers_records(matrix: Matrix) -> None:
    verdict = ClipCase("xai", "text", "slow polls", (5.0,)).judge(matrix.lanes[0], meanwhile=forget)
    assert (verdict.kills, verdict.twice, verdict.lost) == (0, 1, 0)
    assert verdict.silent == 2, "not told of the first, and a POST was sent"


def test_the_matrix_detects_an_exceeded_limit(matrix: Matrix) -> None:
    verdict = BatchCase("reapi", "no limit at all", ("",) * 5, ()).judge(matrix.lanes[0])
    assert (verdict.passed, verdict.twice, verdict.lost) == (1, 0, 0)
