"""Images and videos: probe, decode, encode, join. Importing this package loads no library."""
