"""How often a gate on a share of rows decides wrongly, on simulated streams.

::

    python -m benchmarks.gates --runs 10000
"""
