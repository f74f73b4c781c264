"""A store's secrets and signatures do not appear in errors, logs, clips or files."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from grok_imagine.errors import StorageError
from grok_imagine.jobs import Session
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from .conftest import ACCESS, S3, SECRET
from .requests import KEYS, picture, request_for


async def test_uploads_and_shared_results_leak_no_secret(
    s3: S3, sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    own = {"dialect": "reapi", "base_url": f"{sandbox.url}/reapi", "api_key": KEYS["reapi"], "pace": 0.05}
    stores = {"mine": s3.settings(), "bad": s3.settings(secret_access_key=SECRET + "-of-another")}
    stated = Settings(connections={"paid": own}, stores=stores, store="mine", results_store="mine")
    async with Session(tmp_path, stated) as session:
        made = await session.generate(request_for("reapi", picture((9, 8, 7))), "paid")
        made.file.unlink()
        again = await session.resume(made.job.id)  # from the archive
        texts = [repr(made), repr(again), repr(vars(session)), repr(await session.check_store("mine"))]
        with pytest.raises(StorageError) as caught:
            await session.upload([picture((1, 1, 2))], "bad")
        texts += [str(caught.value), repr(caught.value.__cause__), repr(await session.check_store("bad"))]
        files = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    texts += [logging.Formatter().format(record) for record in caplog.records] + list(capfd.readouterr())
    assert "journal.db-wal" in files
    assert again.file.name in files
    for secret in (SECRET, KEYS["reapi"]):
        assert not any(secret in text for text in texts)
        assert not any(secret.encode() in data for data in files.values())
    assert not any(ACCESS in text or "X-Amz-Signature=" in text for text in texts)
    shown = [data for name, data in files.items() if not name.startswith("journal.db")]
    assert not any(b"X-Amz-Signature=" in data for data in shown)
