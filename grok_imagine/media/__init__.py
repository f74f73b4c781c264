"""Pictures and films on disk and in memory: probe, decode, encode. Importing this package loads nothing."""
