from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest

from gnomon.artifact import inspect
from gnomon.errors import LogError, PolicyError, TableError
from gnomon.log import InferenceLog
from gnomon.policy import GateLimits, Policy, Tolerance
from gnomon.report import Report
from gnomon.settings import Settings
from gnomon.skew.table_comparison import compare_offline
from tests.packing import Pack
from tests.shadow.trips import (
    GREENWICH,
    LOCAL,
    TRAINED,
    Trips,
    shuffled,
    trips,
    write,
)

ROWS = 401


@pytest.fixture
def healthy(settings: Settings, pack: Pack) -> Trips:
    return Trips(settings, inspect(pack(LOCAL, "trips", TRAINED)), trips(ROWS)).answer()


@pytest.fixture
def table(healthy: Trips, tmp_path: Path) -> Path:
    return tmp_path / "offline.parquet"


def compare(logged: Trips, table: Path, **options: object) -> Report:
    settings = logged.settings
    return compare_offline(logged.log, logged.artifact, table, settings=settings, **options)  # type: ignore[arg-type]


def test_equal_answers_agree_in_whatever_order(healthy: Trips, table: Path) -> None:
    """A table of the same answers in another order agrees on every row, bit for bit."""
    write(healthy.offline(), table, shuffled(ROWS))
    report = compare(healthy, table)
    assert (report.verdict, report.diverged) == ("ok", False)
    assert (report.divergence.rows, report.divergence.of, report.exact) == (0, ROWS, ROWS)
    assert report.coverage.compared == report.coverage.logged == ROWS
    assert report.table is not None
    assert report.table.on == ("trip",)
    assert (report.table.rows, report.table.matched) == (ROWS, ROWS)
    assert report.title == f"Online and offline agree on all {ROWS} rows"
    assert {c.name for c in report.columns if c.kind == "feature"} == {
        "at", "miles", "riders", "kind",
    }  # fmt: skip


def test_an_hour_read_in_another_zone_is_found_named_and_proved(
    settings: Settings, pack: Pack, tmp_path: Path
) -> None:
    """Serving code that reads UTC: the first column, the zone, and the outputs are restored."""
    trained = inspect(pack(LOCAL, "trips", TRAINED))
    served = inspect(pack(GREENWICH, "trips", TRAINED))
    logged = Trips(settings, trained, trips(ROWS)).answer().shadow(served)
    path = write(logged.offline(), tmp_path / "offline.parquet", shuffled(ROWS))
    report = compare_offline(logged.log, served, path, role="shadow", settings=settings)
    assert report.diverged
    assert report.walk is not None
    assert report.diagnosis is not None
    assert report.walk.first == report.diagnosis.column == "columns/clock/hour"
    assert report.walk.reproduced == report.walk.rows == ROWS
    before = [c for c in report.walk.columns if c.kind == "feature"]
    assert {c.name: c.diverged for c in before} == {"at": 0, "miles": 0, "riders": 0, "kind": 0}
    hour = next(c for c in report.walk.columns if c.name == "columns/clock/hour")
    assert (hour.diverged, hour.share) == (ROWS, 1.0)
    assert set(hour.quantiles.values()) <= {-20.0, -19.0, 4.0, 5.0}
    assert (report.diagnosis.verdict, report.diagnosis.cause) == ("confirmed", "time zone")
    assert "4 to 5 hours ahead of offline" in report.diagnosis.sentence
    assert "as UTC is ahead of America/New_York" in report.diagnosis.sentence
    assert report.diagnosis.repaired is not None
    assert report.diagnosis.repaired.rows == ROWS
    assert f"The outputs then agree on {ROWS} of the {ROWS} rows" in report.diagnosis.evidence[-1]
    assert report.subject.role == "shadow"
    over_time = {column.column: column for column in report.over_time}
    assert over_time["columns/clock/hour"].sampled
    assert {m.consistency for m in over_time["columns/clock/hour"].buckets} == {0.0}
    assert {m.consistency for m in over_time["miles"].buckets} == {1.0}
    assert sum(m.rows for m in over_time["probability_slow"].buckets) == ROWS


