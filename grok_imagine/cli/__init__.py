"""The command line: the engine without ComfyUI. Install its libraries with the extra ``cli``."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run ``grok-imagine``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # Windows writes to a pipe in a code page that lacks most characters
    try:
        from .app import app
    except ModuleNotFoundError as error:
        sys.exit(f"grok-imagine needs {error.name}. Install it with: pip install -e '.[cli]'")
    app()
