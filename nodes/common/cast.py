"""The CAST value that passes from Cast to Film: names and their images."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

CAST = io.Custom("GIV_CAST")

CastValue = tuple[tuple[str, Any], ...]
"""Each name with its IMAGE batch, in the order of the nodes."""
