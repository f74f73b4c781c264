"""Images of jobs: uploaded privately, once, downloaded by a signed URL, and deleted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from grok_imagine.errors import SettingsError, StorageError
from grok_imagine.jobs import Session
from grok_imagine.models import JobState
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from .conftest import S3
from .requests import KEYS, picture, request_for


@asynccontextmanager
async def opened(
    home: Path, sandbox: Sandbox, now: Callable[[], float] = time.time, **stated: Any
) -> AsyncIterator[Session]:
    """A session whose connections lead to the sandbox, but are set up as real ones are: they have no upload."""
    connections = {
        f"my-{dialect}": {"dialect": dialect, "base_url": f"{sandbox.url}/{dialect}", "api_key": key, "pace": 0.05}
        for dialect, key in KEYS.items()
    }
    async with Session(home, Settings(connections=connections, **stated), now=now) as session:
        yield session


@pytest.mark.parametrize("dialect", KEYS)
async def test_every_dialect_fetches_the_reference_from_the_bucket(
    dialect: str, s3: S3, sandbox: Sandbox, tmp_path: Path
) -> None:
    async with opened(tmp_path, sandbox, stores={"mine": s3.settings()}) as session:
        image = picture((200, 80, 10))
        result = await session.generate(request_for(dialect, image), f"my-{dialect}", owner="1")
        assert result.job.state is JobState.SAVED  # the sandbox fails a task whose reference it cannot fetch
        assert len(s3.objects()) == 1
        (submit,) = [one for one in sandbox.requests() if one["method"] == "POST"]
        assert f"{s3.url}/references/grok-imagine/" in str(submit["body"])


async def test_the_same_graph_again_uploads_and_submits_nothing(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    request = request_for("reapi", picture((1, 2, 3)), picture((9, 9, 9)))
    for _ in range(2):
        async with opened(tmp_path, sandbox, stores={"mine": s3.settings()}) as session:
            await session.generate(request, "my-reapi", owner="1")
    before = {path: path.stat().st_mtime_ns for path in s3.objects()}
    assert len(before) == 2
    async with opened(tmp_path, sandbox, stores={"mine": s3.settings()}) as session:
        await session.generate(request.model_copy(update={"seed": 7}), "my-reapi", owner="1")
    assert {path: path.stat().st_mtime_ns for path in s3.objects()} == before
    assert sandbox.ledger()["submits"] == 2


async def test_a_url_is_reused_until_half_of_its_lifetime(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    began = time.time()
    later = 0.0
    stores = {"mine": s3.settings(url_hours=1)}
    async with opened(tmp_path, sandbox, lambda: began + later, stores=stores) as session:
        image = picture((5, 5, 5))
        first = await session.upload([image], "mine")
        later = 1700
        assert await session.upload([image], "mine") == first
        later = 1900
        await asyncio.sleep(1.1)  # a URL is signed for the second, by the wall clock
        assert await session.upload([image], "mine") != first


async def test_pixels_are_encoded_once(s3: S3, sandbox: Sandbox, tmp_path: Path, monkeypatch: Any) -> None:
    import grok_imagine.media.images.encode as encode

    calls: list[int] = []
    real = encode.encode_image
    monkeypatch.setattr(encode, "encode_image", lambda pixels: (calls.append(1), real(pixels))[1])
    pixels = np.random.default_rng(1).random((40, 60, 3), dtype=np.float32)
    async with opened(tmp_path, sandbox, stores={"mine": s3.settings()}) as session:
        (first,) = await session.publisher.images([pixels])
        await session.generate(request_for("reapi", first), "my-reapi")
    async with opened(tmp_path, sandbox, stores={"mine": s3.settings()}) as session:
        (again,) = await session.publisher.images([pixels])
        assert (again.sha256, len(again)) == (first.sha256, len(first))
        await session.generate(request_for("reapi", again, seed=1), "my-reapi")
        assert calls == [1]
        assert again.data == first.data  # and it can be had when it is needed
    assert calls == [1, 1]


@pytest.mark.parametrize(
    "change",
    [{"secret_access_key": "wrong"}, {"bucket": "nowhere"}, {"endpoint": "http://127.0.0.1:9"}],
    ids=["denied", "no bucket", "unreachable"],
)
async def test_a_failing_store_submits_nothing_and_the_job_resumes_later(
    change: dict[str, str], s3: S3, sandbox: Sandbox, tmp_path: Path
) -> None:
    request = request_for("reapi", picture((4, 4, 4)))
    async with opened(tmp_path, sandbox, stores={"mine": s3.settings(**change)}) as session:
        with pytest.raises(StorageError):
            await session.generate(request, "my-reapi", owner="1")
        (job,) = await session.journal.recent()
        assert job.state is JobState.PREPARED
        assert job.error
    assert sandbox.ledger()["posts"] == 0
    async with opened(tmp_path, sandbox, stores={"mine": s3.settings()}) as session:
        result = await session.generate(request, "my-reapi", owner="1")
        assert result.job.id == job.id
    assert sandbox.ledger()["submits"] == 1


async def test_uploads_are_deleted_when_their_last_job_is_final(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    async with opened(tmp_path, sandbox, stores={"mine": s3.settings(delete_after=True)}) as session:
        shared, own = picture((7, 7, 7)), picture((8, 8, 8))
        waiting = session.journal
        await session.generate(request_for("reapi", own), "my-reapi")
        assert s3.objects() == []
        job = replace((await waiting.recent())[0], id="another", state=JobState.PREPARED, fingerprint="x")
        await session.journal.add(job)
        await session.publisher.publish(job, session.stores.open("mine"), [shared])
        await session.generate(request_for("reapi", shared), "my-reapi")
        assert len(s3.objects()) == 1  # the other job still needs it
        failing = request_for("reapi", own, prompt="x [sandbox:moderated]")
        with pytest.raises(Exception, match="could not make"):
            await session.generate(failing, "my-reapi")
        assert len(s3.objects()) == 1


async def test_a_sweep_deletes_only_uploads_that_are_not_needed(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    async with opened(tmp_path, sandbox, stores={"mine": s3.settings()}) as session:
        await session.generate(request_for("reapi", picture((1, 1, 1))), "my-reapi")
        job = (await session.journal.recent())[0]
        waiting = await session.journal.add(replace(job, id="waiting", state=JobState.PREPARED))
        await session.publisher.publish(waiting, session.stores.open("mine"), [picture((2, 2, 2))])
        assert await session.sweep_store("mine", older_than_hours=1) == []
        gone = await session.sweep_store("mine", older_than_hours=0)
        assert len(gone) == 1
        assert len(s3.objects()) == 1
        # what was swept is not handed out again
        await session.generate(request_for("reapi", picture((1, 1, 1)), seed=3), "my-reapi")
        assert len(s3.objects()) == 2


async def test_the_store_check_reports_each_step(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    stores = {
        "good": s3.settings(),
        "wrongkey": s3.settings(secret_access_key="x"),
        "wrongcdn": s3.settings(public_base_url=sandbox.url),
        "nobucket": s3.settings(bucket=None),
    }
    async with opened(tmp_path, sandbox, stores=stores) as session:
        assert [str(one.step) for one in await session.check_store("good") if one.is_good] == [
            "put",
            "fetch over its URL",
            "delete",
        ]
        assert s3.objects() == []
        (fault,) = await session.check_store("wrongkey")
        assert (fault.step, fault.is_good) == ("put", False)
        found = await session.check_store("wrongcdn")
        assert [one.is_good for one in found] == [True, False, True]
        assert "HTTP 404" in found[1].fault
        assert "no bucket" in (await session.check_store("nobucket"))[0].fault
        assert "There is no store" in (await session.check_store("nothing"))[0].fault


async def test_which_store_is_chosen(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    image = picture((3, 3, 3))
    async with opened(tmp_path / "a", sandbox) as session:
        with pytest.raises(StorageError, match=r"set up a store.*Google Cloud Storage"):
            await session.generate(request_for("reapi", image), "my-reapi")
        result = await session.generate(request_for("xai", image), "my-xai")  # takes data URIs
        assert result.job.state is JobState.SAVED
    two = {"one": s3.settings(prefix="one"), "two": s3.settings(prefix="two")}
    async with opened(tmp_path / "b", sandbox, stores=two) as session:
        with pytest.raises(StorageError, match=r"several stores \(one, two\)"):
            await session.generate(request_for("reapi", image), "my-reapi")
    async with opened(tmp_path / "c", sandbox, stores=two, store="two") as session:
        await session.generate(request_for("reapi", image), "my-reapi")
        assert "/two/" in str(s3.objects()[0])
    async with opened(tmp_path / "d", sandbox, stores=two, store="three") as session:
        with pytest.raises(SettingsError, match="no store 'three'"):
            await session.generate(request_for("reapi", image), "my-reapi")


async def test_urls_and_images_mix_in_their_order(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    async with opened(tmp_path, sandbox, stores={"mine": s3.settings()}) as session:
        (own,) = await session.upload([picture((6, 6, 6))], "mine")
        request = request_for("reapi", picture((1, 0, 0)), own, picture((0, 1, 0)))
        await session.generate(request, "my-reapi")
        (submit,) = [one for one in sandbox.requests() if one["method"] == "POST"]
        assert submit["body"]["image_urls"][1] == own
        assert len(set(submit["body"]["image_urls"])) == 3


async def test_an_upload_for_the_user_is_kept_while_its_url_is_valid(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    began, later = time.time(), 0.0
    stores = {"mine": s3.settings(delete_after=True, url_hours=24)}
    async with opened(tmp_path, sandbox, lambda: began + later, stores=stores) as session:
        given, of_jobs = picture((1, 2, 3)), picture((3, 2, 1))
        (url,) = await session.upload([given], "mine")
        await session.generate(request_for("reapi", given, of_jobs), "my-reapi")
        assert len(s3.objects()) == 1  # only that of the job is gone
        # The other order: what a job uploaded is given to the user, too, before that job is over.
        waiting = replace((await session.journal.recent())[0], id="waiting", state=JobState.PREPARED, fingerprint="x")
        waiting = await session.journal.add(waiting)
        await session.publisher.publish(waiting, session.stores.open("mine"), [of_jobs])
        assert len(await session.upload([of_jobs], "mine")) == 1
        await session.publisher.release(replace(waiting, state=JobState.SAVED), session.stores.open("mine"))
        assert len(s3.objects()) == 2
        assert await session.sweep_store("mine", older_than_hours=0) == []
        assert await session.upload([given], "mine") == [url]
        later = 25 * 3600
        assert len(await session.sweep_store("mine", older_than_hours=0)) == 1  # the other one its job still needs
        assert len(s3.objects()) == 1


async def test_a_sweep_with_pinned_deletes_uploads_of_the_user(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    stores = {"mine": s3.settings(public_base_url="https://cdn.example")}  # whose URLs never expire
    async with opened(tmp_path, sandbox, stores=stores) as session:
        await session.upload([picture((1, 2, 3))], "mine")
        assert await session.sweep_store("mine", older_than_hours=0) == []
        assert len(await session.sweep_store("mine", older_than_hours=0, pinned=True)) == 1
        assert s3.objects() == []


REFUSALS = [
    (507, "XMinioStorageFull", "has no room"),
    (403, "RequestTimeTooSkewed", "clock is wrong"),
    (403, "AccessDenied", "denies it"),
    (None, "", "did not answer in time"),
]


@pytest.mark.parametrize(("status", "code", "words"), REFUSALS, ids=["full", "clock", "denying", "slow"])
async def test_a_store_that_refuses_or_hangs_costs_nothing(
    status: int | None, code: str, words: str, s3: S3, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grok_imagine.storage.bucket._TIMES", {"timeout": timedelta(seconds=2)})
    monkeypatch.setattr("grok_imagine.storage.bucket._RETRY", {"max_retries": 0})
    over = asyncio.Event()

    async def refuse(request: web.Request) -> web.Response:
        await request.read()
        if status is None:
            await over.wait()
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
        return web.Response(status=status or 500, text=text, content_type="application/xml")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", refuse)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there = f"http://127.0.0.1:{runner.addresses[0][1]}"
    request = request_for("reapi", picture((4, 4, 4)))
    try:
        async with opened(tmp_path, sandbox, stores={"mine": s3.settings(endpoint=there)}) as session:
            with pytest.raises(StorageError, match=words) as caught:
                await session.generate(request, "my-reapi", owner="1")
            (job,) = await session.journal.recent()
        assert "Nothing was sent or charged" in str(caught.value)
        assert (job.state, job.error) == (JobState.PREPARED, str(caught.value))
        assert sandbox.ledger()["posts"] == 0
    finally:
        over.set()
        await runner.cleanup()
    async with opened(tmp_path, sandbox, stores={"mine": s3.settings()}) as session:
        assert (await session.generate(request, "my-reapi", owner="1")).job.id == job.id
    assert sandbox.ledger()["submits"] == 1
