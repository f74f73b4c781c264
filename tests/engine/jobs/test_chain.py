"""Films: each segment is a job, kept when a later one fails, paid once, and joined to one video."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grok_imagine.chain.run import Chain, make_plan, run_chain
from grok_imagine.errors import JobFailed, RequestError
from grok_imagine.jobs import Session
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.mux import metadata
from grok_imagine.models import Mode, VideoRequest
from grok_imagine.sandbox import Sandbox

from ..support.processes import client, finish, ledger, wait_until
from ..support.requests import connection_for
from ..support.sessions import Open, Recorder

PROMPTS = ("it rises", "it turns", "it falls")


async def first_clip(session: Session, dialect: str = "xai", seconds: int = 2) -> Path:
    request = VideoRequest(prompt="a kite", duration_seconds=seconds, resolution="480p")
    return (await session.generate(request, connection_for(dialect), owner="first")).file


def chain(source: Path, prompts: tuple[str, ...] = PROMPTS, dialect: str = "xai", **base: Any) -> Chain:
    stated = {"mode": Mode.IMAGE, "duration_seconds": 1, **base}
    return Chain(connection_for(dialect), source, prompts, VideoRequest(**stated))


def posts(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [one for one in sandbox.requests() if one["method"] == "POST"]


async def test_a_film_continues_from_the_last_frame(session: Session, sandbox: Sandbox) -> None:
    source = await first_clip(session)
    seen = Recorder()
    film = await run_chain(session, chain(source), progress=seen)
    assert film.joined is not None
    assert film.joined.frames == 48 + 3 * 23, "each segment's first frame repeats the one before"
    assert [seam.frame for seam in film.joined.seams] == [48, 71, 94]
    clip = decode(film.file)
    assert clip.frame_count == film.joined.frames
    assert abs(clip.audio.samples.shape[2] / clip.audio.rate - float(clip.duration)) < 0.001
    assert [one.job.mode for one in film.segments] == ["image_to_video"] * 3
    percents = [update.percent for update in seen.updates if update.percent is not None]
    assert percents == sorted(percents)
    assert (percents[-1], seen.steps[-1]) == (100.0, "done")
    assert any("segment 2 of 3" in update.note for update in seen.updates)
    assert sandbox.ledger()["submits"] == 4


async def test_a_second_run_returns_the_same_film_at_no_cost(open_session: Open, sandbox: Sandbox) -> None:
    async with open_session() as session:
        source = await first_clip(session)
        first = await run_chain(session, chain(source))
    async with open_session() as session:
        again = await run_chain(session, chain(source))
        assert (again.file, again.joined) == (first.file, None)
        other = await run_chain(session, chain(source, ("it rises", "it turns", "it lands")))
        assert [one.job.id for one in other.segments[:2]] == [one.job.id for one in first.segments[:2]]
        assert other.file != first.file
        await run_chain(session, chain(source, seed=1))
    assert sandbox.ledger()["submits"] == 1 + 3 + 1 + 3


async def test_a_failed_segment_keeps_the_earlier_ones(session: Session, sandbox: Sandbox) -> None:
    source = await first_clip(session)
    bad = ("it rises", "it turns", "it falls [sandbox:failed]", "it lands")
    with pytest.raises(JobFailed, match=r"^Segment 3 of 4: .* Segments 1 to 2 are kept: run it again"):
        await run_chain(session, chain(source, bad))
    assert sandbox.ledger()["submits"] == 1 + 3
    film = await run_chain(session, chain(source, (*bad[:2], "it falls", "it lands")))
    assert len(film.segments) == 4
    assert sandbox.ledger()["submits"] == 1 + 3 + 2


@pytest.mark.parametrize(
    ("dialect", "prompts"),
    [
        ("xai", ("on", "to the end")),
        pytest.param("openai_videos", ("on", "and on", "still", "to the end"), marks=pytest.mark.slow),
    ],
)
async def test_a_film_is_extended_if_the_dialect_supports_it(
    dialect: str, prompts: tuple[str, ...], session: Session, sandbox: Sandbox
) -> None:
    source = await first_clip(session, dialect)
    before = len(posts(sandbox))
    request = chain(source, prompts, dialect, mode=None, duration_seconds=3)
    film = await run_chain(session, request)
    assert film.plan.mode is Mode.EXTEND
    assert film.joined is not None
    assert film.joined.frames == decode(film.file).frame_count == 48 + len(prompts) * 72
    sent = [one["body"] for one in posts(sandbox)[before:] if "/_sandbox/" not in one["path"]]
    assert len(sent) == len(prompts)
    if dialect == "openai_videos":
        lengths = [body["extra_body"]["input_video_seconds"] for body in sent]
        assert lengths == [2, 5, 8, 8], "of a long film only the end is sent, and billed"


async def test_the_price_and_all_faults_are_reported_first(session: Session, sandbox: Sandbox) -> None:
    source = await first_clip(session)
    submits = sandbox.ledger()["submits"]
    planned = await make_plan(session, chain(source, dialect="reapi", mode=None, duration_seconds=6))
    assert planned.mode is Mode.IMAGE
    assert planned.total is not None
    assert (planned.total.credits, planned.total.usd) == (162, Decimal("0.162"))
    assert planned.text == "3 segments, continued from the last frame: about 162 credits ($0.162) in total"
    assert planned.base.resolution == "480p", "the source's own"
    unpriced = await make_plan(session, chain(source, dialect="openai_videos"))
    assert "see the provider for the price" in unpriced.text
    with pytest.raises(RequestError) as caught:
        await make_plan(session, chain(source, ("fine", "x" * 5000, "@image2 waves"), "aivideoapi", duration_seconds=2))
    told = [f"{one.field}" for one in caught.value.violations]
    assert told.count("segment 2, duration_seconds") == 1
    assert "segment 3, prompt" in told
    with pytest.raises(RequestError, match="extend video is not supported here"):
        await make_plan(session, chain(source, dialect="reapi", mode=Mode.EXTEND))
    with pytest.raises(RequestError, match="Enter 1 to 100 prompts"):
        await make_plan(session, chain(source, ()))
    assert sandbox.ledger()["submits"] == submits


async def test_seams_are_invisible_and_the_metadata_has_each_segment(session: Session) -> None:
    """Between two frames at a seam there is no more change than motion makes anywhere in the film."""
    source = await first_clip(session)
    film = await run_chain(session, chain(source))
    assert film.joined is not None
    facts = metadata.read(film.file)
    assert facts is not None
    assert facts["source"] == metadata.read(source)
    assert [one["prompt"] for one in facts["segments"]] == list(PROMPTS)
    assert [one["job_id"] for one in facts["segments"]] == [one.job.id for one in film.segments]
    frames = decode(film.file).frames
    steps = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    means = np.abs(np.diff(frames.mean((1, 2)), axis=0)).max(1)
    at = [seam.frame - 1 for seam in film.joined.seams]
    elsewhere = np.delete(steps, at)
    assert steps[at].max() < 2 * elsewhere.max()
    assert means[at].max() < 1.5 / 255


@pytest.mark.slow
def test_killed_in_a_segment_and_run_again(running_sandbox: str, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    made = ("generate", "a kite", "-c", "sandbox-xai", "-d", "1", "-r", "480p", "-o", str(clip))
    assert finish(client(running_sandbox, tmp_path, *made))[0] == 0
    start = ledger(running_sandbox)["submits"]
    prompts = [f"segment {number}" for number in range(1, 6)]
    command = ("continue", str(clip), *prompts, "-c", "sandbox-xai", "--how", "last-frame", "-d", "1", "--json")
    command = (*command, "-o", str(tmp_path / "film.mp4"))
    process: subprocess.Popen[Any] = client(running_sandbox, tmp_path, *command)
    wait_until(lambda: _submitted(tmp_path) == 1 + 3)
    process.kill()
    process.communicate()
    assert ledger(running_sandbox)["submits"] == start + 3, "killed in segment 3"
    code, out, err = finish(client(running_sandbox, tmp_path, *command))
    assert code == 0, err
    told = json.loads(out)
    assert ledger(running_sandbox)["submits"] == start + 5, "no segment is paid twice"
    assert told["frames"] == decode(tmp_path / "film.mp4").frame_count == 24 + 5 * 23


def _submitted(home: Path) -> int:
    """How many jobs have a task, by the journal."""
    with closing(sqlite3.connect(f"file:{home / 'journal.db'}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM jobs WHERE task_id IS NOT NULL").fetchone()[0])
