"""A full disk, a read-only folder, a damaged, newer or locked journal: nothing is lost, and nothing sent unwritten."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.errors import GrokImagineError, JournalError, ResultNotFetched, SubmitUncertain
from grok_imagine.jobs import ProgressUpdate, Session
from grok_imagine.journal import database
from grok_imagine.journal.durability.disk_reserve import SIZE
from grok_imagine.journal.journal import Journal
from grok_imagine.models import Job, JobState
from grok_imagine.privacy import is_open_to_others
from grok_imagine.private_files import private_folder
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from ..support.privacy import is_private
from ..support.requests import a_job, request_for
from ..support.sessions import hurried, paid


class Disk:
    """A small file system of its own, that can be filled and closed for writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self._filler = folder / "filler"

    def fill(self) -> None:
        with suppress(OSError), self._filler.open("ab", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    def free(self) -> None:
        self._filler.unlink()

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.folder)], check=True)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """One whose clips are as large as real ones: a draft fits into what the journal's reserve leaves on a full disk."""
    async with Sandbox(seconds=0.2, strict_extra=True, draft=False) as running:
        yield running


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root on Linux may mount a small disk")
    yield Disk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def session_on(home: Path, sandbox: Sandbox, sleep: Callable[[float], Awaitable[None]] = hurried) -> Session:
    return Session(home, Settings(sandbox_url=sandbox.url), sleep=sleep)


class At:
    """A Progress that does something once, when a step begins."""

    def __init__(self, step: str, act: Callable[[], None]) -> None:
        self._step, self._act, self._done = step, act, False

    def update(self, update: ProgressUpdate) -> None:
        if update.step == self._step and not self._done:
            self._done = True
            self._act()


async def test_a_disk_that_is_full_from_the_start(disk: Disk, sandbox: Sandbox) -> None:
    disk.fill()
    with pytest.raises(JournalError, match="free some space"):
        async with session_on(disk.home, sandbox) as session:
            await session.generate(request_for("reapi"), "sandbox")
    assert sandbox.ledger()["posts"] == 0
    disk.free()
    async with session_on(disk.home, sandbox) as session:
        assert (await session.generate(request_for("reapi"), "sandbox")).file.is_file()
    assert sandbox.ledger()["submits"] == 1


async def test_a_disk_that_fills_up_before_the_post(disk: Disk, sandbox: Sandbox) -> None:
    async with session_on(disk.home, sandbox) as session:

        def fill() -> None:
            (disk.home / "journal.reserve").unlink()
            disk.fill()

        with pytest.raises(JournalError, match="free some space"):
            await session.generate(request_for("reapi"), "sandbox", progress=At("submitting", fill))
        assert [job.state for job in await session.journal.recent()] == [JobState.PREPARED]
        assert sandbox.ledger()["posts"] == 0
        disk.free()
        assert (await session.generate(request_for("reapi"), "sandbox")).file.is_file()
    assert sandbox.ledger()["posts"] == 1


async def test_a_disk_that_fills_up_after_the_post(disk: Disk, sandbox: Sandbox) -> None:
    request = request_for("reapi", prompt="a kite [sandbox:stall@submit=0.5]")
    async with session_on(disk.home, sandbox) as session:
        going = asyncio.ensure_future(session.generate(request, "sandbox"))
        while not sandbox.ledger()["submits"]:
            await asyncio.sleep(0.01)
        disk.fill()
        with pytest.raises(ResultNotFetched, match=r"ready at .* and paid"):
            await going
        (job,) = await session.journal.recent()
        charged = [entry["task"] for entry in sandbox.ledger()["entries"] if entry["kind"] == "charge"]
        assert charged == [job.task_id], "the reserve had room for the id of the paid task"
    assert not (disk.home / "journal.reserve").exists()
    async with session_on(disk.home, sandbox) as session:  # it opens, and lists what is paid, on the full disk
        assert [one.task_id for one in await session.journal.recent()] == charged
    disk.free()
    async with session_on(disk.home, sandbox) as session:
        result = await session.resume(job.id)
        assert result.file.stat().st_size > 1000
    assert (disk.home / "journal.reserve").stat().st_size == SIZE
    assert sandbox.ledger()["posts"] == 1


