"""Pictures in files; the only place with Pillow."""
