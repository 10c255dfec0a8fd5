"""Checks of rows against a contract: what a server would refuse, and what it would accept."""
