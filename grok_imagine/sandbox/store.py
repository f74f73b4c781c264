"""What survives a crash: tasks, ledger, uploads and counters in SQLite, media as files beside it."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from .faults import Fault
from .model import Failure, Job, Json, Price, Task

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
  id TEXT PRIMARY KEY, dialect TEXT NOT NULL, account TEXT NOT NULL, token TEXT NOT NULL UNIQUE,
  created REAL NOT NULL, final REAL NOT NULL, data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS tasks_open ON tasks (final) WHERE final = 0;
CREATE TABLE IF NOT EXISTS ledger (
  n INTEGER PRIMARY KEY, time REAL NOT NULL, dialect TEXT NOT NULL, account TEXT NOT NULL, task TEXT NOT NULL,
  kind TEXT NOT NULL, credits TEXT NOT NULL, usd TEXT NOT NULL, summary TEXT NOT NULL, UNIQUE (task, kind));
CREATE TABLE IF NOT EXISTS uploads (name TEXT PRIMARY KEY, mime TEXT NOT NULL, expires REAL NOT NULL);
"""
_TABLES = ("counters", "tasks", "ledger", "uploads")


class Store:
    """One SQLite file. Every write is committed at once: after a kill -9, all that a reply has confirmed is stored."""

    def __init__(self, folder: Path, clips: Path | None = None) -> None:
        self.folder = folder
        self.clips = clips or folder / "clips"
        self.references = folder / "references"
        self.uploads = folder / "uploads"
        for directory in (folder, self.clips, self.references, self.uploads):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "sandbox.sqlite3"
        # SQLite would create the file by the umask; it holds prompts, so it is made private first.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)

    def close(self) -> None:
        self._db.close()

    # meta and counters

    def meta(self, key: str, default: str) -> str:
        """The stored value, or `default`, which is stored from then on."""
        self._db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, default))
        return str(self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0])

    def set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def count(self, name: str) -> None:
        self._db.execute("INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET n = n + 1", (name,))

    def counters(self, prefix: str) -> dict[str, int]:
        rows = self._db.execute("SELECT name, n FROM counters ORDER BY name").fetchall()
        return {row["name"][len(prefix) :]: row["n"] for row in rows if row["name"].startswith(prefix)}

    # tasks

    def save(self, task: Task) -> None:
        data = json.dumps(_task_to_json(task))
        row = (task.id, task.dialect, task.account, task.token, task.created, task.final, data)
        self._db.execute("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def accept(self, task: Task, summary: str) -> None:
        """Store a task and its charge in one transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self.save(task)
            self.add_ledger_entry("charge", task, task.created, summary)
            self.count("submits." + task.dialect)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def task(self, task_id: str) -> Task | None:
        return self._load_task("SELECT data FROM tasks WHERE id = ?", task_id)

    def task_by_token(self, token: str) -> Task | None:
        return self._load_task("SELECT data FROM tasks WHERE token = ?", token)

    def open_tasks(self) -> list[Task]:
        rows = self._db.execute("SELECT data FROM tasks WHERE final = 0 ORDER BY created").fetchall()
        return [_task_from_json(json.loads(row[0])) for row in rows]

    def final_tasks(self) -> list[Task]:
        rows = self._db.execute("SELECT data FROM tasks WHERE final > 0 ORDER BY final").fetchall()
        return [_task_from_json(json.loads(row[0])) for row in rows]

    def account_tasks(self, dialect: str, account: str) -> list[Task]:
        rows = self._db.execute(
            "SELECT data FROM tasks WHERE dialect = ? AND account = ? ORDER BY created DESC, rowid DESC",
            (dialect, account),
        ).fetchall()
        return [_task_from_json(json.loads(row[0])) for row in rows]

    def _load_task(self, sql: str, key: str) -> Task | None:
        row = self._db.execute(sql, (key,)).fetchone()
        return None if row is None else _task_from_json(json.loads(row[0]))

    # ledger

    def add_ledger_entry(self, kind: str, task: Task, time: float, summary: str) -> None:
        """Write one entry; the table's UNIQUE constraint ignores a second refund of a task."""
        sign = 1 if kind == "charge" else -1
        self._db.execute(
            "INSERT OR IGNORE INTO ledger (time, dialect, account, task, kind, credits, usd, summary)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                time,
                task.dialect,
                task.account,
                task.id,
                kind,
                str(task.price.credits * sign),
                str(task.price.usd * sign),
                summary,
            ),
        )

    def ledger_entries(self) -> list[Json]:
        sql = "SELECT time, dialect, account, task, kind, credits, usd, summary FROM ledger ORDER BY n"
        return [dict(row) for row in self._db.execute(sql).fetchall()]

    # uploads

    def add_upload(self, name: str, mime: str, expires: float) -> None:
        self._db.execute("INSERT INTO uploads VALUES (?, ?, ?)", (name, mime, expires))

    def upload(self, name: str) -> tuple[str, float] | None:
        row = self._db.execute("SELECT mime, expires FROM uploads WHERE name = ?", (name,)).fetchone()
        return None if row is None else (row["mime"], row["expires"])

    def reset(self) -> None:
        """Delete everything but the clock, the signing secret and the rendered clips, which are a cache."""
        for table in _TABLES:
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608  (names from the constant above)
        for file in (*self.uploads.iterdir(), *self.references.iterdir()):
            file.unlink(missing_ok=True)


def _task_to_json(task: Task) -> Json:
    data = {**asdict(task), "job": task.job.to_json(), "faults": [f.to_json() for f in task.faults]}
    data["price"] = {"credits": str(task.price.credits), "usd": str(task.price.usd)}
    return data


def _task_from_json(data: dict[str, Any]) -> Task:
    price, failure = data["price"], data["failure"]
    data["price"] = Price(Decimal(price["credits"]), Decimal(price["usd"]))
    data["failure"] = None if failure is None else Failure(**failure)
    data["job"] = Job.from_json(data["job"])
    data["faults"] = [Fault(**fault) for fault in data["faults"]]
    return Task(**data)
