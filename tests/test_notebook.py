"""Results in a notebook: each as a small HTML table, and as a pandas frame."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pandas as pd
import pyarrow as pa
import pytest

import gnomon
from gnomon import rollout
from gnomon.artifact import inspect
from gnomon.contract.check.contract_report import CheckFinding
from gnomon.errors import RolloutError, SettingsError, TableError
from gnomon.leakage import LeakageEvidence, LeakageFinding
from gnomon.log.row_counts import LogRowCounts
from gnomon.notebook import MOST_CHARACTERS, MOST_ROWS, Tabular
from gnomon.rollout.gate import Gate
from gnomon.rollout.history import RolloutState
from gnomon.service.status.slice_status import RowAccounts, ShadowStatus
from gnomon.settings import Settings
from tests.packing import Pack
from tests.report.example import a_report
from tests.shadow.trips import LOCAL, TRAINED, Trips, trips

ROWS = 60
HOSTILE = "\"'><script>alert(1)</script><img src=http://evil>\u202e\x1b[31m"


@pytest.fixture
def deployed(
    settings: Settings, pack: Pack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Trips:
    """Rows that a live artifact answered; this process reads the same storage root."""
    monkeypatch.setenv("GNOMON_ROOT", settings.root)
    monkeypatch.chdir(tmp_path)  # Where no policy is.
    trained = inspect(pack(LOCAL, "trips", TRAINED))
    rollout.promote(settings, "trips", trained.tag, by=HOSTILE, why=HOSTILE)
    return Trips(settings, trained, trips(ROWS)).answer()


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_results() -> list[Tabular]:
    """Every kind of result, with text that tries to be HTML wherever a client can put some."""
    report = a_report()
    column = msgspec.structs.replace(report.columns[0], name=HOSTILE, tolerance=HOSTILE)
    skewed = msgspec.structs.replace(report, title=HOSTILE, columns=(column,))
    finding = CheckFinding(
        feature=HOSTILE,
        rule="domain",
        level="broken",
        expected=HOSTILE,
        got={HOSTILE: 2},
        rows=2,
        of=3,
        share=2 / 3,
    )
    leak = LeakageFinding(
        check="identifiers",
        features=(HOSTILE,),
        severity="leak",
        sentence=HOSTILE,
        evidence=LeakageEvidence(rows=3),
        action=HOSTILE,
    )
    gate = Gate(name="rows", verdict="unknown", says=HOSTILE, limit=1.0)
    event = gnomon.RolloutEvent(kind="promote", artifact=HOSTILE, by=HOSTILE, why=HOSTILE)
    counted = pa.table({"role": ["live"], "artifact": [HOSTILE], "outcome": [HOSTILE], "rows": [2]})
    return [
        gnomon.SkewCheck(skewed, "page"),
        skewed,
        gnomon.ContractReport(rows=3, findings=(finding,)),
        gnomon.LeakageReport(rows=3, findings=(leak,), passed=(HOSTILE,), skipped={}),
        gnomon.Gates(artifact=HOSTILE, live=HOSTILE, gates=(gate,)),
        gnomon.RolloutHistory(HOSTILE, (event,), rollout_state(HOSTILE)),
        gnomon.Status(model=HOSTILE, ready=True, shadows=(ShadowStatus(artifact=HOSTILE),)),
        LogRowCounts(HOSTILE, counted),
    ]


def rollout_state(live: str) -> RolloutState:
    return RolloutState(epoch=1, lives=(live,))


@pytest.mark.parametrize("result", hostile_results(), ids=lambda result: type(result).__name__)
def test_what_strangers_wrote_is_shown_as_text(result: Tabular) -> None:
    """No element, address or hidden character of a client's text reaches the notebook; the frame
    has the exact text.
    """
    html = result._repr_html_()
    page = Page(html)
    assert page.elements <= {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert page.attributes <= {"style"}
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in html
    assert "\x1b" not in html
    shown = result.to_frame().to_numpy().ravel()
    assert any(HOSTILE in str(value) for value in shown)


def test_a_long_result_is_cut_in_the_notebook_and_whole_in_the_frame() -> None:
    """Rows beyond some, and text beyond some characters; the notebook says how many are left."""
    gates = tuple(
        Gate(name="rows", verdict="pass", says="x" * 10_000, limit=1.0)
        for _ in range(MOST_ROWS + 3)
    )
    found = gnomon.Gates(artifact="trips:2", live="trips:1", gates=gates)
    html = found._repr_html_()
    assert "and 3 more rows" in html
    assert len(html) < MOST_ROWS * (MOST_CHARACTERS + 700)
    frame = found.to_frame()
    assert len(frame) == MOST_ROWS + 3
    assert set(frame["because"].str.len()) == {10_000}


def test_an_empty_result_is_a_frame_with_columns() -> None:
    """Code that selects a column works whether or not anything was found."""
    frame = gnomon.ContractReport(rows=3).to_frame()
    assert frame.empty
    assert list(frame["feature"]) == []


def test_numbers_of_a_frame_are_numbers() -> None:
    """A missing value is a gap, not text."""
    gates = (
        Gate(name="rows", verdict="pass", says="enough", limit=100.0, value=120.0, rows=120),
        Gate(name="skew", verdict="unknown", says="no replay", limit=0.0),
    )
    frame = gnomon.Gates(artifact="trips:2", live="trips:1", gates=gates).to_frame()
    assert frame["value"].dtype == "float64"
    assert frame["value"].isna().tolist() == [False, True]
    assert str(frame["gate"].dtype) == "str"


def test_the_accounts_of_a_server_have_one_row_per_outcome() -> None:
    """They add up to what was received."""
    books = RowAccounts(received=10, answered=6, rejected=2, failed=1, shed=1)
    assert books.to_frame()["rows"].sum() == books.received


@pytest.mark.slow
def test_a_notebook_s_tour_of_one_deployment(deployed: Trips) -> None:
    """Every question is asked by name only, and each answer can be shown and counted."""
    tag = deployed.artifact.tag
    history = gnomon.rollout_history()
    assert [(event.kind, event.artifact) for event in history] == [("promote", tag)]
    assert history.to_frame()["artifact"].tolist() == [tag]
    assert history.state.live == tag
    assert len(history) == 1
    assert gnomon.running_artifacts() == [(tag, "live")]
    why = gnomon.diagnose("trips")
    assert why.agrees
    assert why.to_frame()["diverged"].sum() == 0
    drift = gnomon.measure_drift("trips", end=datetime(2100, 1, 1, tzinfo=UTC))
    assert set(drift.to_frame()["kind"]) == {"input", "step", "output"}
    assert drift.report.rows == ROWS
    assert drift.page.startswith(f"{deployed.settings.root}/reports/trips/drift-")
    with pytest.raises(RolloutError, match="is live already"):
        gnomon.check_gates(tag)
    checked = gnomon.check_contract("trips")
    assert (checked.rows, checked.verdict) == (ROWS, "kept")
    for result in (history, why, drift, checked, gnomon.open_log().accounts()):
        assert Page(result._repr_html_()).elements >= {"table"}


def test_the_log_is_one_dataset(deployed: Trips) -> None:
    """The same rows in Arrow, in pandas, in DuckDB, and for what reads Arrow streams."""
    log = gnomon.open_log()
    frame = log.to_frame(role="live")
    assert len(frame) == ROWS
    assert frame["row"].dtype == pd.ArrowDtype(log.table(columns=["row"]).schema.field("row").type)
    assert log.accounts().to_frame()["rows"].sum() == ROWS
    assert pa.table(log).num_rows == ROWS
    assert log.reader(columns=["request_id"]).read_all().column_names == ["request_id"]
    assert len(pd.DataFrame.from_arrow(log)) == ROWS
    with log.connection() as connection:
        assert connection.sql("SELECT count(*) FROM log").fetchall() == [(ROWS,)]
        assert connection.sql("SELECT * FROM log").to_arrow_table().num_rows == ROWS


def test_a_table_s_keys_need_a_table(deployed: Trips) -> None:
    """They would be ignored otherwise."""
    with pytest.raises(TableError, match="columns of a table; none is given"):
        gnomon.diagnose("trips", on=["trip"])


def test_without_a_deployment_the_log_says_what_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to do, instead of returning an empty dataset."""
    monkeypatch.setenv("GNOMON_ROOT", settings.root)
    with pytest.raises(SettingsError, match="no deployment has run"):
        gnomon.open_log()
