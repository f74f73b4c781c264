"""The commands, each with its options. Those of budgets, uploads and upkeep have files of their own."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr, ValidationError

from ..errors import RequestError, SettingsError
from ..jobs import Result, Session
from ..jobs.connections import profile, profiles
from ..jobs.failover import generate_with_failover
from ..jobs.source_video import with_source
from ..models import MediaInput, Mode, VideoRequest
from ..settings import ConnectionSettings, load, save_connection
from . import batch, budget, chain, console, doctor, job_commands, price, storage, worker
from .session import AsJson, Home, default_home, handle_interrupt, with_session

app = typer.Typer(
    help="Grok Imagine videos through several APIs. Every paid job is journaled, and never paid twice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals could hold a key
)


Connection = Annotated[str, typer.Option("--connection", "-c", help="See: grok-imagine connections.")]
Connections = Annotated[
    str, typer.Option("--connection", "-c", help="Or several, with commas: the first that takes it.")
]


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help="What to see. May be empty with an image, where the API allows.")] = "",
    connection: Connections = "sandbox",
    image: Annotated[list[str] | None, typer.Option("--image", "-i", help="File or URL; up to 7 times.")] = None,
    edit: Annotated[str | None, typer.Option(help="Video (file or URL) to change as the prompt says.")] = None,
    extend: Annotated[str | None, typer.Option(help="Video (file or URL) to let go on.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="Else the inputs decide.")] = None,
    model: Annotated[str | None, typer.Option(help="Else the connection's usual one.")] = None,
    duration: Annotated[int | None, typer.Option("--duration", "-d", help="Whole seconds.")] = None,
    aspect_ratio: Annotated[str | None, typer.Option("--aspect-ratio", "-a", help="16:9, 9:16, 1:1 …")] = None,
    resolution: Annotated[str | None, typer.Option("--resolution", "-r", help="480p, 720p …")] = None,
    motion_mode: Annotated[str | None, typer.Option(help="fun, normal or spicy, where the API has it.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another clip; the same one is not paid twice.")] = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Copy the MP4 here.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Make a clip. The same command again goes on with the same job, or hands out the same file."""

    async def work(session: Session, bar: console.Bar) -> Result:
        names = [one.strip() for one in connection.split(",")]
        source = edit or extend
        request = VideoRequest(
            mode=_mode(mode, edit, extend),
            model=model,
            prompt=prompt,
            resolution=resolution,
            aspect_ratio=aspect_ratio,
            duration_seconds=duration,
            motion_mode=motion_mode,
            seed=seed,
            reference_images=tuple(_image(one) for one in image or []),
            source_video=source if source and "://" in source else None,
        )
        if source and request.source_video is None:
            request = await with_source(session, names[0], request, Path(source))
        return await generate_with_failover(session, request, names, owner="cli", progress=bar)

    _make(work, output, as_json, home)


