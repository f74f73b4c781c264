"""Chains: one long clip made from several segments."""
