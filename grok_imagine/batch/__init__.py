"""Many clips from one list: rows, a run on this machine, workers on several."""
