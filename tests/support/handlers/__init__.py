"""Tiny Lambda handlers, each with one behaviour, run by the real runtime client in tests of the local service."""
