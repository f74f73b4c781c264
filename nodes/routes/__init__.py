"""The pack's HTTP routes in ComfyUI's server."""
