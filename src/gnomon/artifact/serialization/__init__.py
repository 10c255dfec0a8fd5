"""A fitted pipeline as bytes and back, and what is checked before it is loaded."""
