"""The renderer: a job and the files it refers to in, one MP4 file out."""
