"""Estimated performance compared with NannyML's."""
