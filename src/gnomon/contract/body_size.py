"""Sizes of request bodies, in a module without heavy imports, because clients need it too."""

from __future__ import annotations

__all__ = ["SOON_BYTES"]

SOON_BYTES = 65_536
"""The longest body that :meth:`gnomon.contract.Decoder.decode_soon` reads: less than a millisecond
if it is clean; otherwise the fast path ends at the first unusual value."""
