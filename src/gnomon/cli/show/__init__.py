"""How commands print what they found; imported only by a command that runs."""
