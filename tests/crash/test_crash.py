"""A slice of the crash matrix: killed at its most dangerous moments and at some others, nothing is lost or paid twice.

``make crash`` runs all of it: every dialect and mode.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .case import Case, judge
from .matrix import Matrix, any_time, every_line
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


def test_killed_at_the_moments_that_count(matrix: Matrix) -> None:
    verdicts = matrix.run([Case(*WISH, (point,), by_id=number % 2 == 0) for number, point in enumerate(POINTS)])
    assert {one.case.points[0]: one.faults for one in verdicts if one.faults} == {}
    assert [one.case.name for one in verdicts if one.kills != 1] == [], "these points were not reached"
    unknown = {one.case.points[0] for one in verdicts if one.is_unknown}
    assert unknown == set(POINTS[4:12]), "from the line before the POST to the line after it, and nowhere else"


def test_killed_at_any_line_and_any_time(matrix: Matrix) -> None:
    cases = every_line(matrix, 6) + any_time(6, wishes=[WISH])
    verdicts = matrix.run(cases)
    assert {one.case.name: one.faults for one in verdicts if one.faults} == {}
    assert sum(one.kills for one in verdicts) >= 8


def test_the_matrix_sees_a_clip_that_is_paid_twice(matrix: Matrix) -> None:
    def forget(home: Path) -> None:
        for file in home.glob("journal.db*"):
            file.unlink()

    case = Case(*WISH, ("journal advance submitted: after #1",))
    verdict = judge(case, matrix.lanes[0], meanwhile=forget)
    assert verdict.submits == 2
    assert verdict.faults == ["2 submits, 2 charges", "the clip is that of another task"]
