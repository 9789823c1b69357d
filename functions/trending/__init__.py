"""Stored items, what happens to them, and what is trending."""
