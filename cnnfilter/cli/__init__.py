"""The command; the only place with Click and rich."""
