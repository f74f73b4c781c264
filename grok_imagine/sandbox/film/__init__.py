"""Renders the sandbox's clips: a specification and some media in, one MP4 file out."""

from __future__ import annotations

from .media import Media, RenderResult, RenderSpec, UnusableMediaError
from .render import FILM_VERSION, render

__all__ = ["FILM_VERSION", "Media", "RenderResult", "RenderSpec", "UnusableMediaError", "render"]
