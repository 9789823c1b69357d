"""Fails while it initialises, as a handler does whose settings are wrong."""

message = "model folder /opt/models/x is missing"
raise RuntimeError(message)
