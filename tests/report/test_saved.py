"""Reports are kept under the storage root, and listed from there."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from gnomon.errors import StorageError
from gnomon.report import to_html
from gnomon.report.saved import list_reports, save
from gnomon.settings import Settings
from tests.report.example import a_healthy_report, a_report


def test_saved_reports_are_listed_newest_first(settings: Settings) -> None:
    """The list has the verdict, the finding, and where the page and the JSON are."""
    for report in (a_healthy_report(), a_report()):
        save(report.kind, report, to_html(report), settings, None)
    model = a_report().subject.model
    newest, oldest = list_reports(settings, model)
    assert (newest.verdict, oldest.verdict) == ("diverged", "ok")
    assert (newest.kind, newest.title) == (a_report().kind, a_report().title)
    assert newest.artifact == a_report().subject.artifact
    assert newest.created > oldest.created
    assert Path(newest.page).read_text() == to_html(a_report())
    assert Path(newest.data).read_bytes() == a_report().to_json()
    assert list_reports(settings, model, last=1)[:] == (newest,)


@pytest.mark.parametrize("path", [".", "/"])
def test_a_path_without_a_name_is_refused(settings: Settings, path: str) -> None:
    """``--report .`` names no files; the message says what would."""
    report = a_report()
    with pytest.raises(StorageError, match=r"a path that ends in a name.*such as reports/today"):
        save(report.kind, report, to_html(report), settings, Path(path))


def test_other_models_and_other_files_are_left_out(settings: Settings) -> None:
    """A root without reports is not an error."""
    report = a_report()
    model = report.subject.model
    assert len(list_reports(settings, model)) == 0
    other = replace(report, subject=replace(report.subject, model="other", artifact="other:1"))
    save(other.kind, other, to_html(other), settings, None)
    folder = Path(settings.root) / "reports" / model
    folder.mkdir(parents=True)
    (folder / "notes.json").write_text("{}")
    assert len(list_reports(settings, model)) == 0
    assert [found.artifact for found in list_reports(settings, "other")] == ["other:1"]


def test_a_damaged_report_does_not_hide_the_others(settings: Settings) -> None:
    """It is listed as unreadable, with the artifact that its name gives."""
    report = a_report()
    for _ in range(2):
        save(report.kind, report, to_html(report), settings, None)
    newest, _ = list_reports(settings, report.subject.model)
    Path(newest.data).write_bytes(b"{")
    damaged, whole = list_reports(settings, report.subject.model)
    assert (damaged.verdict, damaged.artifact) == ("unreadable", report.subject.artifact)
    assert whole.verdict == "diverged"
