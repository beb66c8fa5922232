"""Sinks that are part of paygate."""
