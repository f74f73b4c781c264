"""One long clip from several segments."""
