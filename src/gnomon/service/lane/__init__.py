"""The way of a request to an answer: decoded, batched, scored, recorded, encoded."""
