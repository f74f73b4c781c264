"""The ``grok-imagine`` commands and their options. The larger commands have files of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from ..batch.rows import MAX_ROWS
from ..errors import RequestError, SettingsError
from ..jobs import Result, Session
from ..jobs.connections import profile, profiles
from ..jobs.failover import generate_with_failover
from ..jobs.source_video import with_source
from ..models import MediaInput, Mode, VideoRequest
from ..providers.registry import Providers
from ..settings import load
from ..settings_file import put
from . import batch, budget, chain, console, job_commands, price, worker
from .film import film, screening
from .output import check_file, copy_clip
from .session import AsJson, Home, default_home, handle_interrupt, with_session
from .setup import doctor, provider, storage

app = typer.Typer(
    help="Make Grok Imagine videos through several APIs. Every paid job is recorded, so you never pay twice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals could hold a key
)


Connection = Annotated[str, typer.Option("--connection", "-c", help="See: grok-imagine connections.")]
Connections = Annotated[
    str,
    typer.Option(
        "--connection", "-c", help="One connection, or several separated by commas: the first that accepts the job."
    ),
]


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help="What the clip shows. Optional with an image on some APIs.")] = "",
    connection: Connections = "sandbox",
    image: Annotated[
        list[str] | None, typer.Option("--image", "-i", help="Image file or URL. Repeat for up to 7.")
    ] = None,
    edit: Annotated[str | None, typer.Option(help="Video (file or URL) to edit.")] = None,
    extend: Annotated[str | None, typer.Option(help="Video (file or URL) to extend.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="Default: chosen from the inputs.")] = None,
    model: Annotated[str | None, typer.Option(help="Default: the connection's default model.")] = None,
    duration: Annotated[int | None, typer.Option("--duration", "-d", help="Length in whole seconds.")] = None,
    aspect_ratio: Annotated[str | None, typer.Option("--aspect-ratio", "-a", help="16:9, 9:16, 1:1 …")] = None,
    resolution: Annotated[str | None, typer.Option("--resolution", "-r", help="480p, 720p …")] = None,
    motion_mode: Annotated[str | None, typer.Option(help="fun, normal or spicy, if the API supports it.")] = None,
    seed: Annotated[
        int, typer.Option(help="The same inputs and seed are the same clip, paid once. Change it for a new clip.")
    ] = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Copy the MP4 here.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Make a clip. Run the same command again to resume the job or get the finished file; you won't pay twice."""

    async def work(session: Session, bar: console.ProgressBar) -> Result:
        names = [name.strip() for name in connection.split(",")]
        source = edit or extend
        request = VideoRequest(
            mode=_resolve_mode(mode, edit, extend),
            model=model,
            prompt=prompt,
            resolution=resolution,
            aspect_ratio=aspect_ratio,
            duration_seconds=duration,
            motion_mode=motion_mode,
            seed=seed,
            reference_images=tuple(_read_image(path) for path in image or []),
            source_video=source if source and "://" in source else None,
        )
        if source and request.source_video is None:
            request = await with_source(session, names[0], request, Path(source))
        return await generate_with_failover(session, request, names, owner="cli", progress=bar)

    _run_job(work, output, as_json, home)


