"""The queue's tables: created once, upgraded if they are ours, otherwise unchanged."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from procrastinate.schema import SchemaManager
from pydantic import SecretStr

from grok_imagine.errors import SettingsError
from grok_imagine.journal.batch_row import Row, RowState
from grok_imagine.journal.batches import Batches, owner_of
from grok_imagine.journal.journal import Journal
from grok_imagine.journal.queue import Queue
from grok_imagine.models import JobState

from .jobs import a_job

MARK = sa.text("SELECT obj_description(to_regclass('procrastinate_jobs'))")
EVERY = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))


def run(connection: sa.Connection, script: str) -> None:
    connection.connection.driver_connection.execute(script)  # type: ignore[union-attr]


def functions(connection: sa.Connection) -> list[str]:
    query = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname LIKE 'procrastinate%' ORDER BY 1"
    return list(connection.execute(sa.text(query)).scalars())


async def test_many_workers_start_on_an_empty_database(tmp_path: Path, database_url: SecretStr) -> None:
    async def start() -> None:
        async with Journal(tmp_path, database_url=database_url) as journal:
            await Queue(journal.place).install(journal)

    await asyncio.gather(*(start() for _ in range(6)))
    async with Journal(tmp_path, database_url=database_url) as journal:
        mark = await journal.transaction(lambda connection: connection.execute(MARK).scalar_one())
    assert mark == f"grok_imagine: {EVERY[-1].name}"


async def test_tables_of_an_older_version_are_upgraded(tmp_path: Path, database_url: SecretStr) -> None:
    """procrastinate 3.2's tables, made by its own scripts up to then, end as those that are made anew."""
    old = [path for path in EVERY if path.name < "03.03"]

    with psycopg.connect(database_url.get_secret_value(), autocommit=True) as connection:
        for path in old:
            connection.execute(path.read_text("utf-8"))  # type: ignore[arg-type]
        mark = f"COMMENT ON TABLE procrastinate_jobs IS 'grok_imagine: {old[-1].name}'"
        connection.execute(mark)  # type: ignore[arg-type]
    async with Journal(tmp_path, database_url=database_url) as journal:
        before = await journal.transaction(functions)
        await Queue(journal.place).install(journal)
        assert await journal.transaction(functions) != before
        assert (await journal.transaction(lambda connection: connection.execute(MARK).scalar_one())).endswith(
            EVERY[-1].name
        )
        table = Batches(journal)
        put: list[int] = []
        queue = Queue(journal.place)
        rows = [Row("k" * 64, 1, "sandbox", {"prompt": "a"})]
        for _ in range(2):
            await table.save(
                "b", rows, retry_failed=False, enqueue=lambda it, batch: put.append(queue.enqueue(it, batch, "r"))
            )
        assert put == [1, 0]


async def test_another_program_s_tables_are_left_alone(tmp_path: Path, database_url: SecretStr) -> None:
    async with Journal(tmp_path, database_url=database_url) as journal:
        await journal.transaction(lambda connection: run(connection, SchemaManager.get_schema()))
        await Queue(journal.place).install(journal)
        assert await journal.transaction(lambda connection: connection.execute(MARK).scalar_one()) is None


async def test_a_crash_before_the_commit_leaves_neither_rows_nor_tasks(tmp_path: Path, database_url: SecretStr) -> None:
    async with Journal(tmp_path, database_url=database_url) as journal:
        queue, table = Queue(journal.place), Batches(journal)
        await queue.install(journal)

        def put(connection: sa.Connection, batch: str) -> None:
            assert queue.enqueue(connection, batch, "r") == 1
            raise RuntimeError("killed")

        with pytest.raises(RuntimeError, match="killed"):
            await table.save("b", [Row("k" * 64, 1, "sandbox", {"prompt": "a"})], retry_failed=False, enqueue=put)
        assert await table.find("b") is None
        count = sa.text("SELECT count(*) FROM procrastinate_jobs")
        assert await journal.transaction(lambda connection: connection.execute(count).scalar_one()) == 0


async def test_only_sent_rows_of_a_stopped_batch_are_claimed(tmp_path: Path, database_url: SecretStr) -> None:
    """Its worker died: a job that is paid is brought home, a row that was not sent waits again."""
    rows = [Row(f"{number}" * 64, number, "sandbox", {"prompt": f"{number}"}) for number in range(1, 5)]
    async with Journal(tmp_path, database_url=database_url) as journal:
        table = Batches(journal)
        batch = await table.save("b", rows, retry_failed=False)
        for row in rows[:3]:
            assert await table.claim_row(batch, row.key, "dies") is not None
        claimed = [
            await journal.claim(
                a_job(f"j{row.number}", owner=owner_of(batch, row.key), fingerprint=row.key),
                on_claim=table.store_job(batch, row),
            )
            for row in rows[:2]
        ]
        await journal.advance(await journal.advance(claimed[0], JobState.SUBMITTING), JobState.SUBMITTED, task_id="t")
        await table.stop(batch, "over budget")
        taken = [await table.claim_row(batch, row.key, "lives") for row in rows]
        assert [row is not None for row in taken] == [True, False, False, False]
        assert (await table.summary(batch)).counts == {RowState.RUNNING: 1, RowState.WAITING: 3}


def test_a_queue_needs_postgresql(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Set database_url"):
        Queue(Journal(tmp_path).place)


def test_a_missing_extra_is_named(tmp_path: Path, database_url: SecretStr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "procrastinate", None)
    with pytest.raises(SettingsError, match=r"pip install 'grok-imagine-video\[postgres\]'"):
        Queue(Journal(tmp_path, database_url=database_url).place)
