"""The usual time of a clip is the median of the newest ones, for each connection, model and mode."""

from __future__ import annotations

from pathlib import Path

from grok_imagine.journal.durations import duration_stats
from grok_imagine.journal.journal import Journal
from grok_imagine.models import Job, JobState


def job(number: int, seconds: float | None, *, connection: str = "reapi", mode: str = "text_to_video") -> Job:
    state = JobState.FAILED if seconds is None else JobState.SAVED
    return Job(
        id=f"20261121-10{number:04d}-00000000",
        state=state,
        connection=connection,
        provider="reapi",
        model="grok-imagine-1.0-video" if mode else "",
        mode=mode,
        request={},
        fingerprint=str(number),
        submitted_at=1000.0,
        finished_at=1000.0 + (seconds or 0),
    )


async def test_the_newest_count_and_groups_are_apart(tmp_path: Path) -> None:
    clock = iter(range(10_000))
    async with Journal(tmp_path, now=lambda: float(next(clock))) as journal:
        assert await duration_stats(journal) == []
        for number in range(20):
            await journal.add(job(number, 900))  # once it was slow
        for number in range(20, 40):
            await journal.add(job(number, number))
        await journal.add(job(40, None))
        await journal.add(job(41, 5, mode=""))  # a task of another's: what was asked for is not known
        await journal.add(job(42, 7, connection="xai"))
        reapi, xai = sorted(await duration_stats(journal), key=lambda one: one.connection)
    assert (reapi.count, reapi.median) == (20, 29.5)
    assert 20 <= reapi.low < reapi.median < reapi.high <= 39
    assert (xai.count, xai.low, xai.median, xai.high) == (1, 7, 7, 7)
