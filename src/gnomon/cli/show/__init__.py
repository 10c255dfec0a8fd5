"""Printing of the commands' results; imported only when a command runs."""
