"""Checking rows against a contract: what a server would refuse, and what it would let through."""
