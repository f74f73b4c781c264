"""Films: a list of shots, each a clip of its own, made and joined; a change makes only what depends on it again."""
