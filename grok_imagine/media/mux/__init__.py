"""Writing video files: copying, transcoding, metadata."""
