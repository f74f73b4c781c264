"""The command line: the same engine without ComfyUI. Its libraries come with the extra ``cli``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``grok-imagine``."""
    try:
        from .app import app
    except ModuleNotFoundError as error:
        sys.exit(f"grok-imagine needs {error.name}. Install it with: pip install -e '.[cli]'")
    app()