@app.command()
def resume(
    job: Annotated[str, typer.Argument(help="The job's id. List them with: grok-imagine jobs")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Copy the MP4 here.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Resume an unfinished job and get its clip. Nothing is submitted or paid again."""
    _run_job(lambda session, bar: session.resume(job, progress=bar), output, as_json, home)


@app.command()
def collect(
    task_id: Annotated[str, typer.Argument(help="The provider's task id.")],
    connection: Connection,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Copy the MP4 here.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Wait for any task by its provider id, even one submitted elsewhere, and download its clip."""
    _run_job(lambda session, bar: session.collect(connection, task_id, progress=bar), output, as_json, home)


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
        console.print_jobs([attached], as_json)


@app.command()
def jobs(
    limit: Annotated[int, typer.Option(min=1, max=MAX_ROWS)] = 30,
    unfinished: Annotated[bool, typer.Option(help="Only jobs that can be resumed.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """List jobs, newest first."""
    with console.report_errors(as_json):
        rows = with_session(home, lambda session: session.journal.recent(limit=limit, unfinished=unfinished))
        console.print_jobs(rows, as_json)


@app.command()
def frames(
    source: Annotated[str, typer.Argument(help="A video file or a job id.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the PNG files.")] = Path("frames"),
    sheet: Annotated[Path | None, typer.Option(help="Also write a contact sheet (PNG).")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Save a clip's frames as PNG files."""
    from .media import write_frames

    with console.report_errors(as_json):
        path = Path(source)
        if not path.is_file():
            job = with_session(home, lambda session: session.journal.get(source))
            if job is None or job.file is None:
                raise SettingsError(
                    f"No file or downloaded job {source!r}. To download a job's clip: grok-imagine resume JOB"
                )
            path = job.file
        clip = write_frames(path, output, sheet)
        if as_json:
            console.print_json(clip)
        else:
            console.out.print(f"{clip['frames']} frames, {clip['width']}x{clip['height']}, {clip['fps']} fps: {output}")


@app.command()
def connections(as_json: AsJson = False, home: Home = None) -> None:
    """List connections and where their keys come from. Keys are never shown."""
    with console.report_errors(as_json):
        rows = [
            {
                "name": connection.name,
                "dialect": connection.provider.name,
                "key": connection.key_source,
                "base_url": connection.base_url or ("this machine" if connection.is_sandbox else None),
            }
            for connection in profiles(load(home or default_home())).values()
        ]
        if as_json:
            console.print_json(rows)
        else:
            console.print_table(rows)


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="The connection's name: a provider, or a name you choose.")],
    dialect: Annotated[str | None, typer.Option(help="Which API a connection of your own uses.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Base URL of an OpenAI-compatible gateway.")] = None,
    model: Annotated[str | None, typer.Option(help="The gateway's own name for the model grok-imagine.")] = None,
    home: Home = None,
) -> None:
    """Store a connection's API key in the settings file (mode 0600). You are prompted for the key."""
    with console.report_errors(False):
        folder = home or default_home()
        secret = typer.prompt("API key (hidden)", hide_input=True, default="", show_default=False)
        known = load(folder).connections.get(name)
        providers = Providers(folder)
        if (dialect or (known and known.dialect) or name) not in providers:
            raise SettingsError(
                f"Not saved: {name!r} is no provider. Choose one of {', '.join(providers)}; for a connection with a "
                "name of your own add --dialect, and for a gateway --dialect openai_videos --base-url URL."
            )
        fields = {"dialect": dialect, "base_url": base_url, "model": model, "api_key": secret}
        put(folder, "connections", name, {field: text for field, text in fields.items() if text})
        stored = profile(load(folder), name)
        key_text = f"key from the {stored.key_source}" if stored.key_source else "no key yet"
        console.err.print(f"{stored.name}: dialect {stored.provider.name}, {key_text}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def sandbox(context: typer.Context) -> None:
    """Run the offline sandbox in the foreground. For its options: grok-imagine sandbox --help"""
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
    """Make a test clip on the offline sandbox. No key, no network, no cost."""
    from .demo import run_demo

    with console.report_errors(False):
        run_demo(output)


app.command()(storage.upload)
app.command()(budget.budget)
app.command("continue")(chain.continue_clip)
app.command()(batch.batch)
app.command()(film.film)
app.command("screening")(screening.write_page)
app.command()(price.price)
app.command()(worker.worker)
app.command()(doctor.doctor)
for _command in (job_commands.again, job_commands.drop, job_commands.prune):
    app.command()(_command)
app.add_typer(storage.app, name="storage")
app.add_typer(provider.app, name="provider")

# -- shared by the commands above


def _run_job(
    work: Callable[[Session, console.ProgressBar], Awaitable[Result]],
    output: Path | None,
    as_json: bool,
    home: Path | None,
) -> None:
    """Run a job with a progress bar, copy its clip to ``output`` if given, and print the clip's path."""
    with console.report_errors(as_json):
        check_file("--output", output, may_be_folder=True)
        with console.ProgressBar() as bar, handle_interrupt(home, bar):
            result = with_session(home, lambda session: work(session, bar))
        path = result.file if output is None else copy_clip(result.file, output)
        console.print_result(result, as_json, str(path))


def _read_image(source: str) -> MediaInput:
    from ..media.images.encode import read_image

    return source if "://" in source else read_image(Path(source))


def _resolve_mode(mode: Mode | None, edit: str | None, extend: str | None) -> Mode | None:
    if edit and extend:
        raise RequestError("Use either --edit or --extend, not both. Nothing was sent or charged.")
    return Mode.EDIT if edit else Mode.EXTEND if extend else mode
