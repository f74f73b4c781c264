"""A saved clip is checked by size and SHA-256: a damaged file is downloaded again, and not paid again."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from grok_imagine.jobs import Session
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from ..support.requests import clip_facts, request_for
from ..support.sessions import hurried


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seconds=0.2, strict_extra=True) as running:
        yield running


def flip_last_byte(whole: bytes) -> bytes:
    return whole[:-1] + bytes([whole[-1] ^ 1])


Damage = Callable[[bytes], bytes]
DAMAGES: dict[str, Damage] = {
    "empty": lambda _: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "one byte short": lambda whole: whole[:-1],
    "zeros at the end": lambda whole: whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2),
    "one bit": flip_last_byte,
    "text": lambda _: b"<html>not found</html>",
}


@pytest.mark.parametrize(("damage", "by_resume"), [(name, n % 2 == 1) for n, name in enumerate(DAMAGES)])
async def test_a_damaged_clip_is_downloaded_again(
    damage: str, by_resume: bool, sandbox: Sandbox, tmp_path: Path
) -> None:
    async with Session(tmp_path, Settings(sandbox_url=sandbox.url), sleep=hurried) as session:
        first = await session.generate(request_for("reapi"), "sandbox")
        whole = first.file.read_bytes()
        assert first.job.file_size == len(whole)
        assert first.job.file_sha256 == hashlib.sha256(whole).hexdigest()
        first.file.write_bytes(DAMAGES[damage](whole))
        again = session.resume(first.job.id) if by_resume else session.generate(request_for("reapi"), "sandbox")
        assert (await again).file.read_bytes() == whole
    assert sandbox.ledger()["posts"] == 1


async def test_an_edited_clip_is_left_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    async with Session(tmp_path, Settings(sandbox_url=sandbox.url), sleep=hurried) as session:
        first = await session.generate(request_for("reapi"), "sandbox")
        edited = first.file.read_bytes() + b"\0\0\0\x0cfreeedit"
        first.file.write_bytes(edited)
        assert (await session.generate(request_for("reapi"), "sandbox")).is_reused
        assert first.file.read_bytes() == edited


async def test_clips_of_older_versions_have_no_size(sandbox: Sandbox, tmp_path: Path) -> None:
    async with Session(tmp_path, Settings(sandbox_url=sandbox.url), sleep=hurried) as session:
        first = await session.generate(request_for("reapi"), "sandbox")
        await session.journal.update_fields(first.job, file_size=None, file_sha256=None)
        assert (await session.generate(request_for("reapi"), "sandbox")).is_reused
        first.file.write_bytes(first.file.read_bytes()[:1000])
        again = await session.generate(request_for("reapi"), "sandbox")
        assert clip_facts(again.file)[0] == 144
        assert again.job.file_size == again.file.stat().st_size
    assert sandbox.ledger()["posts"] == 1
