"""The shadow feed: the process that scores a slice's requests as they are logged."""
