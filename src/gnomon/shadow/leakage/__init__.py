"""Leakage on demand: files of training, holdout and later rows, and what was served since."""