@pytest.mark.slow
def test_a_feature_in_another_unit_is_the_first_to_differ(healthy: Trips, table: Path) -> None:
    """Miles online, kilometres offline: the feature is named, with its value outputs agree."""
    kilometres = pc.multiply(healthy.inputs.column("miles"), 1.609344)
    wrong = healthy.records[:]
    for record in wrong:
        record["miles"] *= 1.609344
    other = Trips(healthy.settings, healthy.artifact, wrong)
    write(other.offline(miles=kilometres), table)
    report = compare(healthy, table)
    assert report.diagnosis is not None
    assert (report.diagnosis.column, report.diagnosis.cause) == ("miles", "unit change")
    assert "is 0.621371 times offline" in report.diagnosis.sentence
    assert report.diagnosis.accounts is not None
    diverging = report.divergence.rows
    assert (report.diagnosis.accounts.rows, report.diagnosis.accounts.of) == (diverging, diverging)
    (swap,) = report.swaps
    assert (swap.column, swap.back.rows, swap.back.of) == ("miles", diverging, diverging)
    assert swap.left < 1e-9 < swap.apart


@pytest.mark.slow
def test_a_cause_in_a_feature_that_the_table_lacks_is_reported(
    settings: Settings, pack: Pack, table: Path
) -> None:
    """`gnomon score` writes keys and outputs: a feature to blame is in no column of the table."""
    artifact, right = inspect(pack(LOCAL, "trips", TRAINED)), trips(ROWS)
    wrong = [record | {"miles": record["miles"] * 1_000} for record in right]
    logged = Trips(settings, artifact, wrong).answer()
    offline = Trips(settings, artifact, right)
    write(offline.offline(*offline.outputs.schema.names), table)
    report = compare(logged, table)
    assert report.diagnosis is not None
    assert (report.diagnosis.column, report.diagnosis.cause) == ("miles", "unit change")
    assert report.distributions


@pytest.mark.slow
def test_a_feature_that_differs_without_effect_is_cleared(
    settings: Settings, pack: Pack, tmp_path: Path
) -> None:
    """Riders differ a little too, but giving the model the offline ones restores nothing."""
    trained = inspect(pack(LOCAL, "trips", TRAINED))
    served = inspect(pack(GREENWICH, "trips", TRAINED))
    logged = Trips(settings, trained, trips(ROWS)).answer().shadow(served)
    riders = pc.add(logged.inputs.column("riders"), 1)
    path = write(logged.offline(riders=riders), tmp_path / "offline.parquet")
    report = compare_offline(logged.log, served, path, role="shadow", settings=settings)
    assert report.diagnosis is not None
    assert report.diagnosis.column == "columns/clock/hour"
    assert any("`riders`" in fact and "0 of the 401" in fact for fact in report.diagnosis.evidence)
    assert [(swap.column, swap.back.rows) for swap in report.swaps] == [
        ("columns/clock/hour", ROWS),
        ("riders", 0),
    ]


@pytest.mark.slow
def test_what_no_cause_explains_is_unknown(healthy: Trips, table: Path) -> None:
    """A step whose offline values are noise: located, and the cause is not guessed."""
    scaled = healthy.steps.column("columns/size/miles").to_numpy()
    noise = np.random.default_rng(3).normal(size=ROWS)
    probability = np.clip(healthy.outputs.column("probability_slow").to_numpy() + noise / 50, 0, 1)
    write(
        healthy.offline(
            columns__size__miles=pa.array(scaled + noise), probability_slow=pa.array(probability)
        ),
        table,
    )
    report = compare(healthy, table)
    assert report.diverged
    assert report.diagnosis is not None
    assert (report.diagnosis.verdict, report.diagnosis.cause) == ("unknown", "unknown")
    assert report.diagnosis.column == "columns/size/miles"
    assert report.diagnosis.repaired is None
    assert any("median" in fact for fact in report.diagnosis.evidence)
    assert "unknown" in report.summary.how_sure


def test_rounded_predictions_in_a_csv_are_recognised(healthy: Trips, tmp_path: Path) -> None:
    """Probabilities written with three decimals: the cause is rounding, at the output."""
    path = tmp_path / "offline.csv"
    lines = ["trip,probability_slow"]
    for trip, p in zip(
        healthy.inputs.column("trip").to_pylist(),
        healthy.outputs.column("probability_slow").to_pylist(),
        strict=True,
    ):
        lines.append(f"{trip},{p:.3f}")
    path.write_text("\n".join(lines))
    report = compare(healthy, path)
    assert report.diagnosis is not None
    assert (report.diagnosis.column, report.diagnosis.cause) == ("probability_slow", "rounding")
    assert "the offline side has 3 decimals" in report.diagnosis.sentence


