"""A film's edit list as an OpenTimelineIO timeline, which editing programs import.

It is written without the library: a timeline of cuts needs few of its schemas, and they are plain JSON.
Source: https://opentimelineio.readthedocs.io/en/latest/tutorials/otio-serialized-schema.html
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING

from .run import FilmResult, MadeTake

if TYPE_CHECKING:
    from ..jobs.session import Result


def edit_list(made: FilmResult) -> str:
    """The JSON of a timeline with one clip per shot, in the film's order. Reads the clips: call it in a thread.

    The first frame of a continued shot repeats the shot before and is left out, as in the film.
    """
    shown = [(take, take.result) for take in made.takes if take.planned.is_used and take.result is not None]
    clips = [_clip(take, result) for take, result in shown]
    track = {"OTIO_SCHEMA": "Track.1", "name": "Shots", "kind": "Video", "children": clips}
    stack = {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": [track]}
    return json.dumps(
        {"OTIO_SCHEMA": "Timeline.1", "name": "Film", "global_start_time": None, "tracks": stack},
        ensure_ascii=False,
        indent=2,
    )


def _clip(take: MadeTake, result: Result) -> dict[str, object]:
    from ..media.join.segments import count_frames, read_format

    shot, skip = take.planned.shot, 1 if take.planned.shot.continues else 0
    frames, rate = count_frames(result.file), read_format(result.file).rate
    facts = {
        "prompt": shot.prompt,
        "transition": "continue" if shot.continues else "cut",
        "take": shot.take,
        "job_id": result.job.id,
    }
    return {
        "OTIO_SCHEMA": "Clip.1",
        "name": f"Shot {take.planned.number}",
        "source_range": _range(skip, frames - skip, rate),
        "media_reference": {
            "OTIO_SCHEMA": "ExternalReference.1",
            "target_url": result.file.resolve().as_uri(),
            "available_range": _range(0, frames, rate),
        },
        "metadata": {"grok_imagine": facts},
    }


def _range(start: int, frames: int, rate: Fraction) -> dict[str, object]:
    return {"OTIO_SCHEMA": "TimeRange.1", "start_time": _time(start, rate), "duration": _time(frames, rate)}


def _time(frames: int, rate: Fraction) -> dict[str, object]:
    return {"OTIO_SCHEMA": "RationalTime.1", "value": float(frames), "rate": float(rate)}
