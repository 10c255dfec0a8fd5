"""Comparison of two sides under the policy, with intervals for the share that disagrees."""