def test_answers_that_do_not_come_out_again_confirm_nothing(
    settings: Settings, pack: Pack, tmp_path: Path
) -> None:
    """Logged answers that replay does not give: the steps prove nothing, and the report says so."""
    artifact = inspect(pack(LOCAL, "trips", TRAINED))
    logged = Trips(settings, artifact, trips(ROWS))
    shifted = pc.divide(logged.outputs.column("probability_slow"), 2.0)
    logged.answer(probability_slow=shifted)
    report = compare(logged, write(logged.offline(), tmp_path / "offline.parquet"))
    assert report.diverged
    assert report.walk is not None
    assert report.walk.reproduced < report.walk.rows
    assert report.diagnosis is not None
    assert report.diagnosis.verdict == "unknown"
    assert any("did not give the logged answer" in fact for fact in report.diagnosis.evidence)


def test_without_bodies_it_is_said_that_nothing_can_be_followed(
    settings: Settings, pack: Pack, tmp_path: Path
) -> None:
    """Outputs are compared anyway; where and why they differ is unknown, and the report says
    why.
    """
    logged = Trips(settings, inspect(pack(LOCAL, "trips", TRAINED)), trips(ROWS))
    logged.keeps_bodies = False
    logged.answer()
    lower = pc.multiply(logged.outputs.column("probability_slow"), 0.5)
    report = compare(logged, write(logged.offline(probability_slow=lower), tmp_path / "t.parquet"))
    assert report.diverged
    assert report.walk is None
    assert report.diagnosis is not None
    assert (report.diagnosis.verdict, report.diagnosis.column) == ("unknown", None)
    assert "no longer holds the bodies" in report.diagnosis.sentence


def test_a_table_of_features_alone_is_judged_by_its_features(healthy: Trips, table: Path) -> None:
    """Another spelling of a category: located, named and shown."""
    shouted = pc.utf8_upper(healthy.inputs.column("kind"))
    write(healthy.offline("kind", kind=shouted), table)
    report = compare(healthy, table)
    assert (report.divergence.rows, report.impact) == (ROWS, None)
    assert report.diagnosis is not None
    assert (report.diagnosis.column, report.diagnosis.cause) == ("kind", "category form")
    assert "in its case: `solo` where it is `SOLO`" in report.diagnosis.sentence


def test_a_table_of_steps_alone_is_judged_by_its_steps(healthy: Trips, table: Path) -> None:
    """Without outputs every logged row is run again, and the step columns decide."""
    hour = healthy.steps.column("columns/clock/hour").combine_chunks()
    write(healthy.offline("columns/clock/hour"), table)
    assert compare(healthy, table).verdict == "ok"
    write(healthy.offline("columns/clock/hour", columns__clock__hour=pc.add(hour, 1.0)), table)
    report = compare(healthy, table)
    assert (report.divergence.rows, report.divergence.of) == (ROWS, ROWS)
    assert report.diagnosis is not None
    assert report.diagnosis.cause == "constant offset"
    assert "is 1 lower than offline" in report.diagnosis.sentence
    assert report.impact is None


def test_rows_that_cannot_be_run_again_are_counted(
    settings: Settings, pack: Pack, tmp_path: Path
) -> None:
    """A body that the contract refuses has no steps: its rows are left out, and counted."""
    trip = Trips(settings, inspect(pack(LOCAL, "trips", TRAINED)), trips(ROWS))
    whole = trip.offline("columns/clock/hour")
    trip.records[5] = {**trip.records[5], "miles": "far"}
    table = tmp_path / "offline.parquet"
    write(whole, table)
    report = compare(trip.answer(), table)
    (lost,) = (
        count for count in report.coverage.skipped if count.reason == "could not be run again"
    )
    assert lost.rows == ROWS - report.coverage.compared > 0


@pytest.mark.parametrize("name", ["columns/clock/hour", "columns.clock.hour", "hour"])
def test_step_columns_go_by_path_by_dots_or_by_an_unambiguous_name(
    healthy: Trips, table: Path, name: str
) -> None:
    """All three names mean the step's column."""
    one = healthy.offline("prediction", "columns/clock/hour")
    write(one.rename_columns(["trip", "prediction", name]), table)
    report = compare(healthy, table)
    assert report.table is not None
    assert report.table.used[name] == "columns/clock/hour"


def test_columns_that_mean_nothing_are_reported(healthy: Trips, table: Path) -> None:
    """An unknown column is ignored, and the report says which and why."""
    one = healthy.offline("prediction")
    write(one.append_column("notes", pa.array(["x"] * ROWS)), table)
    report = compare(healthy, table)
    assert report.table is not None
    assert report.table.ignored == {"notes": "not an output, feature or step column"}


