"""The files that the sandbox serves and receives."""
