"""Where a report is kept: a page for people and its data for programs, side by side."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from gnomon.files import replace
from gnomon.report.model import BaseReport
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["save"]


def save(kind: str, report: BaseReport, html: str, settings: Settings, path: Path | None) -> str:
    """Write a report, which holds rows of the log; returns where its page is.

    Args:
        kind: what the report is of; part of its name.
        report: its data.
        html: its page.
        settings: name the storage root.
        path: write ``path.html`` and ``path.json``, in place of any; without one, new files under
            ``reports/`` of the storage root.

    Raises:
        StorageError: the storage root refuses.
        OSError: the folder of ``path`` refuses.
    """
    data, subject = report.to_json(), report.subject
    if path is not None:
        replace(path.with_name(f"{path.name}.json"), data)
        replace(path.with_name(f"{path.name}.html"), html.encode())
        return f"{path}.html"
    storage = Storage(settings)
    version = subject.artifact.partition(":")[2]
    now = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    name = f"reports/{subject.model}/{kind}-{version}-{now}"
    storage.create(f"{name}.json", data)
    storage.create(f"{name}.html", html.encode())
    return f"{settings.root.rstrip('/')}/{name}.html"
