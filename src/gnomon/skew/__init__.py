"""Skew: online compared with offline for one artifact, by replay or a table, with the causes."""
