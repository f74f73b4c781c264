"""The entry point of the node pack: checks ComfyUI's version, then provides the nodes."""

from __future__ import annotations

# Without a package there is nothing to open: pytest imports this file by its bare name when it walks the folder.
if __package__:
    import logging
    from pathlib import Path

    _OLDEST = (0, 14, 1)
    """The first release with everything that is used here: on_load is awaited since 0.14.0."""

    def _host_version() -> tuple[int, ...] | None:
        """ComfyUI's version; None where it does not say one, which only unusual hosts do."""
        try:
            from comfyui_version import __version__ as version
        except ImportError:
            return None
        numbers = [part for part in version.split("+")[0].split(".")[:3] if part.isdigit()]
        return tuple(int(number) for number in numbers) or None

    _version = _host_version()
    if _version is None or _version >= _OLDEST:
        from .nodes.extension import comfy_entrypoint

        __all__ = ["comfy_entrypoint"]
        if any((Path(__file__).parent / "web").glob("*.js")):
            WEB_DIRECTORY = "./web"
            __all__ += ["WEB_DIRECTORY"]
    else:
        logging.error(
            "Grok Imagine Video needs ComfyUI %s or newer, and this is %s: its nodes are not loaded. Update ComfyUI.",
            ".".join(str(number) for number in _OLDEST),
            ".".join(str(number) for number in _version),
        )
