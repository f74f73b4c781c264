"""`python -m grok_imagine.sandbox`: the sandbox as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading

from .server import Sandbox, describe, is_loopback


def _loopback(host: str) -> str:
    if not is_loopback(host):
        raise argparse.ArgumentTypeError(f"{host} is not a loopback address")
    return host


def _duration(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 86_400:
        raise argparse.ArgumentTypeError("must be between 0 and 86400")
    return value


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    made = argparse.ArgumentParser(prog="python -m grok_imagine.sandbox", description="An offline video provider.")
    made.add_argument("--host", type=_loopback, default="127.0.0.1", help="loopback address to serve on")
    made.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    made.add_argument("--state", metavar="DIR", help="keep tasks, ledger and clips here; default: a temporary folder")
    made.add_argument("--seconds", type=_duration, default=4.0, help="how long a task takes, from submit to done")
    made.add_argument("--clock", choices=("wall", "manual"), default="wall")
    made.add_argument("--strict-extra", action="store_true", help="refuse every field that is not documented")
    made.add_argument("--clips", metavar="DIR", help="keep rendered clips here, shared with other sandboxes")
    made.add_argument("--draft", action="store_true", default=None, help="plain clips that cost little, for tests")
    made.add_argument("--providers", metavar="DIR", help="serve the provider files of this folder, too")
    made.add_argument("--exit-with-parent", action="store_true", help="exit when standard input ends")
    return made


def _watch_parent(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
    """A thread, since pipes cannot be awaited on Windows. The read ends when the parent dies, however it dies."""
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(done.set)


async def serve(options: argparse.Namespace) -> None:
    """Serve until a signal comes or the parent ends."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, done.set)
        except NotImplementedError:  # Windows has no such handlers; there Ctrl-C raises KeyboardInterrupt.
            break
    sandbox = Sandbox(
        host=options.host,
        port=options.port,
        state=options.state,
        seconds=options.seconds,
        clock=options.clock,
        strict_extra=options.strict_extra,
        clips=options.clips,
        draft=options.draft,
        providers=options.providers,
    )
    async with sandbox:
        sys.stdout.write(json.dumps(describe(sandbox, os.getpid())) + "\n")
        sys.stdout.flush()
        if options.exit_with_parent:
            threading.Thread(target=_watch_parent, args=(loop, done), daemon=True, name="parent").start()
        await done.wait()


def main() -> int:
    """Run the sandbox as a process; returns its exit code."""
    try:
        asyncio.run(serve(parser().parse_args()))
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        sys.stderr.write(f"the sandbox cannot start: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
