"""Deciding: starting, stopping and promoting, by somebody or by rule, and what a decision needs."""
