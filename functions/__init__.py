"""One folder per container image."""
