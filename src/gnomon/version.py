"""The version of Gnomon."""

__all__ = ["__version__"]

__version__ = "0.1.0"  # In the source, because a bento contains no package metadata of Gnomon.
