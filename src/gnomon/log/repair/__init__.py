"""Repair of segments and of the table: find damage, move it aside, and report what is lost."""
