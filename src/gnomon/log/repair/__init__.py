"""Damage in segments and in the table: found, set aside, and what is lost told."""
