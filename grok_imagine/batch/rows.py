"""Reads the rows of a batch from CSV, JSONL or one prompt per line, and converts results to JSON."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ..errors import RequestError, Violation
from ..journal.batch_row import Row, RowState
from ..models import Blob, VideoRequest

MAX_ROWS = 100_000
_ALIASES = {
    "duration": "duration_seconds",
    "seconds": "duration_seconds",
    "ratio": "aspect_ratio",
    "image": "reference_images",
    "images": "reference_images",
    "image_urls": "reference_images",
    "video": "source_video",
    "motion": "motion_mode",
}
_INTEGER_FIELDS = ("duration_seconds", "seed")
ROW_ONLY_FIELDS = ("connection",)
"""Fields of a row that are not fields of a request."""


def read_file(path: Path) -> list[dict[str, Any]]:
    """The rows of a .csv, .jsonl or .txt file. Raises a RequestError that lists every faulty line."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path.name} cannot be read: {error}. Use a CSV or JSONL file in UTF-8.") from None
    kind = path.suffix.lower()
    return read_csv(text) if kind == ".csv" else read_lines(text.splitlines())


def read_text(text: str) -> Sequence[Mapping[str, Any]]:
    """The rows of a text: CSV where its first line is a header, else one row a line."""
    head, _, rest = text.strip().partition("\n")
    is_csv = bool(rest) and "prompt" in [name.strip().lower() for name in head.split(",")]
    return read_csv(text.lstrip()) if is_csv else read_lines(text.splitlines())


def read_csv(text: str) -> list[dict[str, Any]]:
    """Rows of CSV text with a header of field names. An empty cell means the default."""
    reader = csv.reader(io.StringIO(text), skipinitialspace=True, strict=True)
    rows: list[dict[str, Any]] = []
    faults: list[Violation] = []
    try:
        names = [name.strip().lower() for name in next(reader, list[str]())]
        _check_header(names)
        for cells in reader:
            if len(cells) > len(names):
                message = "has more cells than the header; quote commas"
                faults.append(Violation("B1", f"line {reader.line_num}", message))
            elif any(cell.strip() for cell in cells):
                named_cells = zip(names, cells, strict=False)
                rows.append({name: _parse_cell(name, cell) for name, cell in named_cells if cell.strip()})
    except csv.Error as error:
        message = f"cannot be read: {error}; check the quotes before it"
        faults.append(Violation("B1", f"line {reader.line_num}", message))
    return _validate(rows, faults)


def _check_header(names: Sequence[str]) -> None:
    if "prompt" not in names:
        raise RequestError("The CSV needs a header with field names, including prompt. Nothing was sent or charged.")
    counts = Counter(_ALIASES.get(name, name) for name in names if name)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise RequestError(f"The CSV has several columns for {', '.join(repeated)}. Nothing was sent or charged.")


def read_lines(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Rows from lines. A JSON object has a row's fields; any other line is a prompt. Blank lines are skipped."""
    rows: list[dict[str, Any]] = []
    faults: list[Violation] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if not line.lstrip().startswith("{"):
            rows.append({"prompt": line.strip()})
            continue
        try:
            fields: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            faults.append(Violation("B1", f"line {number}", f"is not a JSON object: {error}"))
            continue
        row = cast("dict[str, Any]", fields)
        nested = [name for name, value in row.items() if not _is_flat(value)]
        faults += [Violation("B1", f"line {number}, {name}", "must be a text, a number or a list") for name in nested]
        rows.append({name: value for name, value in row.items() if name not in nested})
    return _validate(rows, faults)


def normalize_row(row: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The row with aliases replaced by field names, and with defaults for missing fields."""
    named = {_ALIASES.get(name, name): value for name, value in row.items() if value is not None}
    if isinstance(named.get("reference_images"), str):
        named["reference_images"] = [named["reference_images"]]
    return {**{name: value for name, value in defaults.items() if value is not None}, **named}


def row_keys(rows: Sequence[tuple[str, Mapping[str, Any]]], folder: Path) -> list[tuple[str, bool]]:
    """A key for each row, from its connection, fields and file contents, and whether it repeats an earlier row.

    Repeated rows get different keys, but are the same clip.
    """
    seen: Counter[str] = Counter()
    keys: list[tuple[str, bool]] = []
    for connection, fields in rows:
        files = {name: _file_hashes(fields.get(name), folder) for name in ("reference_images", "source_video")}
        plain = json.dumps([connection, fields, files], sort_keys=True, default=blob_name)
        digest = hashlib.sha256(plain.encode()).hexdigest()
        seen[digest] += 1
        repeats = seen[digest]
        key = digest if repeats == 1 else hashlib.sha256(f"{digest}:{repeats}".encode()).hexdigest()
        keys.append((key, repeats > 1))
    return keys


def blob_name(value: Any) -> str:
    """How an image that is passed as bytes appears in the journal and in a row's key."""
    return f"sha256:{value.sha256}" if isinstance(value, Blob) else str(value)


def local_path(value: Any, folder: Path) -> Path | None:
    """The path of a local file, relative to ``folder``; None for a URL."""
    return None if not isinstance(value, str) or "://" in value or value.startswith("data:") else folder / value


def result_as_json(row: Row) -> dict[str, Any]:
    """A row of the results file."""
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


def _is_flat(value: object) -> bool:
    """Whether the value is a text, a number or a list of such."""
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    return not any(isinstance(item, (dict, list)) for item in items)


def _file_hashes(value: Any, folder: Path) -> list[str]:
    every = cast("list[Any]", value) if isinstance(value, list) else [value]
    paths = [path for one in every if (path := local_path(one, folder)) and path.is_file()]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def _parse_cell(name: str, value: str) -> Any:
    """The value of a CSV cell: an integer, a list of images, or text."""
    field = _ALIASES.get(name, name)
    if field in _INTEGER_FIELDS:
        text = value.strip()
        return int(text) if re.fullmatch(r"-?[0-9]{1,20}", text) else text
    if field == "reference_images":
        return [path.strip() for path in value.split("|") if path.strip()]
    return value if field == "prompt" else value.strip()


def _validate(rows: list[dict[str, Any]], faults: list[Violation]) -> list[dict[str, Any]]:
    known = {*VideoRequest.model_fields, *_ALIASES, *ROW_ONLY_FIELDS}
    for name in sorted({name for row in rows for name in row} - known):
        expected = ", ".join((*VideoRequest.model_fields, *ROW_ONLY_FIELDS))
        faults.append(Violation("B2", name, f"unknown field; expected one of: {expected}"))
    if faults:
        raise RequestError("The list cannot be read. Nothing was sent or charged.", faults[:50])
    if not 1 <= len(rows) <= MAX_ROWS:
        raise RequestError(f"The list has {len(rows)} rows; use 1 to {MAX_ROWS}. Nothing was sent or charged.")
    return rows
