"""Many images, file to file; no Click, no rich."""
