"""A journal that is not the one that was written: deleted, replaced, older, or with a damaged index."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.errors import GrokImagineError, JournalError, SubmitUncertain
from grok_imagine.jobs import Session
from grok_imagine.journal.durability.generation import JournalGuard
from grok_imagine.journal.durability.health import check_health
from grok_imagine.journal.journal import Journal
from grok_imagine.models import Job, JobState
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from ..support.requests import a_job, request_for
from ..support.sessions import hurried

posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows does not delete or replace a file that is open")
windows_only = pytest.mark.skipif(os.name != "nt", reason="POSIX deletes and replaces files that are open")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seconds=0.2, strict_extra=True) as running:
        yield running


def session_on(home: Path, sandbox: Sandbox) -> Session:
    return Session(home, Settings(sandbox_url=sandbox.url), sleep=hurried)


async def make(session: Session, prompt: str = "a kite") -> Path:
    return (await session.generate(request_for("reapi", prompt=prompt), "sandbox", owner="node 7")).file


def copy_of(home: Path) -> Path:
    """The journal's files as a backup would have them."""
    backup = home.with_name("backup")
    shutil.copytree(home, backup, ignore=shutil.ignore_patterns("results", "*.generation"))
    return backup


def put_back(backup: Path, home: Path) -> None:
    for path in home.glob("journal.db*"):
        path.unlink()
    for path in backup.glob("journal.db*"):
        shutil.copyfile(path, home / path.name)


def overwrite(backup: Path, home: Path) -> None:
    """The file's bytes are replaced in place, so its inode stays."""
    (home / "journal.db").write_bytes((backup / "journal.db").read_bytes())


def delete_log(_backup: Path, home: Path) -> None:
    (home / "journal.db-wal").unlink()


def delete_file(_backup: Path, home: Path) -> None:
    (home / "journal.db").unlink()


def delete_all(_backup: Path, home: Path) -> None:
    for path in home.glob("journal.db*"):
        path.unlink()


def rename_over(backup: Path, home: Path) -> None:
    shutil.copyfile(backup / "journal.db", home / "new")
    os.replace(home / "new", home / "journal.db")


Damage = Callable[[Path, Path], None]


def slow(*values: object, also: Sequence[pytest.MarkDecorator] = ()) -> list[Any]:
    return [pytest.param(value, marks=[pytest.mark.slow, *also]) for value in values]


@asynccontextmanager
async def session_and_older_copy(home: Path, sandbox: Sandbox) -> AsyncIterator[tuple[Session, Path]]:
    """A session with two clips, and a copy of its journal with the first one alone."""
    async with session_on(home, sandbox) as session:
        await make(session, "first")
    backup = copy_of(home)
    async with session_on(home, sandbox) as session:
        await make(session, "second")
        yield session, backup


