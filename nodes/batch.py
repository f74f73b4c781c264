"""Makes a list of clips with limits on cost and concurrency; running the graph again resumes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from comfy_api.latest import io

from ..grok_imagine.errors import GrokImagineError, JobFailed, RequestError
from ..grok_imagine.models import Mode
from .common import inputs
from .common.inputs import value
from .host import execution, files, node_events, tensors

if TYPE_CHECKING:
    from ..grok_imagine.batch.run import BatchResult
    from ..grok_imagine.jobs.session import Result, Session
    from ..grok_imagine.journal.batch_row import Row
    from ..grok_imagine.journal.batches import Summary
    from .host.progress import NodeProgress

_MODES = (Mode.TEXT, Mode.IMAGE, Mode.REFERENCE)


@dataclass
class _LastRun:
    """How a node's last run ended, in this process. ComfyUI runs the node again when ``turn`` changes."""

    turn: int = 0
    is_left: bool = False
    files: list[Path] = field(default_factory=list[Path])


_last: dict[str, _LastRun] = {}


class GIVBatch(io.ComfyNode):
    """Makes a list of clips."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVBatch",
            display_name="Grok Imagine: Batch",
            description="Makes one clip per row. One prompt per line, or JSON, or CSV. Failed rows are reported and "
            "the others continue. If a run is interrupted, run the graph again to pick it up. You won't pay twice.",
            search_aliases=["grok", "grok imagine", "xai", "batch", "list of prompts", "csv", "many videos"],
            is_input_list=True,
            inputs=[
                inputs.connection(" For rows without a connection."),
                _rows(),
                inputs.model(_MODES),
                inputs.resolution(_MODES),
                inputs.aspect_ratio(_MODES, "auto = provider default."),
                inputs.duration(_MODES),
                inputs.motion_mode(_MODES),
                inputs.seed(),
                io.Int.Input(
                    "at_once",
                    default=4,
                    min=1,
                    max=50,
                    tooltip="Maximum clips at the same time. The connection's own limit also applies.",
                ),
                io.Float.Input(
                    "max_usd",
                    default=0.0,
                    min=0.0,
                    max=100000.0,
                    step=0.5,
                    tooltip="Maximum cost of the whole list, in US dollars. 0 = no limit. Rows over the limit are "
                    "left for a later run.",
                ),
                io.Boolean.Input(
                    "retry_failed",
                    default=False,
                    tooltip="Retry rows that failed in an earlier run. Each is a new job and may be charged.",
                ),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="One image per row, in order, as a batch or a list; or one image for all rows.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    display_name="videos", is_output_list=True, tooltip="The clips of the finished rows, in order."
                ),
                io.String.Output(
                    display_name="results", tooltip="JSON lines: state, file, cost, times, job and error of each row."
                ),
                io.String.Output(display_name="summary", tooltip="Number of rows in each state, and the total cost."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: Any) -> int:
        """Changes while rows are left or a clip is missing, so that Run resumes though no input has changed."""
        last = _last.get(str(cls.hidden.unique_id), _LastRun())
        if last.is_left or not all(file.is_file() and file.stat().st_size for file in last.files):
            last.turn += 1
        return last.turn

    @classmethod
    async def execute(cls, **lists: Any) -> io.NodeOutput:
        """Make the missing rows."""
        node_id = cls.hidden.unique_id
        single: dict[str, Any] = {name: (_listed(each) or [None])[0] for name, each in lists.items()}
        given = [image for batch in _listed(lists.get("images")) for image in tensors.to_pixels(batch)]

        async def work(progress: NodeProgress) -> tuple[BatchResult, list[tuple[Row, Result | None]]]:
            from ..grok_imagine.batch.run import Batch, run_batch
            from ..grok_imagine.journal.batches import Batches

            async with execution.runtime().session() as session:
                rows = _read(_listed(lists["rows"]))
                blobs = await session.publisher.images(given)
                batch = Batch(
                    name=f"node {node_id}",
                    rows=_with_images(rows, blobs),
                    connection=single["connection"],
                    defaults=_defaults(single),
                    concurrency=single["at_once"],
                    max_usd=Decimal(str(single["max_usd"])) if single["max_usd"] else None,
                    retry_failed=single["retry_failed"],
                    reads_files=False,
                )
                result = await run_batch(session, batch, lambda summary: progress.report(_summarize(summary)))
                return result, [await _at_hand(session, row) async for row in Batches(session.journal).rows(result.id)]

        result, found = await execution.run(node_id, work)
        rows = [row for row, _ in found]
        _remember(str(node_id), rows, retry_failed=single["retry_failed"])
        return _outputs(result, rows, [node_events.card(made) for _, made in found if made])


async def _at_hand(session: Session, row: Row) -> tuple[Row, Result | None]:
    """The row and its clip on this machine, if it has one. A missing or damaged file is downloaded again, for free."""
    from ..grok_imagine.journal.batch_row import RowState

    if row.state is not RowState.DONE:
        return row, None
    try:
        await session.share(str(row.job_id))
        made = await session.resume(str(row.job_id))
    except GrokImagineError as error:
        return replace(row, state=RowState.STOPPED, error=str(error), error_kind=type(error).__name__), None
    return replace(row, job={**row.job, "file": str(made.file)}), made


def _clip(row: Row) -> Path:
    return Path(row.job["file"])


def _remember(node_id: str, rows: list[Row], *, retry_failed: bool) -> None:
    from ..grok_imagine.journal.batch_row import RowState

    last = _last.setdefault(node_id, _LastRun())
    over = {RowState.DONE} if retry_failed else {RowState.DONE, RowState.FAILED}
    last.is_left = any(row.state not in over for row in rows)
    last.files = [_clip(row) for row in rows if row.state is RowState.DONE]


def _outputs(result: BatchResult, rows: list[Row], cards: list[dict[str, Any]]) -> io.NodeOutput:
    from ..grok_imagine.batch.rows import result_as_json
    from ..grok_imagine.journal.batch_row import RowState

    summary_text = _summarize(result.summary) + (f". Stopped: {result.stopped_by}" if result.stopped_by else "")
    clips = [_clip(row) for row in rows if row.state is RowState.DONE]
    if not clips:
        first = next((row for row in rows if row.error), None)
        why = f" Row {first.number}: {first.error}" if first else ""
        raise JobFailed(f"No row has become a clip: {summary_text}.{why}", job_id=result.id)
    lines = "\n".join(json.dumps(result_as_json(row), ensure_ascii=False) for row in rows)
    videos = [files.video_from_file(clip) for clip in clips]
    return io.NodeOutput(videos, lines, summary_text, ui={node_events.UI: cards})


def _summarize(summary: Summary) -> str:
    from ..grok_imagine.journal.batch_row import RowState

    counts = ", ".join(f"{summary.counts[one]} {one.value}" for one in RowState if summary.counts.get(one))
    return f"{summary.total} rows: {counts} · ${summary.cost_usd.normalize():f}"


def _read(texts: list[Any]) -> Sequence[Mapping[str, Any]]:
    """The rows of one text, or of a list of texts that a graph made."""
    from ..grok_imagine.batch.rows import read_lines, read_text

    if len(texts) == 1:
        return read_text(str(texts[0]))
    return read_lines("\n".join(str(one) for one in texts).splitlines())


def _with_images(rows: Sequence[Mapping[str, Any]], blobs: list[Any]) -> Sequence[Mapping[str, Any]]:
    if not blobs:
        return rows
    if len(blobs) not in (1, len(rows)):
        raise RequestError(f"{len(blobs)} images for {len(rows)} rows. Connect one per row, or one for all rows.")
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
    """ComfyUI gives each input as a list; a value that is missing is left out."""
    values = cast("list[Any]", given) if isinstance(given, list) else [given]
    return [value for value in values if value is not None]


def _rows() -> io.String.Input:
    return io.String.Input(
        "rows",
        multiline=True,
        default="",
        dynamic_prompts=False,
        placeholder='One prompt per line, or {"prompt": "…", "duration": 6} per line, or CSV with a header',
        tooltip="One clip per row, each charged; equal rows are the same clip. JSON keys or CSV columns: prompt, "
        "model, mode, duration, resolution, aspect_ratio, motion_mode, seed, images (public URLs), connection. A list "
        "of texts also works.",
    )
