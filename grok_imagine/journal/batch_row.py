"""One row of a batch, and its conversion to a row of the journal's table and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

from ..models import Blob


class RowState(str, Enum):
    """A row's state. DONE and FAILED are final; rows in the other states continue when the batch runs again."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    """Its job is not finished and can be resumed at no further cost."""
    UNKNOWN = "unknown"
    """We could not confirm whether the provider accepted it. It is not sent again automatically."""


@dataclass(frozen=True)
class Row:
    """One request of a batch. ``fields`` has its values with the defaults; ``key`` identifies it in the batch."""

    key: str
    number: int
    connection: str
    fields: Mapping[str, Any]
    estimate_usd: Decimal | None = None
    state: RowState = RowState.WAITING
    job_id: str | None = None
    error: str | None = None
    error_kind: str | None = None
    finished_at: float | None = None
    job: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Its job's state, task_id, file, submitted_at, finished_at and cost_usd."""
    is_repeat: bool = False
    """Whether an earlier row of the list is equal, and so the same clip. Not stored."""


def values_of(batch: str, row: Row) -> dict[str, Any]:
    """A new row of ``batch`` as a row of the table."""
    return {
        "batch": batch,
        "key": row.key,
        "number": row.number,
        "state": RowState.WAITING.value,
        "connection": row.connection,
        "fields": json.loads(json.dumps(dict(row.fields), default=_json_value)),
        "estimate_usd": row.estimate_usd,
    }


def _json_value(value: Any) -> str:
    return f"sha256:{value.sha256}" if isinstance(value, Blob) else str(value)


def row_from(row: Mapping[Any, Any]) -> Row:
    """A row of the table, joined with its job's, as a Row."""
    names = ("key", "number", "connection", "fields", "estimate_usd", "job_id", "error", "error_kind", "finished_at")
    job = {
        name: row[column]
        for name, column in (
            ("state", "job_state"),
            ("task_id", "task_id"),
            ("file", "file"),
            ("submitted_at", "submitted_at"),
            ("finished_at", "job_finished_at"),
            ("cost_usd", "cost_usd"),
        )
        if column in row
    }
    return Row(**{name: row[name] for name in names}, state=RowState(row["state"]), job=job)
