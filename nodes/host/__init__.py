"""Everything that touches ComfyUI at run time."""
