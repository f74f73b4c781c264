"""Grok Batch: a list of clips, so many at a time and within a limit of cost; gone on with when the graph runs again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..grok_imagine.errors import GrokImagineError, JobFailed, RequestError
from ..grok_imagine.models import Mode
from .common import inputs
from .common.inputs import value
from .host import execution, files, tensors

if TYPE_CHECKING:
    from ..grok_imagine.batch.run import BatchResult
    from ..grok_imagine.jobs.session import Session
    from ..grok_imagine.journal.batches import Row, Summary

_MODES = (Mode.TEXT, Mode.IMAGE, Mode.REFERENCE)


@dataclass
class _LastRun:
    """How a node's last run ended, in this process. ``turn`` is what tells ComfyUI one run from the next."""

    turn: int = 0
    is_left: bool = False
    files: list[Path] = field(default_factory=list[Path])


_last: dict[str, _LastRun] = {}


class GIVBatch(io.ComfyNode):
    """A list of clips."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVBatch",
            display_name="Grok Batch",
            category=inputs.CATEGORY,
            description="Makes a clip of every row: a prompt a line, JSON objects, or CSV with a header. Rows that "
            "fail are reported, and the others go on. A stopped run goes on where it stood; nothing is paid twice.",
            search_aliases=["grok", "grok imagine", "xai", "batch", "list of prompts", "csv", "many videos"],
            is_input_list=True,
            inputs=[
                inputs.connection(" For rows that name none."),
                _rows(),
                inputs.model(_MODES),
                inputs.resolution(_MODES),
                inputs.aspect_ratio(_MODES, "auto: the provider's default."),
                inputs.duration(_MODES),
                inputs.motion_mode(_MODES),
                inputs.seed(),
                io.Int.Input(
                    "at_once",
                    default=4,
                    min=1,
                    max=50,
                    tooltip="How many clips are under way together. The connection's own limit holds, too.",
                ),
                io.Float.Input(
                    "max_usd",
                    default=0.0,
                    min=0.0,
                    max=100000.0,
                    step=0.5,
                    tooltip="The most that the whole list may cost, in US dollars; 0 is no limit. Rows that would pass "
                    "it are left for a later run.",
                ),
                io.Boolean.Input(
                    "retry_failed",
                    default=False,
                    tooltip="Make rows anew that have failed in an earlier run. Each is a new job, and may be charged.",
                ),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="One image for each row in order, as a batch or a list; or a single one for all of them.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    display_name="videos", is_output_list=True, tooltip="The clips of the rows that are done, in order."
                ),
                io.String.Output(
                    display_name="results", tooltip="JSON lines: each row's state, file, cost, times, job and error."
                ),
                io.String.Output(display_name="summary", tooltip="How many rows stand where, and what they cost."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: Any) -> int:
        """Another value as long as rows are left, or a clip is gone: then Run goes on, though no input has changed."""
        last = _last.get(str(cls.hidden.unique_id), _LastRun())
        if last.is_left or not all(file.is_file() for file in last.files):
            last.turn += 1
        return last.turn

    @classmethod
    async def execute(cls, **lists: Any) -> io.NodeOutput:
        """Make the rows that are not made yet."""
        node_id = cls.hidden.unique_id
        single = {name: each[0] if isinstance(each, list) else each for name, each in lists.items()}
        given = [image for batch in _listed(lists.get("images")) for image in tensors.to_pixels(batch)]

        async def work(progress: execution.NodeProgress) -> tuple[BatchResult, list[Row]]:
            from ..grok_imagine.batch.run import Batch, run_batch
            from ..grok_imagine.journal.batches import Batches

            async with execution.runtime().session() as session:
                rows = _read(_listed(lists["rows"]))
                blobs = await session.publisher.images(given)
                wish = Batch(
                    name=f"node {node_id}",
                    rows=_with_images(rows, blobs),
                    connection=single["connection"],
                    defaults=_defaults(single),
                    concurrency=single["at_once"],
                    max_usd=Decimal(str(single["max_usd"])) if single["max_usd"] else None,
                    retry_failed=single["retry_failed"],
                    reads_files=False,
                )
                outcome = await run_batch(session, wish, lambda summary: progress.tell(_told(summary)))
                return outcome, [
                    await _at_hand(session, row) async for row in Batches(session.journal).rows(outcome.id)
                ]

        outcome, rows = await execution.run(node_id, work)
        _remember(str(node_id), rows, retry_failed=single["retry_failed"])
        return _outputs(outcome, rows)


async def _at_hand(session: Session, row: Row) -> Row:
    """The row with its clip on this machine. One whose file is gone is fetched again, which costs nothing."""
    from ..grok_imagine.journal.batches import RowState

    if row.state is not RowState.DONE or _clip(row).is_file():
        return row
    try:
        made = await session.resume(str(row.job_id))
    except GrokImagineError as error:
        return replace(row, state=RowState.STOPPED, error=str(error), error_kind=type(error).__name__)
    return replace(row, job={**row.job, "file": str(made.file)})


def _clip(row: Row) -> Path:
    return Path(row.job["file"])


def _remember(node_id: str, rows: list[Row], *, retry_failed: bool) -> None:
    from ..grok_imagine.journal.batches import RowState

    last = _last.setdefault(node_id, _LastRun())
    over = {RowState.DONE} if retry_failed else {RowState.DONE, RowState.FAILED}
    last.is_left = any(row.state not in over for row in rows)
    last.files = [_clip(row) for row in rows if row.state is RowState.DONE]


def _outputs(outcome: BatchResult, rows: list[Row]) -> io.NodeOutput:
    from ..grok_imagine.batch.rows import result_as_json
    from ..grok_imagine.journal.batches import RowState

    told = _told(outcome.summary) + (f". Stopped: {outcome.stopped_by}" if outcome.stopped_by else "")
    clips = [_clip(row) for row in rows if row.state is RowState.DONE]
    if not clips:
        first = next((row for row in rows if row.error), None)
        why = f" Row {first.number}: {first.error}" if first else ""
        raise JobFailed(f"No row has become a clip: {told}.{why}", job_id=outcome.id)
    lines = "\n".join(json.dumps(result_as_json(row), ensure_ascii=False) for row in rows)
    return io.NodeOutput([files.video_from_file(clip) for clip in clips], lines, told)


def _told(summary: Summary) -> str:
    from ..grok_imagine.journal.batches import RowState

    counts = ", ".join(f"{summary.counts[one]} {one.value}" for one in RowState if summary.counts.get(one))
    return f"{summary.total} rows: {counts} · ${summary.cost_usd.normalize():f}"


def _read(texts: list[Any]) -> list[dict[str, Any]]:
    """The rows of one text, or of a list of texts that a graph made."""
    from ..grok_imagine.batch.rows import read_csv, read_lines

    text = "\n".join(str(one) for one in texts)
    head = text.lstrip().split("\n", 1)[0].lower().split(",")
    is_csv = len(texts) == 1 and "prompt" in [one.strip() for one in head] and "\n" in text.strip()
    return read_csv(text.lstrip()) if is_csv else read_lines(text.splitlines())


def _with_images(rows: list[dict[str, Any]], blobs: list[Any]) -> list[dict[str, Any]]:
    if not blobs:
        return rows
    if len(blobs) not in (1, len(rows)):
        raise RequestError(
            f"There are {len(blobs)} images for {len(rows)} rows. Connect one for each row, or a single one for all."
        )
    each = blobs * len(rows) if len(blobs) == 1 else blobs
    return [{**row, "reference_images": [blob]} for row, blob in zip(rows, each, strict=True)]


def _defaults(single: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": value(single["model"]),
        "resolution": value(single["resolution"]),
        "aspect_ratio": value(single["aspect_ratio"]),
        "duration_seconds": single["duration"] or None,
        "motion_mode": value(single["motion_mode"]),
        "seed": single["seed"],
    }


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return [one for one in given if one is not None] if isinstance(given, list) else [given]


def _rows() -> io.String.Input:
    return io.String.Input(
        "rows",
        multiline=True,
        default="",
        dynamic_prompts=False,
        placeholder='A prompt a line, or {"prompt": "…", "duration": 6} a line, or CSV with a header',
        tooltip="What to make: a line is a clip, and is paid as one. A JSON object or a CSV column may say prompt, "
        "model, mode, duration, resolution, aspect_ratio, motion_mode, seed, images (public URLs), connection for "
        "its own row. A list of texts from the graph works, too.",
    )
