"""The film studio of the sandbox: a script and some media in, one MP4 file out."""

from __future__ import annotations

from .studio import FILM_VERSION, Footage, Script, UnusableFootageError, render

__all__ = ["FILM_VERSION", "Footage", "Script", "UnusableFootageError", "render"]
