"""Batches: reading rows, running them on this machine, sharing them among workers."""
