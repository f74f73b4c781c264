"""From a video file to frames as numbers."""
