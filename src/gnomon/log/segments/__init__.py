"""Segments: their format and files, writing and following them, and recovery after a crash."""