def test_missing_rows_are_counted_on_both_sides(healthy: Trips, table: Path) -> None:
    """Logged rows without offline ones, offline rows without logged ones: counts and examples."""
    one = healthy.offline("prediction").slice(1)
    more = pa.table({"trip": ["never"], "prediction": ["slow"]}).cast(one.schema)
    write(pa.concat_tables([one, more]), table)
    report = compare(healthy, table)
    assert report.coverage.compared == ROWS - 1
    (missing,) = report.coverage.skipped
    assert (missing.reason, missing.rows) == ("not in the table", 1)
    assert missing.example == "trip=r00000"
    assert report.table is not None
    assert (report.table.rows, report.table.matched) == (ROWS, ROWS - 1)
    assert report.table.unmatched == "trip=never"


def test_too_few_rows_in_common_are_no_verdict(healthy: Trips, table: Path) -> None:
    """A table of ten of the rows, all equal, is not evidence for the rest."""
    write(healthy.offline().slice(0, 10), table)
    report = compare(healthy, table)
    assert (report.verdict, report.diverged) == ("unknown", False)
    assert report.title == "Inconclusive: 10 rows of 401 could be compared"


def test_no_logged_answer_is_no_verdict(healthy: Trips, table: Path) -> None:
    """An empty range of the log is unknown, not in agreement."""
    write(healthy.offline(), table)
    report = compare(healthy, table, role="shadow")
    assert report.verdict == "unknown"
    assert report.title.startswith("Nothing to compare: no answer of trips:")


def test_no_log_is_an_error(settings: Settings, healthy: Trips, table: Path) -> None:
    """A model that was never served has no log to compare."""
    write(healthy.offline(), table)
    empty = InferenceLog(Settings(root=settings.root + "-other"), "trips")
    with pytest.raises(LogError, match="no log of a model `trips`"):
        compare_offline(empty, healthy.artifact, table, settings=settings)


@pytest.mark.slow
def test_the_policy_says_what_agrees(healthy: Trips, table: Path) -> None:
    """A difference within the tolerance agrees; a share within the limit passes."""
    near = pc.add(healthy.outputs.column("probability_slow"), 0.001)
    write(healthy.offline("probability_slow", probability_slow=near), table)
    assert compare(healthy, table).diverged
    tolerant = Policy(skew={"probability_*": Tolerance(absolute=0.002)})
    report = compare(healthy, table, policy=tolerant)
    assert (report.verdict, report.divergence.rows, report.exact) == ("ok", 0, 0)
    lenient = Policy(gates=GateLimits(max_skew=1.0))
    assert compare(healthy, table, policy=lenient).verdict == "ok"


def test_a_policy_that_ignores_everything_is_refused(healthy: Trips, table: Path) -> None:
    """Agreement on nothing must not read as agreement."""
    write(healthy.offline("prediction"), table)
    with pytest.raises(PolicyError, match="ignores every column"):
        compare(healthy, table, policy=Policy(skew={"*": Tolerance(kind="ignore")}))


def test_progress_adds_up_to_the_rows_read(healthy: Trips, table: Path) -> None:
    """The callback gets every logged row once."""
    write(healthy.offline("prediction"), table)
    steps: list[int] = []
    compare(healthy, table, progress=steps.append)
    assert sum(steps) == ROWS


def test_keys_with_nothing_in_common_are_an_error(healthy: Trips, table: Path) -> None:
    """No matching key is a mistake in the key; the message shows one of each side."""
    strange = pa.array([f"x{i}" for i in range(ROWS)])
    write(healthy.offline("prediction", trip=strange), table)
    with pytest.raises(TableError, match="no logged row has a key") as caught:
        compare(healthy, table)
    assert "the log has trip=r00000, the table trip=x0" in caught.value.message


@pytest.mark.slow
def test_a_flip_is_a_row_across_the_policys_threshold(healthy: Trips, table: Path) -> None:
    """Impact counts decisions that change, and how far the score moves."""
    moved = pc.min_element_wise(pc.add(healthy.outputs.column("probability_slow"), 0.2), 1.0)
    write(healthy.offline("probability_slow", probability_slow=moved), table)
    policy = Policy.read(_policy(table.parent))
    report = compare(healthy, table, policy=policy)
    was = healthy.outputs.column("probability_slow").to_numpy()
    expected = int(((was >= 0.5) != (moved.to_numpy() >= 0.5)).sum())
    assert report.impact is not None
    assert 0 < report.impact.flips.rows == expected
    assert report.impact.largest_change == pytest.approx(0.2)


def _policy(folder: Path) -> Path:
    path = folder / "policy.toml"
    path.write_text('[decision]\noutput = "probability_slow"\nthreshold = 0.5\n')
    return path
