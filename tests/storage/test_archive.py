"""Finished clips in a shared bucket: still available when their machine or the provider has lost them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from grok_imagine.errors import SettingsError
from grok_imagine.jobs import Session
from grok_imagine.models import JobState, VideoRequest
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings, StoreSettings

from .conftest import S3

A_KITE = VideoRequest(prompt="a kite", resolution="480p", duration_seconds=6)


def settings(sandbox: Sandbox, store: StoreSettings, **more: Any) -> Settings:
    return Settings(sandbox_url=sandbox.url, stores={"ours": store}, results_store="ours", **more)


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux()]


async def test_a_clip_outlives_its_machine_and_its_provider(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    stated = settings(sandbox, s3.settings())
    async with Session(tmp_path, stated) as session:
        made = await session.generate(A_KITE, "sandbox", owner="n")
        clip = made.file.read_bytes()
        made.file.unlink()
        asked = len(sandbox.requests())
        again = await session.generate(A_KITE, "sandbox", owner="n")
        assert again.job.id == made.job.id
        assert again.job.state is JobState.SAVED
        assert again.file.read_bytes() == clip
        assert again.file.stat().st_mode & 0o777 == 0o600
        assert len(sandbox.requests()) == asked, "the provider was asked for a clip that the bucket has"
        assert await session.sweep_store("ours", older_than_hours=-1) == [], "a sweep takes uploads, never clips"
    assert sandbox.ledger()["posts"] == 1


async def test_a_damaged_object_is_downloaded_from_the_provider(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    async with Session(tmp_path, settings(sandbox, s3.settings())) as session:
        made = await session.generate(A_KITE, "sandbox", owner="n")
        clip = packets(made.file)
        for kept in (s3.folder / "references").rglob("*.mp4"):
            kept.write_bytes(b"spoilt")
        made.file.unlink()
        # The same picture and sound; the note of its making says another time.
        assert packets((await session.resume(made.job.id)).file) == clip
    assert sandbox.ledger()["posts"] == 1


async def test_a_failing_bucket_loses_no_clip(s3: S3, sandbox: Sandbox, tmp_path: Path) -> None:
    denied = settings(sandbox, s3.settings(secret_access_key="another"))
    async with Session(tmp_path, denied) as session:
        assert (await session.generate(A_KITE, "sandbox")).file.stat().st_size > 10_000


async def test_only_a_bucket_can_keep_clips(sandbox: Sandbox, tmp_path: Path) -> None:
    route = StoreSettings(kind="comfyui", public_base_url="https://pod.example")
    with pytest.raises(SettingsError, match="results_store must name a bucket"):
        Session(tmp_path, settings(sandbox, route))
    with pytest.raises(SettingsError, match="no store 'gone'"):
        Session(tmp_path, Settings(results_store="gone"))
