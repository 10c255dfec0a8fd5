"""Reports that are kept: a page for people and the same as JSON for programs, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import overload

import msgspec

from gnomon.errors import StorageError
from gnomon.files import replace
from gnomon.notebook import NotebookTable, Tabular
from gnomon.report.model import BaseReport, Subject
from gnomon.report.numbers import plural
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["SavedReport", "SavedReports", "list_reports", "save"]

_STAMP = "%Y%m%d-%H%M%S-%f"
_STAMP_PARTS = 3
"""Parts of a name, between dashes, that the time takes; it ends the name."""


class SavedReport(msgspec.Struct, frozen=True, kw_only=True):
    """One report under the storage root.

    Attributes:
        kind: ``replay``, ``offline`` (a comparison with a table) or ``drift``.
        created: when it was made, in UTC.
        artifact: whose logged answers it is about.
        role: whether these were given as ``live`` or as ``shadow``.
        verdict: ``ok``, ``diverged``, ``drifted`` or ``unknown``; ``unreadable`` where the JSON is
            damaged.
        title: the finding; what is wrong with the file where it is unreadable.
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
    """The reports under the storage root, newest first.

    Each report's JSON is read for its verdict, so ``last`` bounds what is read from a bucket.

    Args:
        settings: name the storage root.
        model: whose reports.
        last: at most this many, the newest; all when not given.

    Raises:
        StorageError: the storage root refuses.
    """
    storage = Storage(settings)
    return SavedReports(model, tuple(_read(storage, settings, _newest(storage, model, last))))


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
        StorageError: the storage root refuses, or ``path`` is a folder's without a name.
        OSError: the folder of ``path`` refuses.
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


class _Head(msgspec.Struct, frozen=True):
    """What a listing needs of a report, whatever its kind and format."""

    title: str
    verdict: str
    subject: Subject


def _newest(storage: Storage, model: str, last: int | None) -> list[tuple[datetime, str]]:
    """When each report was made, and its name without an ending."""
    found = []
    for path in storage.names(f"reports/{model}"):
        name = path.removesuffix(".json")
        stamp = "-".join(name.rsplit("-", _STAMP_PARTS)[1:])
        try:
            created = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue
        if name != path:
            found.append((created, name))
    return sorted(found, reverse=True)[:last]


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


def _head(content: bytes, artifact: str) -> _Head:
    try:
        return msgspec.json.decode(content, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        model = artifact.partition(":")[0]
        subject = Subject(model=model, artifact=artifact, digest="", role="")
        return _Head(f"the report's JSON is damaged: {error}", "unreadable", subject)
