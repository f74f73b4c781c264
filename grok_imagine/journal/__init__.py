"""The journal: a database written before and after every paid step. Nothing is submitted without it."""
