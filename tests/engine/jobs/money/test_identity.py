"""The same inputs and seed are the same clip, paid once: in every node, list, command and version of the pack."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from grok_imagine.batch.run import Batch, run_batch
from grok_imagine.chain.run import Chain, run_chain
from grok_imagine.errors import ContentRejected
from grok_imagine.jobs import Session, new_job
from grok_imagine.jobs.failover import generate_with_failover
from grok_imagine.jobs.new_job import fingerprints
from grok_imagine.jobs.uploads import encode
from grok_imagine.journal.batch_row import RowState
from grok_imagine.journal.batches import Batches
from grok_imagine.models import Blob, Job, JobState, Mode, VideoRequest
from grok_imagine.sandbox import Sandbox

from ...support.processes import client, finish, ledger
from ...support.requests import request_for
from ...support.sessions import Open

CLIP = Path(__file__).parents[3] / "conformance" / "clip.mp4"
BOAT = request_for("reapi")
BOAT_FINGERPRINT = "343ff7cad07aa8015b169139c5c7126b08836f66a02433b9414d92d2ac4c291e"
FULL = VideoRequest(
    mode=Mode.EXTEND,
    model="grok-imagine-video",
    prompt="löwe 🦁",
    resolution="720p",
    aspect_ratio="16:9",
    duration_seconds=6,
    motion_mode="fun",
    seed=7,
    reference_images=(Blob(b"one", "image/png"), "https://example.com/two.png"),
    source_video="https://example.com/clip.mp4",
    source_seconds=2.5,
)
FULL_FINGERPRINT = "c74ac9281e747cec48f089fd0bfc1b582245d8539243566cbf90a01b7dc4c979"


def old_job(job_id: str, state: JobState, **more: Any) -> Job:
    """A job for BOAT as a journal of before holds it: each node's own."""
    fields: dict[str, Any] = {"model": "grok-imagine-1.0-video", "mode": "text_to_video", "request": BOAT.as_json()}
    return Job(
        id=job_id, state=state, connection="sandbox", provider="reapi", fingerprint=BOAT_FINGERPRINT, **fields, **more
    )


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (BOAT, BOAT_FINGERPRINT),
        (FULL, FULL_FINGERPRINT),
        (
            FULL.model_copy(update={"reference_images": (Blob(b"one", "image/png"),) * 2}),
            "5f08d8624726cf2f9f20164013eb57b9a9ff8922486f478b36ce733352033258",
        ),
    ],
)
async def test_version_1_of_the_formula_never_changes(session: Session, wanted: VideoRequest, expected: str) -> None:
    # If this fails, clips that are finished would be paid again. Leave the formula, and put a new version in front.
    connection = await session.connect("sandbox")
    found = await fingerprints(wanted, connection, session.publisher.uploads)
    assert found[-1] == expected


async def test_the_owner_is_not_part_of_the_identity(open_session: Open, sandbox: Sandbox) -> None:
    async with open_session() as session:
        first = await session.generate(BOAT, "sandbox", owner="7")
    async with open_session() as session:
        for owner in ("8", "5:7", "cli", "", "batch-1/2"):
            again = await session.generate(BOAT, "sandbox", owner=owner)
            assert (again.job.id, again.is_reused) == (first.job.id, True)
        made = await generate_with_failover(session, BOAT, ["sandbox-xai", "sandbox"], owner="9")
        assert made.job.id == first.job.id
    assert sandbox.ledger()["submits"] == 1


async def test_two_at_once_are_one_clip_if_their_seeds_are_equal(session: Session, sandbox: Sandbox) -> None:
    other = BOAT.model_copy(update={"seed": 1})
    made = await asyncio.gather(
        *(session.generate(request, "sandbox", owner=str(n)) for n, request in enumerate((BOAT, BOAT, other)))
    )
    assert made[0].job.id == made[1].job.id != made[2].job.id
    assert sandbox.ledger()["submits"] == 2


@pytest.mark.parametrize("owner", ["3", "12:3", "cli", "batch-20260101-000000-0a0b0c0d/0123456789abcdef01234567"])
async def test_a_finished_job_of_an_older_journal_is_found(
    session: Session, sandbox: Sandbox, tmp_path: Path, owner: str
) -> None:
    file = Path(shutil.copy(CLIP, tmp_path))
    await session.journal.add(old_job("done", JobState.SAVED, owner=owner, file=file))
    await session.journal.add(old_job("unknown", JobState.SUBMITTING, owner="4"))
    await session.journal.add(old_job("refused", JobState.FAILED, owner="5", error_kind=ContentRejected.__name__))
    made = await session.generate(BOAT, "sandbox", owner="99")
    assert (made.job.id, made.is_reused) == ("done", True)
    assert sandbox.ledger()["submits"] == 0


async def test_a_running_job_of_an_older_journal_is_resumed(session: Session, sandbox: Sandbox) -> None:
    running = await session.generate(BOAT, "sandbox", owner="3")
    with closing(sqlite3.connect(session.home / "journal.db")) as database, database:
        database.execute("UPDATE jobs SET state = 'submitted', file = NULL, fingerprint = ?", [BOAT_FINGERPRINT])
    made = await session.generate(BOAT, "sandbox", owner="4")
    assert (made.job.id, made.job.state) == (running.job.id, JobState.SAVED)
    assert sandbox.ledger()["submits"] == 1


