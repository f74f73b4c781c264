"""Several clips joined to one."""
