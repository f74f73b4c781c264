"""The panel's routes over real HTTP: lists, pictures, clips, actions, and who is let in."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest


async def test_before_the_first_job_the_list_is_empty_and_nothing_is_made(desk: Any, home: Path) -> None:
    found = await desk.get("/jobs")
    assert found == {
        "jobs": [],
        "next": "",
        "counts": {"all": 0, "open": 0, "attention": 0, "done": 0, "failed": 0},
    }
    assert await desk.get("/spend") == {}
    assert {path.name for path in home.iterdir()} == {"settings.json"}


async def test_a_clip_is_listed_with_its_picture_and_can_be_sought_in(desk: Any, run: Any, home: Path) -> None:
    made = await run("GIVTextToVideo", prompt="a lantern in the fog", duration=1, connection="sandbox-xai")
    (job,) = (await desk.get("/jobs"))["jobs"]
    assert job["id"] == made[1]
    assert (job["state"], job["prompt"], job["has_file"]) == ("saved", "a lantern in the fog", True)
    assert job["actions"] == ["play", "frames", "remove"]
    assert str(home) not in json.dumps(job), "a path says more of the machine than the page needs"
    status, picture, headers = await desk.ask("GET", f"/jobs/{job['id']}/thumbnail", X_Grok_Imagine="")
    assert (status, picture[:2], headers["Content-Type"]) == (200, b"\xff\xd8", "image/jpeg")
    assert len(picture) < 30_000
    kept = home / "results" / "thumbnails" / f"{job['id']}.jpg"
    first = kept.stat().st_mtime_ns
    await desk.ask("GET", f"/jobs/{job['id']}/thumbnail")
    assert kept.stat().st_mtime_ns == first, "it is made once"
    whole = (home / "results" / f"{job['id']}.mp4").read_bytes()
    status, some, headers = await desk.ask("GET", f"/jobs/{job['id']}/video", Range="bytes=4-11", X_Grok_Imagine="")
    assert (status, some, headers["Content-Type"]) == (206, whole[4:12], "video/mp4")
    detail = await desk.get(f"/jobs/{job['id']}")
    assert [step["after"] for step in detail["history"]] == [
        "prepared",
        "submitting",
        "submitted",
        "succeeded",
        "saved",
    ]


async def test_the_prices_of_the_same_clip_are_compared(desk: Any, run: Any) -> None:
    wish = {"prompt": "a lantern", "duration": 6, "resolution": "480p", "aspect_ratio": "16:9"}
    made = await run("GIVTextToVideo", **wish)
    found = {one["connection"]: one for one in (await desk.get(f"/jobs/{made[1]}/prices"))["prices"]}
    names = {"reapi", "aivideoapi", "apiinone", "xai", "comfyrouter", "kie", "fal", "apimart", "wavespeed"}
    assert set(found) == names, "sandboxes stand for the others"
    assert {name: float(one["usd"]) for name, one in found.items() if one["usd"]} == {
        "reapi": 0.054,
        "aivideoapi": 0.075,
        "xai": 0.3,
        "fal": 0.3,
    }
    assert found["apiinone"]["fault"], "it lets neither length nor resolution be chosen"
    assert list(found)[:2] == ["reapi", "aivideoapi"], "the cheapest first"
    assert "http" in found["kie"]["note"], "where no number is published, the page that has it is named"


async def test_paging_by_time_loses_and_doubles_nothing(desk: Any, run: Any, part: Any) -> None:
    await _jobs(part, [f"prompt {number}" for number in range(25)])
    seen: list[str] = []
    before = ""
    while True:
        page = await desk.get(f"/jobs?limit=10&before={before}")
        seen += [job["prompt"] for job in page["jobs"]]
        if not seen[10:]:
            await _jobs(part, ["made meanwhile"])
        before = page["next"]
        if not before:
            break
    assert seen == [f"prompt {number}" for number in reversed(range(25))]


async def test_the_list_is_narrowed_by_group_and_words(desk: Any, run: Any, part: Any) -> None:
    await _jobs(part, ["a red kite", "a Blue kite 100%", "猫が走る"], state="saved")
    await _jobs(part, ["a lost one"], state="failed", error_kind="ContentRejected", error="moderation said no")
    await _jobs(part, ["still there"], state="submitted", error_kind="ProviderDown", task_id="task-77")

    async def found(query: str) -> list[str]:
        return [job["prompt"] for job in (await desk.get(f"/jobs?{query}"))["jobs"]]

    assert await found("search=kite") == ["a Blue kite 100%", "a red kite"]
    assert await found("search=blue%20100%25") == ["a Blue kite 100%"], "% is a letter like any other"
    assert await found("search=猫") == ["猫が走る"]
    assert await found("search=task-77") == ["still there"]
    assert await found("search=moderation") == ["a lost one"]
    assert await found("group=failed") == ["a lost one"]
    assert await found("group=attention") == ["still there"]
    assert (await desk.get("/jobs?search=kite"))["counts"] == {
        "all": 2,
        "open": 0,
        "attention": 0,
        "done": 2,
        "failed": 0,
    }
    for query in ("group=nonsense", "before=x~y", "limit=many"):
        status, error, _ = await desk.ask("GET", f"/jobs?{query}")
        assert status == 400, query
        assert error["error"]["message"]


async def test_a_job_is_resumed_and_a_lost_file_fetched_again(desk: Any, run: Any, home: Path, sandbox: Any) -> None:
    made = await run("GIVTextToVideo", prompt="fetched twice", duration=1, connection="sandbox-xai")
    (home / "results" / f"{made[1]}.mp4").unlink()
    (job,) = (await desk.get("/jobs"))["jobs"]
    assert job["actions"] == ["fetch", "remove"]
    found = await desk.post(f"/jobs/{made[1]}/resume")
    for _ in range(200):
        if found.get("job", {}).get("has_file"):
            break
        await asyncio.sleep(0.1)
        found = {"job": await desk.get(f"/jobs/{made[1]}")}
    assert found["job"]["has_file"]
    assert sandbox.submits == 1


async def test_what_cannot_be_done_says_why(desk: Any, run: Any, part: Any) -> None:
    (job,) = await _jobs(part, ["of another connection"], state="submitted", task_id="t1", connection="gone")
    status, error, _ = await desk.ask("POST", f"/jobs/{job}/resume", {})
    assert status == 400
    assert "no connection 'gone'" in error["error"]["message"]
    status, error, _ = await desk.ask("POST", f"/jobs/{job}/attach", {"task_id": "x"})
    assert (status, error["error"]["kind"]) == (400, "SettingsError")
    status, error, _ = await desk.ask("POST", f"/jobs/{job}/remove", {})
    assert (status, error["error"]["kind"]) == (409, "NotOver")
    assert (await desk.ask("GET", "/jobs/20200101-000000-00000000"))[0] == 404


async def test_a_finished_job_takes_the_url_of_its_video(
    desk: Any, run: Any, part: Any, home: Path, sandbox: Any
) -> None:
    video = (await run("GIVTextToVideo", prompt="lost and found", duration=1, connection="sandbox-xai"))[3]
    lost = {"state": "succeeded", "task_id": "t1", "error_kind": "ResultNotFetched", "error": "no video found"}
    (job,) = await _jobs(part, ["whose video was not found"], **lost)
    (shown,) = [one for one in (await desk.get("/jobs"))["jobs"] if one["id"] == job]
    assert shown["actions"] == ["fetch", "attach_url"]
    for wrong in ({}, {"url": 7}, {"url": "not a URL"}):
        assert (await desk.ask("POST", f"/jobs/{job}/attach", wrong))[0] == 400
    await desk.post(f"/jobs/{job}/attach", url=f" {video} ")
    for _ in range(300):
        found = await desk.get(f"/jobs/{job}")
        if found["state"] == "saved":
            break
        await asyncio.sleep(0.1)
    assert (found["state"], found["has_file"], found["error"]) == ("saved", True, "")
    assert sandbox.submits == 1
    assert (await desk.ask("POST", f"/jobs/{job}/attach", {"url": video}))[0] == 400, "it has one"


async def test_a_job_of_unknown_outcome_is_submitted_again_only_knowingly(
    desk: Any, run: Any, part: Any, sandbox: Any
) -> None:
    (job,) = await _jobs(part, ["sent, and no answer"], state="submitting", error_kind="SubmitUncertain")
    (shown,) = (await desk.get("/jobs"))["jobs"]
    assert (shown["is_unknown"], shown["actions"]) == (True, ["attach", "again"])
    status, error, _ = await desk.ask("POST", f"/jobs/{job}/again", {})
    assert (status, error["error"]["kind"], sandbox.submits) == (400, "NotConfirmed", 0)
    await desk.post(f"/jobs/{job}/again", knowingly=True)
    for _ in range(300):
        jobs = (await desk.get("/jobs"))["jobs"]
        if jobs[0]["state"] == "saved":
            break
        await asyncio.sleep(0.1)
    assert [one["state"] for one in jobs] == ["saved", "failed"]
    assert sandbox.submits == 1


async def test_a_removed_job_is_gone_from_list_and_disk_and_its_cost_still_counts(
    desk: Any, run: Any, part: Any, home: Path, sandbox: Any
) -> None:
    made = await run("GIVTextToVideo", prompt="not wanted", duration=1, connection="sandbox-xai")
    await desk.ask("GET", f"/jobs/{made[1]}/thumbnail")
    await desk.post(f"/jobs/{made[1]}/remove")
    assert (await desk.get("/jobs"))["jobs"] == []
    assert (await desk.ask("GET", f"/jobs/{made[1]}"))[0] == 404
    assert [path for path in (home / "results").rglob("*") if path.is_file()] == []
    assert ("grok_imagine.removed", {"id": made[1]}) in desk.shown
    async with part("nodes.host.execution").runtime().session() as _:
        pass
    await run("GIVTextToVideo", prompt="not wanted", duration=1, connection="sandbox-xai")
    assert sandbox.submits == 2, "a removed clip is no longer the clip of its wish"


async def test_the_workflow_is_kept_once_and_given_back(desk: Any, run: Any, home: Path) -> None:
    import sqlite3

    from comfy_api.latest import _io

    graph = {"nodes": [{"id": 1, "type": "GIVTextToVideo"}], "links": []}
    hidden = {_io.Hidden.extra_pnginfo: {"workflow": graph}}
    for seed in (1, 2):
        await run("GIVTextToVideo", prompt="kept", duration=1, connection="sandbox-xai", seed=seed, hidden=hidden)
    jobs = (await desk.get("/jobs"))["jobs"]
    assert [job["has_workflow"] for job in jobs] == [True, True]
    assert await desk.get(f"/jobs/{jobs[0]['id']}/workflow") == {"workflow": graph}
    with closing(sqlite3.connect(home / "journal.db")) as journal:
        assert journal.execute("select count(*) from workflows").fetchone() == (1,)


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"X_Grok_Imagine": ""}, "Refused"),
        ({"Host": "evil.example"}, "ForeignHost"),
        ({"Host": "127.0.0.1.evil.example:8188"}, "ForeignHost"),
        ({"Origin": "https://evil.example"}, "ForeignOrigin"),
        ({"Origin": "null"}, "ForeignOrigin"),
        ({"Sec_Fetch_Site": "cross-site"}, "ForeignOrigin"),
        ({"Sec_Fetch_Site": "same-site"}, "ForeignOrigin"),
    ],
)
async def test_a_foreign_page_gets_nothing(desk: Any, headers: dict[str, str], kind: str) -> None:
    for method, path in (
        ("GET", "/jobs"),
        ("GET", "/settings"),
        ("POST", "/quote"),
        ("POST", "/jobs/x/resume"),
        ("POST", "/settings/options"),
        ("POST", "/face"),
    ):
        status, error, _ = await desk.ask(method, path, **headers)
        assert (status, error["error"]["kind"]) == (403, kind)
    if "X_Grok_Imagine" not in headers:
        assert (await desk.ask("GET", "/jobs/x/video", **headers))[0] == 403
        assert (await desk.ask("GET", "/jobs/x/thumbnail", **headers))[0] == 403


async def test_a_page_says_that_it_shows_faces(desk: Any, part: Any) -> None:
    is_known = part("nodes.host.pages").is_known
    for wrong in ({}, {"client_id": ""}, {"client_id": 7}, {"client_id": "x" * 101}):
        assert (await desk.ask("POST", "/face", wrong))[0] == 400
    assert not is_known("a page")
    assert (await desk.ask("POST", "/face", {"client_id": "a page"}))[:2] == (200, {})
    assert is_known("a page")
    assert not is_known("another page")


async def test_only_json_changes_anything_and_never_a_get(desk: Any) -> None:
    status, error, _ = await desk.ask(
        "POST", "/settings/options", b'{"deadline_seconds": 5}', Content_Type="text/plain"
    )
    assert (status, error["error"]["message"]) == (415, "Send JSON.")
    assert (await desk.ask("POST", "/settings/options", b"[1]", Content_Type="application/json"))[0] == 400
    assert (await desk.ask("POST", "/settings/options", b" " * 300_000, Content_Type="application/json"))[0] == 413
    for path in ("/jobs/x/resume", "/jobs/x/remove", "/settings/connection", "/settings/options"):
        assert (await desk.ask("GET", path))[0] == 405


async def test_a_body_that_arrives_in_pieces_is_read_whole(desk: Any) -> None:
    body = json.dumps({"client_id": "page-in-pieces"}).encode()
    port = int(desk.url.split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = ("POST /grok_imagine/face HTTP/1.1", f"Host: 127.0.0.1:{port}", "X-Grok-Imagine: 1", "Connection: close")
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", "", "")
    writer.write("\r\n".join((*lines, *fields)).encode())
    for at in range(0, len(body), 10):
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(body[at : at + 10])
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200"), answer


async def _jobs(part: Any, prompts: list[str], state: str = "prepared", **fields: Any) -> list[str]:
    """Jobs, written into the journal as they are."""
    models, wishes = part("grok_imagine.models"), part("grok_imagine.jobs.new_job")
    plain = {"connection": "sandbox-xai", "provider": "xai", "model": "m", "mode": "text", "fingerprint": "f", **fields}

    async def work() -> list[str]:
        made = []
        async with part("nodes.host.execution").runtime().session() as session:
            for prompt in prompts:
                job = models.Job(
                    id=wishes.new_id(session._now()), state=models.JobState(state), request={"prompt": prompt}, **plain
                )
                made.append((await session.journal.add(job)).id)
        return made

    return await asyncio.wrap_future(part("nodes.host.execution").runtime().submit(work()))
