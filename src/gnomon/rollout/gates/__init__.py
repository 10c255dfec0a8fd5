"""The gates of a promotion, from the evidence and the policy."""
