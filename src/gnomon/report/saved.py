"""Save and list reports: each is an HTML page for readers and a JSON file for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import overload

import msgspec

from gnomon.errors import StorageError
from gnomon.files import replace
from gnomon.notebook import NotebookTable, Tabular
from gnomon.quantities import plural
from gnomon.report.model import BaseReport, Subject
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["SavedReport", "SavedReports", "list_reports", "save"]

_STAMP = "%Y%m%d-%H%M%S-%f"
_STAMP_PARTS = 3
"""How many parts of a name, between dashes, are its time, which is at the end."""


class SavedReport(msgspec.Struct, frozen=True, kw_only=True):
    """One report under the storage root.

    Attributes:
        kind: ``replay``, ``offline`` (a comparison with a table) or ``drift``.
        created: when it was made, in UTC.
        artifact: the artifact whose logged answers it is about.
        role: whether it answered as ``live`` or as ``shadow``.
        verdict: ``ok``, ``diverged``, ``drifted`` or ``unknown``; ``unreadable`` if the JSON is
            damaged.
        title: the finding; if the file is unreadable, what is wrong with it.
        page: where the HTML page is: a path, or a URL of the bucket.
        data: where the JSON is.
    """

    kind: str
    created: datetime
    artifact: str
    role: str
    verdict: str
    title: str
    page: str
    data: str


class SavedReports(Tabular, Sequence[SavedReport]):
    """The saved reports of one model, newest first."""

    def __init__(self, model: str, reports: Sequence[SavedReport]) -> None:
        self.model = model
        self._reports = tuple(reports)

    @overload
    def __getitem__(self, index: int) -> SavedReport: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[SavedReport, ...]: ...
    def __getitem__(self, index: int | slice) -> SavedReport | tuple[SavedReport, ...]:
        return self._reports[index]

    def __len__(self) -> int:
        return len(self._reports)

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return NotebookTable(
            title=f"{self.model}: {plural(len(self), 'report')}",
            verdict="",
            columns=("created", "kind", "artifact", "role", "verdict", "title", "page"),
            rows=[
                (r.created, r.kind, r.artifact, r.role, r.verdict, r.title, r.page) for r in self
            ],
        )


def list_reports(settings: Settings, model: str, last: int | None = None) -> SavedReports:
    """List the reports under the storage root, newest first.

    Each report's JSON is read for its verdict, so ``last`` limits how much is read from a bucket.

    Args:
        settings: settings with the storage root.
        model: the model of the reports.
        last: at most this many, the newest; all when not given.

    Raises:
        StorageError: the storage root cannot be read.
    """
    storage = Storage(settings)
    return SavedReports(model, tuple(_read(storage, settings, _newest(storage, model, last))))


def save(kind: str, report: BaseReport, html: str, settings: Settings, path: Path | None) -> str:
    """Write a report, which contains rows of the log, and return the place of its page.

    Args:
        kind: the kind of the report, which is part of its name.
        report: its data.
        html: its page.
        settings: settings with the storage root.
        path: write ``path.html`` and ``path.json``, replacing existing files; without it, write new
            files under ``reports/`` of the storage root.

    Raises:
        StorageError: the storage root cannot be written, or ``path`` does not end in a file name.
        OSError: ``path`` cannot be written.
    """
    data, subject = report.to_json(), report.subject
    if path is not None:
        if not path.name:
            raise StorageError(
                "expected a path that ends in a name, for the files PATH.html and PATH.json",
                where=str(path),
                hint="such as reports/today",
            )
        replace(path.with_name(f"{path.name}.json"), data)
        replace(path.with_name(f"{path.name}.html"), html.encode())
        return f"{path}.html"
    storage = Storage(settings)
    version = subject.artifact.partition(":")[2]
    now = f"{datetime.now(UTC):{_STAMP}}"
    name = f"reports/{subject.model}/{kind}-{version}-{now}"
    storage.create(f"{name}.json", data)
    storage.create(f"{name}.html", html.encode())
    return f"{settings.root.rstrip('/')}/{name}.html"


class _ReportHead(msgspec.Struct, frozen=True):
    """The parts of a report that a listing needs, for any kind and format."""

    title: str
    verdict: str
    subject: Subject


def _newest(storage: Storage, model: str, last: int | None) -> list[tuple[datetime, str]]:
    """Return the newest reports: when each was made, and its name without an ending."""
    reports = []
    for path in storage.names(f"reports/{model}"):
        name = path.removesuffix(".json")
        stamp = "-".join(name.rsplit("-", _STAMP_PARTS)[1:])
        try:
            created = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue
        if name != path:
            reports.append((created, name))
    return sorted(reports, reverse=True)[:last]


def _read(
    storage: Storage, settings: Settings, names: Sequence[tuple[datetime, str]]
) -> Iterator[SavedReport]:
    root = settings.root.rstrip("/")
    for created, name in names:
        content = storage.read(f"{name}.json")
        if content is None:  # Removed since it was listed.
            continue
        kind, _, version = name.rpartition("/")[2].partition("-")
        model = name.split("/")[1]
        head = _head(content, f"{model}:{version.rsplit('-', _STAMP_PARTS)[0]}")
        yield SavedReport(
            kind=kind,
            created=created,
            artifact=head.subject.artifact,
            role=head.subject.role,
            verdict=head.verdict,
            title=head.title,
            page=f"{root}/{name}.html",
            data=f"{root}/{name}.json",
        )


def _head(content: bytes, artifact: str) -> _ReportHead:
    try:
        return msgspec.json.decode(content, type=_ReportHead)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        model = artifact.partition(":")[0]
        subject = Subject(model=model, artifact=artifact, digest="", role="")
        return _ReportHead(f"the report's JSON is damaged: {error}", "unreadable", subject)
