"""The warning about a log that is kept for less time than regulators expect."""

from __future__ import annotations

from gnomon.settings import Settings

__all__ = ["LEAST_DAYS", "retention_warning"]

LEAST_DAYS = 184
"""Six months have at most so many days. Articles 19 and 26 of the EU's AI Act (Regulation
2024/1689) oblige providers and deployers of high-risk systems to keep logs for six months."""


def retention_warning(settings: Settings) -> str | None:
    """Return what is wrong with the retention settings for an audit; None if nothing is."""
    if 0 < settings.retention_days < LEAST_DAYS:
        return (
            f"the log is kept for {settings.retention_days:g} days (GNOMON_RETENTION_DAYS); "
            f"an audit may need {LEAST_DAYS}: see docs/audit.md"
        )
    if settings.retention_bytes:
        return (
            f"GNOMON_RETENTION_BYTES removes the oldest rows of the log whatever their age; an "
            f"audit may need {LEAST_DAYS} days: see docs/audit.md"
        )
    return None