async def test_a_new_formula_finds_the_jobs_of_the_old_one(
    session: Session, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await session.generate(BOAT, "sandbox")
    newer = (lambda request, known: "2:" + VideoRequest.fingerprint(request, known), *new_job._FORMULAS)
    monkeypatch.setattr(new_job, "_FORMULAS", newer)
    assert (await session.generate(BOAT, "sandbox")).job.id == first.job.id
    found = await session.find(BOAT, "sandbox")
    assert found is not None
    other = await session.generate(BOAT.model_copy(update={"seed": 1}), "sandbox")
    assert other.job.fingerprint != first.job.fingerprint
    assert sandbox.ledger()["submits"] == 2


async def test_a_new_encoder_finds_the_clips_of_the_same_pictures(
    session: Session, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (np.full((72, 128, 3), shade, np.float32) for shade in (0.2, 0.8))

    async def make(*pictures: np.ndarray) -> Job:
        images = await session.publisher.images(pictures)
        return (await session.generate(BOAT.model_copy(update={"reference_images": tuple(images)}), "sandbox")).job

    first, both = await make(one), await make(one, two)
    monkeypatch.setattr(encode, "_ENCODERS", ("99", *encode._ENCODERS))
    monkeypatch.setattr("grok_imagine.media.images.encode.encode_image", other_encoder)
    assert [(await make(one)).id, (await make(one, two)).id, (await make(one)).id] == [first.id, both.id, first.id]
    assert sandbox.ledger()["submits"] == 2
    third = await make(two)
    assert third.request["reference_images"] != [both.request["reference_images"][1]], "it is encoded anew"
    assert (await make(two)).id == third.id
    assert sandbox.ledger()["submits"] == 3


def other_encoder(pixels: np.ndarray) -> Blob:
    data = io.BytesIO()
    Image.fromarray((pixels * 255).astype(np.uint8)).save(data, "JPEG", quality=40)
    return Blob(data.getvalue(), "image/jpeg")


def batch(name: str, *rows: dict[str, Any]) -> Batch:
    return Batch(name, rows, "sandbox", {"duration_seconds": 6, "resolution": "480p"})


async def test_a_list_and_a_command_share_their_clips(session: Session, sandbox: Sandbox) -> None:
    made = await session.generate(BOAT, "sandbox", owner="cli")
    rows = [{"prompt": BOAT.prompt}, {"prompt": BOAT.prompt, "seed": 1}]
    first = await run_batch(session, batch("/here/list.csv", *rows))
    listed = [row async for row in Batches(session.journal).rows(first.id)]
    assert listed[0].job_id == made.job.id
    moved = await run_batch(session, batch("/there/other.csv", *rows))
    assert moved.id != first.id
    assert [row.job_id async for row in Batches(session.journal).rows(moved.id)] == [row.job_id for row in listed]
    assert (await session.generate(BOAT.model_copy(update={"seed": 1}), "sandbox")).job.id == listed[1].job_id
    assert sandbox.ledger()["submits"] == 2


async def test_a_row_shows_the_state_of_a_job_that_a_command_began(session: Session, sandbox: Sandbox) -> None:
    lost = BOAT.model_copy(update={"prompt": "a boat [sandbox:drop-after]"})
    with pytest.raises(Exception, match="Outcome unknown"):
        await session.generate(lost, "sandbox", owner="cli")
    outcome = await run_batch(session, batch("list", {"prompt": lost.prompt}))
    assert outcome.summary.counts == {RowState.UNKNOWN: 1}
    (row,) = [row async for row in Batches(session.journal).rows(outcome.id)]
    assert row.job_id is not None
    assert sandbox.ledger()["submits"] == 1


@pytest.mark.slow
async def test_the_commands_of_two_processes_share_their_clips(running_sandbox: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    listed = tmp_path / "list.csv"
    listed.write_text("prompt,duration,resolution\na kite,6,480p\na kite,6,480p\n")
    options = ("--duration", "6", "--resolution", "480p", "--json")
    code, out, err = finish(client(running_sandbox, home, "generate", "a kite", *options))
    assert code == 0, err
    made = json.loads(out)["job_id"]
    for place in (listed, tmp_path / "moved" / "again.csv"):
        place.parent.mkdir(exist_ok=True)
        place.write_text(listed.read_text())
        code, out, err = finish(client(running_sandbox, home, "batch", str(place)))
        assert code == 0, err
        assert "2 rows: about 54 credits ($0.054) in total (1 repeat an earlier row: the same" in err
        results = place.with_name(f"{place.name}.results.jsonl").read_text().splitlines()
        assert [json.loads(line)["job_id"] for line in results] == [made, made]
    assert ledger(running_sandbox)["submits"] == 1


async def test_a_chain_of_an_older_journal_is_found_for_every_owner(session: Session, sandbox: Sandbox) -> None:
    source = (await session.generate(request_for("xai"), "sandbox-xai")).file
    base = VideoRequest(resolution="480p", duration_seconds=2, mode=Mode.IMAGE)
    first = await run_chain(session, Chain("sandbox-xai", source, ("on",), base))
    assert first.segments[0].job.owner.startswith("chain/")
    with closing(sqlite3.connect(session.home / "journal.db")) as database, database:
        # Its pictures were encoded in another way, so that only the segment's own name finds it.
        database.execute("UPDATE jobs SET owner = replace(owner, 'chain/', '12:7/'), fingerprint = 'x'")
    again = await run_chain(session, Chain("sandbox-xai", source, ("on",), base))
    assert again.segments[0].job.id == first.segments[0].job.id
    assert sandbox.ledger()["submits"] == 2
