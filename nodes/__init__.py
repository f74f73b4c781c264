"""What ComfyUI sees: the nodes. ComfyUI and torch are known here and nowhere else."""
