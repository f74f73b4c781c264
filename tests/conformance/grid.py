"""Rows by columns as tests: the diagonal in the quick tests, the rest in the slow ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest


def diagonal(names: str, columns: Sequence[Any], rows: Sequence[Any], ids: Callable[[Any], str] = str) -> Any:
    """Every row with every column. In the quick tests each row comes once, and so does each column if rows suffice."""
    params = [
        pytest.param(
            column, row, id=f"{column}-{ids(row)}", marks=[] if down % len(columns) == across else [pytest.mark.slow]
        )
        for down, row in enumerate(rows)
        for across, column in enumerate(columns)
    ]
    return pytest.mark.parametrize(names, params)
