"""Bulk scoring in one request: records come in while answers go out."""
