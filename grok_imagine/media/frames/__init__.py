"""Decodes video files into arrays of frames."""
