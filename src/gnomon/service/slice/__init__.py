"""One slice: a running gateway with its lanes, shadows, log and rollout."""
