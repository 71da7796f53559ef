"""Arrays and numbers; NumPy only."""