@pytest.mark.parametrize(
    "damage",
    [
        *(pytest.param(damage, marks=posix_only) for damage in (put_back, delete_file)),
        *slow(delete_log, delete_all, rename_over, also=[posix_only]),
        *slow(overwrite),
    ],
)
async def test_nothing_is_sent_after_the_files_changed_under_a_running_process(
    damage: Damage, sandbox: Sandbox, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    async with session_and_older_copy(home, sandbox) as (session, backup):
        damage(backup, home)
        for prompt in ("second", "third"):
            with pytest.raises(JournalError, match="Nothing is submitted"):
                await make(session, prompt)
    posts = sandbox.ledger()["posts"]
    with suppress(JournalError):  # where the damage is to the running process alone, the next one finds the clip
        async with session_on(home, sandbox) as session:
            await make(session, "second")
    assert sandbox.ledger()["posts"] == posts == 2


@windows_only
@pytest.mark.parametrize("damage", [put_back, delete_file, delete_log, delete_all, rename_over])
async def test_windows_refuses_to_change_the_files_of_a_running_process(
    damage: Damage, sandbox: Sandbox, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    async with session_and_older_copy(home, sandbox) as (session, backup):
        with pytest.raises(PermissionError):
            damage(backup, home)
        for prompt in ("first", "second"):
            await make(session, prompt)
    assert sandbox.ledger()["posts"] == 2


@pytest.mark.parametrize("damage", [put_back, delete_all, *slow(overwrite, delete_file)])
async def test_an_older_copy_is_refused_until_its_user_decides(
    damage: Damage, sandbox: Sandbox, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    async with session_on(home, sandbox) as session:
        await make(session, "first")
    backup = copy_of(home)
    async with session_on(home, sandbox) as session:
        await make(session, "second")
    damage(backup, home)
    left = {path.name: path.read_bytes() for path in home.glob("journal.[dg]*")}
    with pytest.raises(JournalError, match=r"delete journal\.generation"):
        async with session_on(home, sandbox) as session:
            await make(session, "second")
    assert {path.name: path.read_bytes() for path in home.glob("journal.[dg]*")} == left
    assert sandbox.ledger()["posts"] == 2
    with pytest.raises(JournalError, match=r"delete journal\.generation"):
        check_health(session.journal.place)
    (home / "journal.generation").unlink()
    async with session_on(home, sandbox) as session:
        await make(session, "third")
    assert sandbox.ledger()["posts"] == 3


async def test_another_journal_in_its_place_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    for folder in (home, other):
        async with session_on(folder, sandbox) as session:
            await make(session)
    put_back(other, home)
    with pytest.raises(JournalError, match="another journal"):
        async with session_on(home, sandbox) as session:
            await make(session)
    assert sandbox.ledger()["posts"] == 2


KILLED = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from grok_imagine.jobs import Session
from grok_imagine.settings import Settings
from tests.engine.support.requests import request_for

async def main():
    async with Session(Path(sys.argv[1]), Settings(sandbox_url=sys.argv[2])) as session:
        for prompt in ("first", "second"):
            await session.generate(request_for("reapi", prompt=prompt), "sandbox", owner="node 7")
        os._exit(9)

asyncio.run(main())
"""


@pytest.mark.parametrize("newer_log", [False, True])
async def test_a_log_that_a_killed_process_left(newer_log: bool, sandbox: Sandbox, tmp_path: Path) -> None:
    """Without the log no paid step is lost, as each was copied into the file. An older file with it is refused."""
    home = tmp_path / "home"
    async with session_on(home, sandbox) as session:
        await make(session, "zero")
    backup = copy_of(home)
    root = str(Path(__file__).resolve().parents[3])
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, str(home), sandbox.url, root)
    assert await child.wait() == 9
    log = home / "journal.db-wal"
    assert log.stat().st_size
    if newer_log:
        overwrite(backup, home)
        with pytest.raises(JournalError, match=r"delete journal\.generation|damaged"):
            async with session_on(home, sandbox) as session:
                await make(session, "second")
    else:
        log.unlink()
        async with session_on(home, sandbox) as session:
            for prompt in ("first", "second"):
                assert (await make(session, prompt)).is_file()
    assert sandbox.ledger()["posts"] == 3


@posix_only
async def test_a_journal_that_is_replaced_during_a_post_keeps_the_task_id(sandbox: Sandbox, tmp_path: Path) -> None:
    home = tmp_path / "home"
    request = request_for("reapi", prompt="a kite [sandbox:stall@submit=1]")
    async with session_on(home, sandbox) as session:
        going = asyncio.ensure_future(session.generate(request, "sandbox", owner="node 7"))
        while not sandbox.ledger()["submits"]:
            await asyncio.sleep(0.01)
        aside = tmp_path / "aside"
        os.replace(home / "journal.db", aside)
        with pytest.raises(SubmitUncertain, match="accepted the job as task"):
            await going
        os.replace(aside, home / "journal.db")
    async with session_on(home, sandbox) as session:
        (job,) = await session.journal.recent()
        assert job.state is JobState.SUBMITTED
        assert (await session.generate(request, "sandbox", owner="node 7")).job.id == job.id
    assert sandbox.ledger()["posts"] == 1
    assert not list((home / "journal.answers").iterdir())


# -- one digit of an index


def flip(file: Path, text: bytes, *, in_table: bool = False) -> int:
    """Change the first digit of every copy of ``text`` but the table's own, which follows the job's JSON. How many."""
    whole, count, at = bytearray(file.read_bytes()), 0, -1
    while (at := whole.find(text, at + 1)) >= 0:
        is_table = whole[at - 1] == ord("}")
        if is_table == in_table:
            whole[at] = ord("0") if whole[at] != ord("0") else ord("1")
            count += 1
    file.write_bytes(whole)
    return count


async def filled(home: Path, count: int = 100) -> str:
    """A journal of finished jobs. Returns the fingerprint of one of them."""
    async with Journal(home) as journal:
        for number in range(count):
            fields = {"fingerprint": f"{number:x}".rjust(64, "e"), "state": JobState.SAVED, "task_id": f"task-{number}"}
            await journal.add(a_job(f"j{number}", owner=f"node {number % 7}", **fields))
    return f"{count // 2:x}".rjust(64, "e")


@pytest.mark.parametrize("in_table", [False, True])
async def test_a_flipped_digit_is_noticed_when_the_journal_is_opened(in_table: bool, tmp_path: Path) -> None:
    home = tmp_path / "home"
    fingerprint = await filled(home)
    assert flip(home / "journal.db", fingerprint.encode(), in_table=in_table) == 1
    with pytest.raises(JournalError, match="damaged") as caught:
        async with Journal(home):
            pass
    assert "journal.generation" in str(caught.value)


async def test_a_flipped_digit_is_noticed_under_a_running_process(tmp_path: Path) -> None:
    """The lookup that finds no equal request is repeated over another index before a new job is stored."""
    home = tmp_path / "home"
    fingerprint = await filled(home)
    async with Journal(home) as journal:
        job = await journal.find_by_fingerprint(fingerprint, "node 4")
        assert job is not None
        with closing(sqlite3.connect(home / "journal.db")) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert flip(home / "journal.db", fingerprint.encode()) == 1
        with pytest.raises(JournalError, match="damaged"):
            await journal.claim(a_job("new", fingerprint=fingerprint, owner="node 4"))


@pytest.mark.parametrize("what", ["task", *slow("owner", "id", "state")])
async def test_no_flipped_digit_of_any_index_lets_a_job_be_paid_again(
    what: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    async with session_on(home, sandbox) as session:
        await make(session)
        (job,) = await session.journal.recent()
    text = {"owner": "node 7", "task": str(job.task_id), "id": job.id, "state": "saved"}[what].encode()
    file = home / "journal.db"
    whole = file.read_bytes()
    places = [at for at in range(len(whole)) if whole.startswith(text, at)]
    assert places
    for at in places:
        flipped = bytearray(whole)
        flipped[at + len(text) - 1] ^= 1
        for path in home.glob("journal.db-*"):
            path.unlink()
        file.write_bytes(flipped)
        with suppress(GrokImagineError):
            async with session_on(home, sandbox) as session:
                await make(session)
        assert sandbox.ledger()["posts"] == 1, f"at {at}"


async def test_an_unknown_outcome_stays_unknown_if_the_mark_cannot_be_written(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The POST was sent: the job must not count as one that nobody has sent."""
    async with session_on(tmp_path, sandbox) as session:
        real = session.journal.update_fields

        async def update_fields(job: Job, **changes: Any) -> Job:
            monkeypatch.setattr(JournalGuard, "_write_mark", fail)
            return await real(job, **changes)

        def fail(*_arguments: object) -> None:
            raise OSError("the mark's file is locked")

        monkeypatch.setattr(session.journal, "update_fields", update_fields)
        for _ in range(2):
            with pytest.raises(SubmitUncertain):
                await make(session, "a kite [sandbox:drop-after]")
            (job,) = await session.journal.recent()
            assert job.state is JobState.SUBMITTING
            monkeypatch.undo()
    assert sandbox.ledger()["posts"] == 1
