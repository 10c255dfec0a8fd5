"""Sizes of request bodies, without the libraries that read one: clients import this too."""

from __future__ import annotations

__all__ = ["SOON_BYTES"]

SOON_BYTES = 65_536
"""The longest body that :meth:`gnomon.contract.Decoder.decode_soon` reads: less than a millisecond
if it is clean, and a reading that ends at the first oddity if it is not."""
