"""Checks of files and logged rows on demand: against a contract, and for leakage."""
