"""Rows of a batch: from CSV with a header, JSON lines or a prompt a line, and as results for JSON."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ..errors import RequestError, Violation
from ..journal.batches import Row, RowState
from ..models import Blob, VideoRequest

MOST_ROWS = 100_000
_SPELLINGS = {
    "duration": "duration_seconds",
    "seconds": "duration_seconds",
    "ratio": "aspect_ratio",
    "image": "reference_images",
    "images": "reference_images",
    "image_urls": "reference_images",
    "video": "source_video",
    "motion": "motion_mode",
}
_WHOLE = ("duration_seconds", "seed")
OWN = ("connection",)
"""What a row may say beside the fields of a request."""


def read_file(path: Path) -> list[dict[str, Any]]:
    """The rows of a .csv, .jsonl or .txt file. Raises RequestError that names every line that cannot be read."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path.name} cannot be read: {error}. Give a CSV or JSONL file in UTF-8.") from None
    kind = path.suffix.lower()
    return read_csv(text) if kind == ".csv" else read_lines(text.splitlines())


def read_csv(text: str) -> list[dict[str, Any]]:
    """Rows below a header of field names. An empty cell leaves the field to the default."""
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    if not reader.fieldnames or "prompt" not in [one.strip().lower() for one in reader.fieldnames if one]:
        raise RequestError("The CSV needs a header with the field names, and a column named prompt.")
    rows: list[dict[str, Any]] = []
    faults: list[Violation] = []
    for found in reader:
        if None in found:
            faults.append(Violation("B1", f"line {reader.line_num}", "has more cells than the header; quote commas"))
            continue
        cells = {(name or "").strip().lower(): (value or "") for name, value in found.items()}
        rows.append({name: _cell(name, value) for name, value in cells.items() if value.strip()})
    return _counted(rows, faults)


def read_lines(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Rows from lines: a JSON object is a row's fields, anything else is a prompt. Blank lines are left out."""
    rows: list[dict[str, Any]] = []
    faults: list[Violation] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if not line.lstrip().startswith("{"):
            rows.append({"prompt": line.strip()})
            continue
        try:
            found: object = json.loads(line)
        except ValueError as error:
            faults.append(Violation("B1", f"line {number}", f"is no JSON object: {error}"))
            continue
        if isinstance(found, dict):
            rows.append(cast("dict[str, Any]", found))
    return _counted(rows, faults)


def spell_row(row: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The row's fields under their own names, the defaults where it says nothing."""
    named = {_SPELLINGS.get(name, name): value for name, value in row.items() if value is not None}
    if isinstance(named.get("reference_images"), str):
        named["reference_images"] = [named["reference_images"]]
    return {**{name: value for name, value in defaults.items() if value is not None}, **named}


def keys(rows: Sequence[tuple[str, Mapping[str, Any]]], folder: Path) -> list[str]:
    """The identity of each row: its connection, its fields and the content of its files; equal rows are counted."""
    seen: Counter[str] = Counter()
    found: list[str] = []
    for connection, fields in rows:
        files = {name: _contents(fields.get(name), folder) for name in ("reference_images", "source_video")}
        plain = json.dumps([connection, fields, files], sort_keys=True, default=name_of)
        digest = hashlib.sha256(plain.encode()).hexdigest()
        seen[digest] += 1
        again = seen[digest]
        found.append(digest if again == 1 else hashlib.sha256(f"{digest}:{again}".encode()).hexdigest())
    return found


def name_of(value: Any) -> str:
    """What stands for an image that is given as it is, in the journal and in a row's identity."""
    return f"sha256:{value.sha256}" if isinstance(value, Blob) else str(value)


def local(value: Any, folder: Path) -> Path | None:
    """The file that a cell names; None for a URL."""
    return None if not isinstance(value, str) or "://" in value or value.startswith("data:") else folder / value


def as_plain(row: Row) -> dict[str, Any]:
    """A row of the results, for JSON."""
    began, ended = row.job.get("submitted_at"), row.job.get("finished_at")
    cost = row.job.get("cost_usd")
    return {
        "row": row.number,
        "state": row.state.value,
        "connection": row.connection,
        "file": row.job.get("file") if row.state is RowState.DONE else None,
        "cost_usd": None if cost is None else str(cost),
        "seconds": round(ended - began, 2) if began and ended else None,
        "job_id": row.job_id,
        "task_id": row.job.get("task_id"),
        "error": row.error,
        "error_kind": row.error_kind,
        "request": dict(row.fields),
    }


def _contents(value: Any, folder: Path) -> list[str]:
    every = cast("list[Any]", value) if isinstance(value, list) else [value]
    paths = [path for one in every if (path := local(one, folder)) and path.is_file()]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def _cell(name: str, value: str) -> Any:
    """What a cell of text means for its field."""
    field = _SPELLINGS.get(name, name)
    if field in _WHOLE:
        text = value.strip()
        return int(text) if text.lstrip("-").isdecimal() else text
    if field == "reference_images":
        return [one.strip() for one in value.split("|") if one.strip()]
    return value if field == "prompt" else value.strip()


def _counted(rows: list[dict[str, Any]], faults: list[Violation]) -> list[dict[str, Any]]:
    known = {*VideoRequest.model_fields, *_SPELLINGS, *OWN}
    for name in sorted({name for row in rows for name in row} - known):
        told = ", ".join((*VideoRequest.model_fields, *OWN))
        faults.append(Violation("B2", name, f"is no field of a row; there is: {told}"))
    if faults:
        raise RequestError("The list cannot be read; nothing was sent or charged.", faults[:50])
    if not 1 <= len(rows) <= MOST_ROWS:
        raise RequestError(f"The list has {len(rows)} rows; give 1 to {MOST_ROWS}. Nothing was sent or charged.")
    return rows
