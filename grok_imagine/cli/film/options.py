"""What the commands for films share: their options, and the film that these describe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...errors import RequestError
from ...film.read import read_file
from ...film.requests import Film
from ...film.shots import Member
from ...models import VideoRequest

ShotFile = Annotated[Path, typer.Argument(help="Text with one shot per line, CSV, JSONL, or Markdown.")]
Connection = Annotated[str, typer.Option("--connection", "-c", help="List: grok-imagine connections")]
Seconds = Annotated[int | None, typer.Option("--duration", "-d", help="For shots without one, in seconds.")]
Resolution = Annotated[str | None, typer.Option("--resolution", "-r", help="480p, 720p …")]
Ratio = Annotated[str | None, typer.Option("--aspect-ratio", "-a", help="16:9, 9:16, 1:1 …")]
Model = Annotated[str | None, typer.Option(help="Default: the connection's default model.")]
Motion = Annotated[str | None, typer.Option(help="fun, normal or spicy, if the API supports it.")]
Seed = Annotated[int, typer.Option(help="For shots without one. Change it for new clips.")]
CastNames = Annotated[list[str] | None, typer.Option(help="NAME=IMAGE,IMAGE: what @NAME shows. Repeat for more names.")]
Draft = Annotated[bool, typer.Option("--draft", help="The free draft, on the sandbox that stands for the connection.")]


def read_film(file: Path, connection: str, base: VideoRequest, cast: list[str] | None, draft: bool) -> Film:
    """The film of a shot list. Raises RequestError with the faults of all lines."""
    members = [_parse_member(text) for text in cast or ()]
    return Film(read_file(file), connection, base, members, file.resolve().parent, is_draft=draft)


def _parse_member(text: str) -> Member:
    name, separator, images = text.partition("=")
    if not separator:
        raise RequestError(f"--cast: {text[:80]!r} is not NAME=IMAGE,IMAGE. Nothing was sent or charged.")
    return name.strip().removeprefix("@"), tuple(one.strip() for one in images.split(",") if one.strip())
