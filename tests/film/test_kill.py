"""A film whose process is killed at any moment is gone on with, and nothing is submitted twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from .kills import SHOTS, kill_films


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_random(tmp_path: Path) -> None:
    figures = kill_films(tmp_path / "home", 10, seed=7)
    assert figures.kills == 10
    assert (figures.extra, figures.submits) == (0, figures.films * SHOTS), figures
