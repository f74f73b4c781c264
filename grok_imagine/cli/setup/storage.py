"""Commands for stores: upload a file, check a store, remove old uploads, list stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...errors import DecodeError, RequestError
from ...models import Blob
from ...settings import load
from .. import console
from ..session import AsJson, Home, default_home, with_session

app = typer.Typer(help="Check and clean up the stores for uploads.", no_args_is_help=True)


def upload(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An image or video file.")],
    store: Annotated[str | None, typer.Option(help="The store's name. Default: from the settings.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Upload an image or video to a store and print its public URL."""
    with console.report_errors(as_json):
        (url,) = with_session(home, lambda session: session.upload([_read_blob(file)], store))
        if as_json:
            console.print_json({"url": url})
        else:
            console.out.print(url, soft_wrap=True)


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="The store's name.")], as_json: AsJson = False, home: Home = None
) -> None:
    """Test a store: upload a small image, download it from its URL, delete it. Exits with 3 if a step fails."""
    with console.report_errors(as_json):
        steps = with_session(home, lambda session: session.check_store(name))
        if as_json:
            console.print_json([{"step": step.step, "good": step.is_good, "fault": step.fault} for step in steps])
        else:
            for step in steps:
                state = "ok" if step.is_good else "FAILED"
                console.out.print(f"{state}  {step.step}  {step.fault}".rstrip())
    if not all(step.is_good for step in steps):
        raise typer.Exit(3)


@app.command("sweep")
def sweep(
    name: Annotated[str, typer.Argument(help="The store's name.")],
    older_than_hours: Annotated[float, typer.Option(min=0, max=1_000_000, help="Only uploads older than this.")] = 72,
    also_given: Annotated[bool, typer.Option("--also-given", help="Also files of 'grok-imagine upload'.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Remove old uploads that no unfinished job needs. Keeps files of 'grok-imagine upload' until their URLs expire."""
    with console.report_errors(as_json):
        hours = older_than_hours
        removed = with_session(home, lambda it: it.sweep_store(name, older_than_hours=hours, pinned=also_given))
        if as_json:
            console.print_json(removed)
        else:
            console.out.print(f"{len(removed)} removed")


@app.command("list")
def stores(as_json: AsJson = False, home: Home = None) -> None:
    """List the configured stores. Keys are never shown."""
    with console.report_errors(as_json):
        settings = load(home or default_home())
        rows = [
            {
                "name": name,
                "kind": store.kind,
                "where": store.bucket or store.public_base_url,
                "chosen": name == settings.store or len(settings.stores) == 1,
                "delete_after": store.delete_after,
            }
            for name, store in settings.stores.items()
        ]
        if as_json:
            console.print_json(rows)
        elif rows:
            console.print_table(rows)
        else:
            console.out.print("No store is set up yet. See docs/uploads.md.")


def _read_blob(file: Path) -> Blob:
    from ...media.images.encode import read_image, sniff
    from ...media.mux.source_video import prepare_video

    with file.open("rb") as stream:
        kind = sniff(stream.read(64))
    if kind is not None and kind.startswith("image/"):
        return read_image(file)
    try:
        return prepare_video(file).blob  # without the file's metadata
    except DecodeError as error:
        if kind is None:
            raise RequestError(f"{file.name} is not a JPEG, PNG or WebP image or a video. Convert it first.") from error
        raise
