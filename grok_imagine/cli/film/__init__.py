"""``grok-imagine film``: from a shot list to a film."""
