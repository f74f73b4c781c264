"""Two processes on one journal at once: one request is one submit, and two requests are two."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .matrix import Matrix
from .worker import scratch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the processes are forked"),
]


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    with scratch() as folder, Matrix(Path(folder), lanes=3) as opened:
        opened.prepare([("reapi", "image")])
        yield opened


def at_once(matrix: Matrix, home: Path, seeds: list[int]) -> list[dict[str, Any]]:
    """One process for each seed, all on the same data folder and the first lane's sandbox."""
    common = {"do": "generate", "dialect": "reapi", "mode": "image", "sandbox": matrix.lanes[0].url, "patient": True}

    def one(number: int) -> dict[str, Any]:
        out = str(home / f"told-{number}.json")
        ended, told = matrix.lanes[number].order(home, **common, seed=seeds[number], out=out)
        assert ended == 0
        return told

    with ThreadPoolExecutor(len(seeds)) as pool:
        return list(pool.map(one, range(len(seeds))))


@pytest.mark.parametrize("round_", range(3))
def test_one_request_of_three_processes_is_paid_once(matrix: Matrix, round_: int) -> None:
    home = matrix.lanes[0].fresh()
    told = at_once(matrix, home, [0, 0, 0])
    assert [one.get("state") for one in told] == ["saved"] * 3, told
    assert len({one["file"] for one in told}) == 1
    ledger = matrix.lanes[0].ledger()
    assert (ledger["submits"], ledger["posts"]) == (1, 1)


def test_three_requests_of_three_processes_are_three_clips(matrix: Matrix) -> None:
    home = matrix.lanes[0].fresh()
    told = at_once(matrix, home, [1, 2, 3])
    assert [one.get("state") for one in told] == ["saved"] * 3, told
    assert len({one["file"] for one in told}) == 3
    assert matrix.lanes[0].ledger()["submits"] == 3
