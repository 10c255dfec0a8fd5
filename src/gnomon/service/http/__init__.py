"""The protocol, below every route: the heads and bodies of requests, their codings and limits."""
