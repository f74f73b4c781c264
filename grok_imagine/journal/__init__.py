"""The journal: written before and after every step that costs money. Without it nothing is submitted."""
