"""Commands for uploads: make one file public, check a store, sweep what was left in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import DecodeError, RequestError
from ..models import Blob
from ..settings import load
from . import console
from .session import AsJson, Home, default_home, with_session

app = typer.Typer(help="Look after the stores for uploads.", no_args_is_help=True)


def upload(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An image or a video.")],
    store: Annotated[str | None, typer.Option(help="Which store; else the settings' own.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Make an image or a clip public, and print its URL."""
    with console.report_errors(as_json):
        (url,) = with_session(home, lambda session: session.upload([_blob(file)], store))
        if as_json:
            console.print_json({"url": url})
        else:
            console.out.print(url, soft_wrap=True, markup=False)


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="The store's name.")], as_json: AsJson = False, home: Home = None
) -> None:
    """Put a picture, fetch it over its URL, delete it; say in words what failed."""
    with console.report_errors(as_json):
        found = with_session(home, lambda session: session.check_store(name))
        if as_json:
            console.print_json([{"step": one.step, "good": one.is_good, "fault": one.fault} for one in found])
        else:
            for one in found:
                console.out.print(
                    f"{'ok' if one.is_good else 'FAILED'}  {one.step}  {one.fault}".rstrip(), markup=False
                )
    if not all(one.is_good for one in found):
        raise typer.Exit(3)


@app.command("sweep")
def sweep(
    name: Annotated[str, typer.Argument(help="The store's name.")],
    older_than_hours: Annotated[float, typer.Option(min=0, help="Only what is older.")] = 72,
    also_given: Annotated[bool, typer.Option("--also-given", help="Also what upload gave you a URL of.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Remove uploads that no unfinished job needs, and whose URLs were not given to you or have expired."""
    with console.report_errors(as_json):
        hours = older_than_hours
        gone = with_session(home, lambda it: it.sweep_store(name, older_than_hours=hours, pinned=also_given))
        if as_json:
            console.print_json(gone)
        else:
            console.out.print(f"{len(gone)} removed")


@app.command("list")
def stores(as_json: AsJson = False, home: Home = None) -> None:
    """List the stores of the settings (never their keys)."""
    with console.report_errors(as_json):
        settings = load(home or default_home())
        rows = [
            {
                "name": name,
                "kind": one.kind,
                "where": one.bucket or one.public_base_url,
                "chosen": name == settings.store or len(settings.stores) == 1,
                "delete_after": one.delete_after,
            }
            for name, one in settings.stores.items()
        ]
        if as_json:
            console.print_json(rows)
        elif rows:
            console.table(rows)
        else:
            console.out.print("No store is set up yet; see the README, part Uploads.")


def _blob(file: Path) -> Blob:
    from ..media.images.encode import read_image, sniff
    from ..media.mux.source_video import prepare_video

    with file.open("rb") as opened:
        kind = sniff(opened.read(64))
    if kind is not None and kind.startswith("image/"):
        return read_image(file)
    try:
        return prepare_video(file).blob  # nothing of its metadata leaves
    except DecodeError as error:
        if kind is None:
            raise RequestError(f"{file.name} is neither a JPEG, PNG or WebP image nor a video.") from error
        raise
