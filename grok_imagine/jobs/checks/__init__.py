"""Tests of a connection and of an upload store, which cost nothing."""