@app.command()
def resume(
    job: Annotated[str, typer.Argument(help="A job id; see: grok-imagine jobs")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Copy the MP4 here.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Go on with a job from where it stands. Nothing is submitted or paid again."""
    _make(lambda session, bar: session.resume(job, progress=bar), output, as_json, home)


@app.command()
def collect(
    task_id: Annotated[str, typer.Argument(help="The task's id at the provider.")],
    connection: Connection,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Copy the MP4 here.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Wait for a task by its id at the provider, whoever submitted it, and fetch its clip."""
    _make(lambda session, bar: session.collect(connection, task_id, progress=bar), output, as_json, home)


@app.command()
def attach(
    job: str,
    task_id: Annotated[str, typer.Argument(help="The task's id, for a job of unknown outcome.")] = "",
    url: Annotated[str, typer.Option(help="The video's URL, for a finished job whose video was not found.")] = "",
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Give a job the task id, or the video's URL, that you found at the provider's dashboard."""
    with console.report_errors(as_json):
        if bool(task_id) == bool(url):
            raise RequestError("Give either the task's id or --url.")
        attached = with_session(
            home, lambda session: session.attach_url(job, url) if url else session.attach(job, task_id)
        )
        console.jobs([attached], as_json)


@app.command()
def jobs(
    limit: Annotated[int, typer.Option(min=1)] = 30,
    unfinished: Annotated[bool, typer.Option(help="Only those that can go on.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """List the journal, newest first."""
    with console.report_errors(as_json):
        found = with_session(home, lambda session: session.journal.recent(limit=limit, unfinished=unfinished))
        console.jobs(found, as_json)


@app.command()
def frames(
    source: Annotated[str, typer.Argument(help="A video file, or a job id.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the PNG files.")] = Path("frames"),
    sheet: Annotated[Path | None, typer.Option(help="Also write a contact sheet (PNG).")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write a clip's frames as PNG files."""
    from .media import write_frames

    with console.report_errors(as_json):
        path = Path(source)
        if not path.is_file():
            found = with_session(home, lambda session: session.journal.get(source))
            if found is None or found.file is None:
                raise SettingsError(f"{source} is neither a file nor a job whose clip is here.")
            path = found.file
        told = write_frames(path, output, sheet)
        if as_json:
            console.print_json(told)
        else:
            console.out.print(f"{told['frames']} frames, {told['width']}x{told['height']}, {told['fps']} fps: {output}")


@app.command()
def connections(as_json: AsJson = False, home: Home = None) -> None:
    """List the connections and where their keys come from (never the keys)."""
    with console.report_errors(as_json):
        rows = [
            {
                "name": one.name,
                "dialect": one.provider.name,
                "key": one.key_source,
                "base_url": one.base_url or ("this machine" if one.is_sandbox else None),
            }
            for one in profiles(load(home or default_home())).values()
        ]
        if as_json:
            console.print_json(rows)
        else:
            console.table(rows)


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="The connection's name: a provider's, or one of your own.")],
    dialect: Annotated[str | None, typer.Option(help="For a name of your own: which API it speaks.")] = None,
    base_url: Annotated[str | None, typer.Option(help="For an OpenAI-compatible gateway.")] = None,
    home: Home = None,
) -> None:
    """Store a connection's API key in the settings file (mode 0600). It is asked for, never an argument."""
    with console.report_errors(False):
        place = home or default_home()
        before = load(place).connections.get(name, ConnectionSettings())
        secret = SecretStr(typer.prompt("API key (it is not shown)", hide_input=True, default="", show_default=False))
        try:
            stated = ConnectionSettings(
                dialect=dialect or before.dialect,
                base_url=base_url or before.base_url,
                api_key=secret if secret.get_secret_value() else before.api_key,
                pace=before.pace,
            )
        except ValidationError as error:
            raise SettingsError("; ".join(one["msg"] for one in error.errors(include_input=False))) from None
        save_connection(place, name, stated)
        stored = profile(load(place), name)
        console.err.print(
            f"{stored.name}: dialect {stored.provider.name}, key from the {stored.key_source or 'nowhere yet'}"
        )


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def sandbox(context: typer.Context) -> None:
    """Run the offline sandbox in the foreground (its own options: --help)."""
    import runpy
    import sys

    sys.argv = ["grok-imagine sandbox", *context.args]
    runpy.run_module(f"{(__package__ or '').rpartition('.')[0]}.sandbox", run_name="__main__")


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the clip, frames and sheet.")] = Path(
        "demo-output"
    ),
) -> None:
    """Make a first clip on the sandbox: no key, no network, no cost."""
    from .demo import run_demo

    with console.report_errors(False):
        run_demo(output)


app.command()(storage.upload)
app.command()(budget.budget)
app.command("continue")(chain.continue_clip)
app.command()(batch.batch)
app.command()(price.price)
app.command()(worker.worker)
app.command()(doctor.doctor)
for _command in (job_commands.again, job_commands.drop, job_commands.prune):
    app.command()(_command)
app.add_typer(storage.app, name="storage")

# -- the shared parts


def _make(
    work: Callable[[Session, console.Bar], Awaitable[Result]], output: Path | None, as_json: bool, home: Path | None
) -> None:
    """Run a job with a bar, and say where its clip is."""
    with console.report_errors(as_json):
        with console.Bar() as bar, handle_interrupt(home, bar):
            result = with_session(home, lambda session: work(session, bar))
        shown = result.file
        if output is not None:
            target = output / result.file.name if output.is_dir() else output
            target.parent.mkdir(parents=True, exist_ok=True)
            shown = Path(shutil.copyfile(result.file, target))
        console.result(result, as_json, str(shown))


def _image(source: str) -> MediaInput:
    from ..media.images.encode import read_image

    return source if "://" in source else read_image(Path(source))


def _mode(mode: Mode | None, edit: str | None, extend: str | None) -> Mode | None:
    if edit and extend:
        raise RequestError("Give --edit or --extend, not both. Nothing was sent or charged.")
    return Mode.EDIT if edit else Mode.EXTEND if extend else mode
