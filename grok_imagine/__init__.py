"""Grok Imagine video through several HTTP APIs: the engine, which knows neither ComfyUI nor torch.

Importing this package does no work. Open a :class:`grok_imagine.jobs.Session` to make a clip.
"""

__version__ = "0.1.0"
