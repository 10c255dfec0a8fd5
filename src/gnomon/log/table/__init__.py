"""The sealed table: its commits, its columns, and its maintenance."""
