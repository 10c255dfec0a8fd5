"""The user's own code in an artifact: what is copied, and how it is imported."""
