"""The inference log: append-only segments, the sealed table, and one reader over both."""
