"""Pruning: oldest first, only our files, and irreplaceable ones only on request."""

from __future__ import annotations

import os
import time
from pathlib import Path

from grok_imagine.jobs.prune import prune
from grok_imagine.journal.journal import Journal
from grok_imagine.models import JobState
from grok_imagine.transport.partial_download import PartialDownload, discard, is_in_use

from ..support.requests import a_job

DAY = 86400.0


def lay(folder: Path, name: str, age_days: float, size: int = 1000) -> Path:
    path = folder / name
    path.write_bytes(b"x" * size)
    when = time.time() - age_days * DAY
    os.utime(path, (when, when))
    return path


async def test_what_goes_and_what_stays(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    now = time.time()
    ids = {
        name: f"20261121-10150{number}-0000000{number}"
        for number, name in enumerate(("fresh", "expired", "open", "part-open", "part-dead"))
    }
    lay(results, f"{ids['fresh']}.mp4", 3)
    lay(results, f"{ids['expired']}.mp4", 40)
    lay(results, f"{ids['open']}.mp4", 40)
    lay(results, f".{ids['part-open']}.mp4.part", 40)
    lay(results, f".{ids['part-dead']}.mp4.part", 40)
    lay(results, "holiday.mp4", 400)
    lay(results, "20261121-101509-00000009.txt", 400)
    async with Journal(tmp_path) as journal:
        for name, state in (
            ("fresh", JobState.SAVED),
            ("expired", JobState.SAVED),
            ("open", JobState.SUCCEEDED),
            ("part-open", JobState.SUCCEEDED),
            ("part-dead", JobState.FAILED),
        ):
            age = 3 if name == "fresh" else 40
            await journal.add(a_job(ids[name], state=state, submitted_at=now - age * DAY, task_id="t"))
        limits = {"max_bytes": 1e9, "max_seconds": 2 * DAY, "now": now}
        plan = await prune(results, journal, **limits)
        assert plan.removed == ()
        assert {one.path.name for one in plan.candidates} == {
            f"{ids['fresh']}.mp4",
            f"{ids['expired']}.mp4",
            f".{ids['part-dead']}.mp4.part",
        }
        assert [one.job_id for one in plan.irreplaceable] == [ids["expired"]]
        done = await prune(results, journal, **limits, apply=True)
        assert {path.name for path in done.removed} == {f"{ids['fresh']}.mp4", f".{ids['part-dead']}.mp4.part"}
        assert (results / f"{ids['expired']}.mp4").is_file()  # nobody has it but we
        done = await prune(results, journal, **limits, apply=True, for_good=True)
        assert [path.name for path in done.removed] == [f"{ids['expired']}.mp4"]
    left = {path.name for path in results.iterdir()}
    assert left == {
        f"{ids['open']}.mp4",
        f".{ids['part-open']}.mp4.part",
        "holiday.mp4",
        "20261121-101509-00000009.txt",
    }


async def test_the_oldest_go_first_and_only_as_many_as_needed(tmp_path: Path) -> None:
    for number in range(5):
        lay(tmp_path, f"20261121-10150{number}-0000000{number}.mp4", 10 - number)
    async with Journal(tmp_path / "home") as journal:
        plan = await prune(tmp_path, journal, max_bytes=2500, max_seconds=1000 * DAY, now=time.time())
    assert [one.path.name[14] for one in plan.candidates] == ["0", "1", "2"]
    assert plan.total == 5000


async def test_a_part_that_a_download_holds_stays_and_goes_with_its_note_when_it_is_let_go(tmp_path: Path) -> None:
    target = tmp_path / "20261121-101500-00000001.mp4"
    part = PartialDownload.open(target, keep=True)
    part.begin(0, '"etag"', 2000)
    part.file.write(b"x" * 1000)
    part.file.flush()
    note = part.path.with_name(part.path.name + ".json")
    left = lay(tmp_path, ".20261121-101500-00000002.mp4.part.json", 40)  # its part is gone already
    old = time.time() - 40 * DAY
    os.utime(part.path, (old, old))
    limits = {"max_bytes": 1e9, "max_seconds": 1000 * DAY, "now": time.time(), "apply": True}
    async with Journal(tmp_path / "home") as journal:
        assert (await prune(tmp_path, journal, **limits)).removed == (left,)
        assert part.path.is_file()
        assert note.is_file()
        part.close()
        os.utime(part.path, (old, old))
        assert (await prune(tmp_path, journal, **limits)).removed == (part.path,)
    assert {path.name for path in tmp_path.iterdir()} == {"home"}


def test_a_part_taken_up_since_it_was_looked_at_stays(tmp_path: Path) -> None:
    path = lay(tmp_path, ".20261121-101500-00000001.mp4.part", 40)
    seen = path.stat().st_mtime
    assert not discard(path, seen - 1)  # written to meanwhile
    held = PartialDownload.open(path.with_name("20261121-101500-00000001.mp4"), keep=True)
    assert is_in_use(path)
    assert not discard(path, path.stat().st_mtime)
    held.validator = '"so that closing keeps it"'
    held.close()
    assert not is_in_use(path)
    assert discard(path, path.stat().st_mtime)
    assert not path.exists()


async def test_chunks_go_by_their_video_when_it_was_last_asked_for(tmp_path: Path) -> None:
    results, chunks, old = tmp_path / "results", tmp_path / "chunks", time.time() - 40 * DAY
    for name, joined_days in (("stopped", 40), ("finished", 40), ("going", 0.5)):
        pieces = chunks / name / "pieces"
        pieces.mkdir(parents=True)
        lay(pieces, "00000.mp4", 40)
        lay(chunks / name, "joined.mp4", joined_days)
        os.utime(pieces, (old, old))
        os.utime(chunks / name, (old, old))
    lay(chunks, "note.txt", 40)
    limits = {"chunks": chunks, "max_bytes": 1e9, "now": time.time(), "apply": True}
    async with Journal(tmp_path / "home") as journal:
        assert (await prune(results, journal, **limits, max_seconds=60 * DAY)).removed == ()
        os.utime(chunks / "finished")  # its graph ran again
        done = await prune(results, journal, **limits, max_seconds=2 * DAY)
        assert done.removed == (chunks / "stopped",)
        assert done.irreplaceable == ()
        assert done.total == 6000
        # Whatever the limit: what was worked on within a day may be worked on now.
        assert (await prune(results, journal, **limits | {"max_bytes": 1}, max_seconds=2 * DAY)).removed == ()
    assert {path.name for path in chunks.iterdir()} == {"finished", "going", "note.txt"}
