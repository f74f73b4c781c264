"""A real S3-compatible server with signature checking, on loopback, and settings that point at it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import StoreSettings

ACCESS, SECRET = "AKIATESTTESTTEST", "a-secret-of-the-tests"


@dataclass(frozen=True)
class S3:
    """The running server."""

    url: str
    folder: Path

    def settings(self, **more: object) -> StoreSettings:
        fields: dict[str, object] = {
            "bucket": "references",
            "endpoint": self.url,
            "region": "us-east-1",
            "access_key_id": ACCESS,
            "secret_access_key": SECRET,
        }
        return StoreSettings(**{**fields, **more})  # type: ignore[arg-type]

    def objects(self) -> list[Path]:
        """The files in the bucket."""
        found = (self.folder / "references").rglob("*.*")
        return [path for path in found if path.is_file() and ".nanio-meta" not in path.parts]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory, free_port_of_the_session: int) -> Iterator[S3]:
    pytest.importorskip("nanio", reason="nanio needs Python 3.11")
    folder = tmp_path_factory.mktemp("s3")
    (folder / "references").mkdir()
    url = f"http://127.0.0.1:{free_port_of_the_session}"
    command = [str(Path(sys.executable).parent / "nanio"), "serve", "--data-dir", str(folder), "--host", "127.0.0.1"]
    command += ["--port", str(free_port_of_the_session), "--no-access-log", "--log-level", "error"]
    environment = {**os.environ, "NANIO_ACCESS_KEY": ACCESS, "NANIO_SECRET_KEY": SECRET}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        _wait_for(url)
        yield S3(url, folder)
        process.terminate()


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url).close()
        except urllib.error.HTTPError as error:  # it answers, and wants a signature
            error.close()
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the S3 server did not start within 30 s")


@pytest.fixture(scope="session")
def free_port_of_the_session(unused_tcp_port_factory: object) -> int:
    return unused_tcp_port_factory()  # type: ignore[operator, no-any-return]


@pytest.fixture
def s3(s3_server: S3) -> S3:
    for path in s3_server.objects():
        path.unlink()
    return s3_server


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seconds=0.2, strict_extra=True) as running:
        yield running
