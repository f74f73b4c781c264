"""An older version's journal in the panel: its jobs, their workflow, and what can be done with each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any


async def test_an_older_version_s_jobs_are_listed(
    desk: Any, home: Path, sandbox: Any, restore_home: Callable[[Path, str], None]
) -> None:
    restore_home(home, sandbox.url)
    page = await desk.get("/jobs")
    assert page["counts"] == {"all": 9, "open": 2, "attention": 1, "done": 4, "failed": 3}
    jobs = {job["id"]: job for job in page["jobs"]}
    assert Counter(tuple(job["actions"]) for job in jobs.values()) == {
        ("play", "frames", "remove"): 4,
        ("ask", "remove"): 3,
        ("attach", "again"): 1,
        ("resume", "drop"): 1,
    }
    assert all(job["provider"] == "reAPI" and job["cost"]["usd"] in (0.054, 0) for job in jobs.values())
    (pending,) = [job for job in jobs.values() if job["state"] == "submitted"]
    assert await desk.get(f"/jobs/{pending['id']}/workflow") == {"nodes": [], "version": 0.4}
    detail = await desk.get(f"/jobs/{pending['id']}")
    assert [step["after"] for step in detail["history"]] == ["prepared", "submitting", "submitted"]
