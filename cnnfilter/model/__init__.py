"""Layers and networks on arrays; NumPy only."""
