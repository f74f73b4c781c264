"""What keeps paid jobs known when the disk is full or the journal's file is replaced."""
