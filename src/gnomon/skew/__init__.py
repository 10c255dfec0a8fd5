"""Skew: online against offline for one artifact, by replay or a table, and why they differ."""
