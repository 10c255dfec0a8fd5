"""Shadows: the feed that follows the log and scores each request again, and the row accounts."""
