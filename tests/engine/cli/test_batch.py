"""Batches on the command line: reading lists, reporting faults, limits, and resuming after kills."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.batch.rows import read_csv, read_file, read_lines
from grok_imagine.batch.run import Batch, prepare, run_batch
from grok_imagine.cli.batch import write_results
from grok_imagine.errors import RequestError
from grok_imagine.jobs import Session
from grok_imagine.journal.batch_row import Row, RowState
from grok_imagine.journal.batches import Batches
from grok_imagine.sandbox import Sandbox

from ..support.processes import client, finish, ledger, wait_until
from ..support.requests import make_picture
from ..support.sessions import Open

QUICK = {"duration_seconds": 1, "resolution": "480p"}


def batch(*prompts: str, **more: Any) -> Batch:
    given: dict[str, Any] = {
        "name": "test",
        "rows": [{"prompt": one} for one in prompts],
        "connection": "sandbox-xai",
        "defaults": QUICK,
    }
    return Batch(**{**given, **more})


async def rows_of(session: Session, identity: str) -> list[Row]:
    return [row async for row in Batches(session.journal).rows(identity)]


async def test_every_row_becomes_a_clip(session: Session, sandbox: Sandbox) -> None:
    seen: list[int] = []
    outcome = await run_batch(
        session, batch("a", "b", "c", "a"), lambda summary: seen.append(summary.count(RowState.DONE))
    )
    assert outcome.summary.counts == {RowState.DONE: 4}
    assert seen[-1] == 4
    made = await rows_of(session, outcome.id)
    assert [row.number for row in made] == [1, 2, 3, 4]
    assert [row.job_id for row in made].index(made[3].job_id) == 0, "an equal row is the same clip"
    assert all(Path(row.job["file"]).is_file() for row in made)
    assert outcome.summary.cost_usd == sum(row.job["cost_usd"] for row in made[:3]) > 0
    assert sandbox.ledger()["submits"] == 3


async def test_equal_rows_are_priced_once(session: Session) -> None:
    rows, price = await prepare(
        session, batch("a", "b", "a", "a", connection="sandbox", defaults={"duration_seconds": 6})
    )
    assert [row.is_repeat for row in rows] == [False, False, True, True]
    assert len({row.key for row in rows}) == 4
    assert price is not None
    assert price.usd == Decimal("0.108")


async def test_a_second_run_makes_only_new_rows(open_session: Open, sandbox: Sandbox) -> None:
    async with open_session() as session:
        first = await run_batch(session, batch("a", "b"))
    async with open_session() as session:
        again = await run_batch(session, batch("c", "b", "a"))
        assert again.id == first.id
        assert again.summary.counts == {RowState.DONE: 3}
        shorter = await run_batch(session, batch("a"))
        assert shorter.summary.total == 1
    assert sandbox.ledger()["submits"] == 3


async def test_a_failed_row_does_not_stop_the_batch(session: Session, sandbox: Sandbox) -> None:
    the_batch = batch("a", "b [sandbox:failed]", "c [sandbox:moderated]", "d", "e [sandbox:drop-after]")
    outcome = await run_batch(session, the_batch)
    assert outcome.summary.counts == {RowState.DONE: 2, RowState.FAILED: 2, RowState.UNKNOWN: 1}
    made = {row.number: row for row in await rows_of(session, outcome.id)}
    assert made[2].error_kind == "JobFailed"
    assert made[3].error_kind == "ContentRejected"
    assert "Outcome unknown" in (made[5].error or "")
    submits = sandbox.ledger()["submits"]
    again = await run_batch(session, the_batch)
    assert again.summary.counts == outcome.summary.counts
    assert sandbox.ledger()["submits"] == submits, "neither what failed nor what is unknown is sent again by itself"
    await run_batch(session, batch(*[row["prompt"] for row in the_batch.rows], retry_failed=True))
    # Moderation would refuse the same request again, and may charge for it: that row must be changed first.
    assert sandbox.ledger()["submits"] == submits + 1, "asked for, what failed is made anew"


async def test_the_spending_limit_is_not_exceeded(session: Session, sandbox: Sandbox) -> None:
    the_batch = batch(*"abcdefgh", connection="sandbox", defaults={"duration_seconds": 6}, concurrency=3)
    capped = Batch(**{**vars(the_batch), "max_usd": Decimal("0.2")})
    outcome = await run_batch(session, capped)  # 0.054 a row
    assert outcome.summary.counts == {RowState.DONE: 3, RowState.WAITING: 5}
    assert "limit of $0.2 is reached" in outcome.stopped_by
    assert outcome.summary.cost_usd == Decimal("0.162")
    again = await run_batch(session, capped)
    assert again.summary.counts == outcome.summary.counts, "the cap is the whole list's, not one run's"
    rest = await run_batch(session, the_batch)
    assert rest.summary.counts == {RowState.DONE: 8}
    assert rest.stopped_by == ""
    assert sandbox.ledger()["submits"] == 8


async def test_never_more_clips_at_the_same_time_than_the_concurrency(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, most = 0, 0
    real = Session.generate

    async def counted(self: Session, *arguments: Any, **more: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await real(self, *arguments, **more)
        finally:
            under_way -= 1

    monkeypatch.setattr(Session, "generate", counted)
    await run_batch(session, batch(*"abcdefgh", concurrency=3))
    assert most == 3


async def test_an_error_that_every_row_would_get_stops_the_batch(session: Session, sandbox: Sandbox) -> None:
    outcome = await run_batch(session, batch("a", "b [sandbox:402]", "c", "d", concurrency=1))
    assert outcome.summary.counts == {RowState.DONE: 1, RowState.WAITING: 3}
    assert "402" in outcome.stopped_by
    assert sandbox.ledger()["submits"] == 1


async def test_all_faults_of_all_rows_are_reported_before_anything_is_sent(
    session: Session, sandbox: Sandbox, tmp_path: Path
) -> None:
    rows = [
        {"prompt": "fine"},
        {"prompt": " ", "duration": 99},
        {"prompt": "x", "seed": "many"},
        {"prompt": "x", "images": ["gone.png"]},
        {"prompt": "x", "connection": "sandbox-reapi-no"},
    ]
    with pytest.raises(RequestError) as caught:
        await prepare(session, batch(rows=rows[:4], folder=tmp_path))
    told = str(caught.value)
    assert "3 of 4 rows are invalid. Nothing was sent or charged" in told
    for words in ("row 2, prompt", "row 2, duration_seconds", "row 3, seed", "row 4, reference_images: file not found"):
        assert words in told
    with pytest.raises(Exception, match="no connection 'sandbox-reapi-no'"):
        await prepare(session, batch(rows=rows[4:]))
    with pytest.raises(RequestError, match="publishes no prices"):
        await prepare(session, batch("a", connection="sandbox-openai_videos", max_usd=Decimal(1)))
    with pytest.raises(RequestError, match="choose 1 to 50"):
        await prepare(session, batch("a", concurrency=51))
    assert sandbox.requests() == []


async def test_rows_override_and_files_are_found_beside_the_list(
    session: Session, sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "one.png").write_bytes(make_picture((200, 10, 10)).data)
    (tmp_path / "two.png").write_bytes(make_picture((10, 200, 10)).data)
    (tmp_path / "list.csv").write_text(
        "prompt,duration,images,connection,seed\n"
        '"a, and b",2,,,\n'
        "both,,one.png|two.png,sandbox-openai_videos,7\n"
        "plain,,,sandbox,\n".replace("plain,,", "plain,6,")
    )
    the_batch = batch(rows=read_file(tmp_path / "list.csv"), folder=tmp_path)
    outcome = await run_batch(session, the_batch)
    assert outcome.summary.counts == {RowState.DONE: 3}
    made = await rows_of(session, outcome.id)
    jobs = [await session.journal.get(row.job_id or "") for row in made]
    assert [job and job.mode for job in jobs] == ["text_to_video", "reference_to_video", "text_to_video"]
    assert [job and job.request["duration_seconds"] for job in jobs] == [2, 1, 6]
    assert [row.connection for row in made] == ["sandbox-xai", "sandbox-openai_videos", "sandbox"]
    (tmp_path / "one.png").write_bytes(make_picture((1, 2, 3)).data)
    again = await run_batch(session, the_batch)
    assert again.summary.counts == {RowState.DONE: 3}
    assert sandbox.ledger()["submits"] == 4, "another picture of the same name is another request"


async def test_two_runs_of_one_batch_pay_each_row_once(open_session: Open, sandbox: Sandbox) -> None:
    async with open_session() as one, open_session() as other:
        the_batch = batch(*"abcdef")
        await asyncio.gather(run_batch(one, the_batch), run_batch(other, the_batch))
    assert sandbox.ledger()["submits"] == 6


async def test_two_processes_may_write_the_results_of_one_list(
    session: Session, sandbox: Sandbox, tmp_path: Path
) -> None:
    outcome = await run_batch(session, batch("a", "b"))
    target, folder = tmp_path / "list.results.jsonl", tmp_path / "clips"
    await asyncio.gather(*(write_results(session, outcome.id, target, folder) for _ in range(6)))
    assert [json.loads(line)["row"] for line in target.read_text("utf-8").splitlines()] == [1, 2]
    assert sorted(path.name for path in folder.iterdir()) == ["00001.mp4", "00002.mp4"]
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_lists_are_read_and_their_faults_named(tmp_path: Path) -> None:
    assert read_lines(["a kite", "", ' {"prompt": "b", "duration": 3} ']) == [
        {"prompt": "a kite"},
        {"prompt": "b", "duration": 3},
    ]
    assert read_csv("Prompt, seed\nx, 3\ny,\n") == [{"prompt": "x", "seed": 3}, {"prompt": "y"}]
    with pytest.raises(RequestError, match=r"line 2: is not a JSON object[\s\S]*line 3: is not a JSON"):
        read_lines(["a", "{nope", '{"prompt": }'])
    with pytest.raises(RequestError, match="wings: unknown field"):
        read_lines(['{"prompt": "a", "wings": 2}'])
    with pytest.raises(RequestError, match="line 2: has more cells than the header"):
        read_csv("prompt,seed\na, b, 3\n")
    with pytest.raises(RequestError, match="needs a header"):
        read_csv("a kite\n")
    with pytest.raises(RequestError, match="has 0 rows"):
        read_lines(["", " "])
    (tmp_path / "list.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match=r"list\.csv cannot be read"):
        read_file(tmp_path / "list.csv")


@pytest.mark.slow
def test_a_batch_is_resumed_after_three_kills(running_sandbox: str, tmp_path: Path) -> None:
    lines = [json.dumps({"prompt": f"clip {number}", "duration": 1, "resolution": "480p"}) for number in range(16)]
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    clips = tmp_path / "clips"
    command = ("batch", str(tmp_path / "list.jsonl"), "-c", "sandbox-xai", "--at-once", "4", "--json", "-o", str(clips))
    for wanted in (4, 8, 12):
        process = client(running_sandbox, tmp_path, *command)
        wait_until(
            lambda wanted=wanted, it=process: ledger(running_sandbox)["submits"] >= wanted or it.poll() is not None
        )
        process.kill()
        process.communicate()
    code, out, err = finish(client(running_sandbox, tmp_path, *command))
    told = json.loads(out)
    unknown = told["rows"].get("unknown", 0)
    # A kill between a POST and its answer leaves a row of unknown outcome, which is told and never sent again.
    assert unknown <= 3 * 4
    assert told["rows"].get("done", 0) + unknown == 16, err
    assert code == (5 if unknown else 0)
    assert ledger(running_sandbox)["submits"] <= 16, "no row is paid twice"
    results = [json.loads(line) for line in (tmp_path / "list.jsonl.results.jsonl").read_text().splitlines()]
    assert [row["row"] for row in results] == list(range(1, 17))
    done = [row for row in results if row["state"] == "done"]
    assert all(Path(row["file"]).parent == clips and Path(row["file"]).is_file() for row in done)
    assert all(Decimal(row["cost_usd"]) > 0 and row["seconds"] > 0 for row in done)