async def test_a_disk_that_fills_up_during_the_download(disk: Disk, sandbox: Sandbox) -> None:
    async with session_on(disk.home, sandbox) as session:
        filling = At("queued", disk.fill)
        with pytest.raises(ResultNotFetched, match="No space left"):
            await session.generate(request_for("reapi"), "sandbox", progress=filling)
        (job,) = await session.journal.recent()
        assert job.state is JobState.SUCCEEDED
        disk.free()
        assert (await session.generate(request_for("reapi"), "sandbox")).job.id == job.id
    assert sandbox.ledger()["posts"] == 1


async def test_a_disk_that_is_read_only(disk: Disk, sandbox: Sandbox) -> None:
    async with session_on(disk.home, sandbox) as session:
        await session.generate(request_for("reapi"), "sandbox")
    disk.remount("ro")
    with pytest.raises(JournalError, match="mount it for writing"):
        async with session_on(disk.home, sandbox):
            pass
    disk.remount("rw")
    async with session_on(disk.home, sandbox) as session:
        assert (await session.generate(request_for("reapi"), "sandbox")).is_reused
    assert sandbox.ledger()["posts"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_where_a_file_may_not_grow(tmp_path: Path) -> None:
    """A quota, as a user without root's rights can have one: RLIMIT_FSIZE in a process of its own."""
    code = """
import asyncio, resource, signal, sys
from pathlib import Path
from grok_imagine.errors import JournalError
from grok_imagine.journal.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

async def main():
    try:
        async with Journal(Path(sys.argv[1])):
            print("opened")
    except JournalError as error:
        print(error)

asyncio.run(main())
"""
    root = str(Path(__file__).resolve().parents[4])
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "home")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert "free some space" in done.stdout


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "header", "middle"])
async def test_a_damaged_journal_is_refused_and_left_as_it_is(damage: str, sandbox: Sandbox, tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with Journal(home) as journal:
        for number in range(200):
            await journal.add(a_job(f"j{number}", fingerprint=f"{number:064}"))
    file = home / "journal.db"
    whole = file.read_bytes()
    middle = len(whole) // 2
    damaged = {
        "garbage": os.urandom(len(whole)),
        "empty": b"",
        "cut": whole[:middle],
        "header": b"\0" * 100 + whole[100:],
        "middle": whole[: middle - 8192] + os.urandom(16384) + whole[middle + 8192 :],
    }[damage]
    file.write_bytes(damaged)
    with pytest.raises(JournalError, match="damaged") as caught:
        async with session_on(home, sandbox) as session:
            await session.generate(request_for("reapi"), "sandbox")
    assert "collect" in str(caught.value)
    assert file.read_bytes() == damaged
    assert sandbox.ledger()["posts"] == 0


async def test_a_newer_journal_asks_for_a_newer_pack(sandbox: Sandbox, tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with Journal(home):
        pass
    with closing(sqlite3.connect(home / "journal.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(JournalError, match="Update the pack"):
        async with session_on(home, sandbox):
            pass
    assert sandbox.requests() == []


HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA locking_mode=" + sys.argv[2])
database.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("mode", ["NORMAL", "EXCLUSIVE"])
async def test_a_locked_journal(mode: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_WAIT_SECONDS", 1)
    home = tmp_path / "home"
    async with Journal(home):
        pass
    command = [sys.executable, "-c", HOLD, str(home / "journal.db"), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(JournalError, match="Close anything else that uses it"):
            async with session_on(home, sandbox) as session:
                await session.generate(request_for("reapi"), "sandbox")
        holder.kill()
    assert sandbox.ledger()["posts"] == 0
    async with session_on(home, sandbox) as session:
        assert (await session.generate(request_for("reapi"), "sandbox")).file.is_file()


async def test_a_new_journal_is_there_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "home" / "journal.db"
    private_folder(tmp_path / "home")
    database._create_file(file)
    database._create_file(file)  # a second process, a moment later
    assert file.read_bytes()[:15] == b"SQLite format 3"
    assert is_private(file)
    assert not is_open_to_others(file)
    assert os.listdir(file.parent) == ["journal.db"]


async def test_a_journal_that_is_locked_after_the_post_does_not_hide_the_paid_task(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_WAIT_SECONDS", 1)
    home = tmp_path / "home"
    command = [sys.executable, "-c", HOLD, str(home / "journal.db"), "NORMAL"]
    request = request_for("reapi", prompt="a kite [sandbox:stall@submit=3]")
    async with session_on(home, sandbox) as session:
        going = asyncio.ensure_future(session.generate(request, "sandbox"))
        while not sandbox.ledger()["submits"]:
            await asyncio.sleep(0.01)
        holder = await asyncio.to_thread(subprocess.Popen, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with holder:
            assert holder.stdout is not None
            assert (await asyncio.to_thread(holder.stdout.readline)).strip() == b"held"
            (task,) = [entry["task"] for entry in sandbox.ledger()["entries"]]
            with pytest.raises(SubmitUncertain, match=f"accepted the job as task {task}") as caught:
                await going
            holder.kill()
        job = await session.attach(str(caught.value.job_id), task)
        assert (await session.resume(job.id)).file.is_file()
    assert sandbox.ledger()["posts"] == 1


async def test_a_commit_whose_answer_was_lost_was_done_all_the_same(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PostgreSQL whose connection breaks at the commit: the id of the paid task stands there, and that is found."""
    real, lost = Journal.advance, [0]

    async def advance(self: Journal, job: Job, to: JobState, *arguments: Any, **changes: Any) -> Job:
        moved = await real(self, job, to, *arguments, **changes)
        if to is JobState.SUBMITTED and not lost[0]:
            lost[0] += 1
            raise JournalError("the connection was lost")
        return moved

    monkeypatch.setattr(Journal, "advance", advance)
    async with session_on(tmp_path, sandbox) as session:
        result = await session.generate(request_for("reapi"), "sandbox")
    assert lost == [1]
    assert result.job.state is JobState.SAVED
    assert sandbox.ledger()["submits"] == 1


async def test_an_id_that_another_one_took_the_place_of_is_told(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Journal.advance

    async def advance(self: Journal, job: Job, to: JobState, *arguments: Any, **changes: Any) -> Job:
        if to is JobState.SUBMITTED and "attached" not in str(arguments):
            await real(self, job, to, "attached by hand", task_id="another-task")
        return await real(self, job, to, *arguments, **changes)

    monkeypatch.setattr(Journal, "advance", advance)
    async with session_on(tmp_path, sandbox) as session:
        with pytest.raises(SubmitUncertain, match="accepted the job as task"):
            await session.generate(request_for("reapi"), "sandbox")


@pytest.fixture
async def quick_sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seconds=0.2, strict_extra=True) as running:
        yield running


async def test_a_disk_that_fills_up_during_24_posts_loses_no_task_id(disk: Disk, quick_sandbox: Sandbox) -> None:
    """More answers than the reserve has room for: each POST has a block of its own, which is written in place."""
    count, sandbox = 24, quick_sandbox
    settings = Settings(connections=paid(sandbox, jobs_at_once=count, requests_per_second=200))
    async with Session(disk.home, settings, sleep=hurried) as session:
        requests = [request_for("reapi", prompt="kite [sandbox:stall@submit=8]", seed=n) for n in range(count)]
        going = [asyncio.ensure_future(session.generate(request, "paid")) for request in requests]
        while sandbox.ledger()["submits"] < count:
            await asyncio.sleep(0.01)
        assert len(list((disk.home / "journal.answers").iterdir())) == count
        (disk.home / "journal.reserve").unlink()
        disk.fill()
        results = await asyncio.gather(*going, return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        assert all(isinstance(error, GrokImagineError) for error in errors)
        assert any(isinstance(error, SubmitUncertain) for error in errors), (
            "the journal itself had room for all of them"
        )
    disk.free()
    charged = {entry["task"] for entry in sandbox.ledger()["entries"] if entry["kind"] == "charge"}
    async with Session(disk.home, settings, sleep=hurried) as session:
        assert {job.task_id for job in await session.journal.recent()} == charged
        clips = await asyncio.gather(*(session.generate(request, "paid") for request in requests))
        assert all(clip.file.is_file() for clip in clips)
    assert sandbox.ledger()["posts"] == count
    assert not list((disk.home / "journal.answers").iterdir())
