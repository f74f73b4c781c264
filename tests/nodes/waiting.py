"""A short clip, the jobs in a journal, and waiting for a condition."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

SHORT = {"connection": "sandbox-xai", "duration": 1}


def jobs_in(home: Path) -> list[tuple[str, str, str]]:
    try:
        with closing(sqlite3.connect(f"file:{home / 'journal.db'}?mode=ro", uri=True)) as journal:
            return journal.execute("select id, state, owner from jobs order by created_at").fetchall()
    except sqlite3.OperationalError:  # the journal is just being made
        return []


async def until(done: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.05)
