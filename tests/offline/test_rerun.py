import pytest

from gnomon.artifact import inspect
from gnomon.offline.rerun import Rerun, step_columns
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from tests.packing import Pack
from tests.shadow.trips import LOCAL, TRAINED, Trips, trips

SPARSE = TRAINED.replace("OneHotEncoder(sparse_output=False, ", "OneHotEncoder(")


def test_steps_are_named_in_pipeline_order(settings: Settings, pack: Pack) -> None:
    """Every column of every step, by path, without running anything."""
    assert step_columns(inspect(pack(LOCAL, "trips", TRAINED))) == [
        "columns/clock/hour",
        "columns/size/miles",
        "columns/size/riders",
        "columns/kind/kind_night",
        "columns/kind/kind_pool",
        "columns/kind/kind_solo",
    ]


@pytest.mark.slow
def test_a_sparse_step_has_all_its_columns_in_every_batch(settings: Settings, pack: Pack) -> None:
    """Columns that are zero in all rows of a batch are there, as zeros; no rows are no trouble."""
    artifact = inspect(pack(LOCAL, "trips", SPARSE))
    kinds = [name for name in step_columns(artifact) if "/kind/" in name]
    rows = Trips(settings, inspect(pack(LOCAL, "trips", TRAINED)), trips(9)).inputs
    small = Settings(root=settings.root, batch_rows=1)
    with WorkerClient(artifact, small) as client:
        rerun = Rerun(client, artifact, small)
        traced = rerun.trace(rows, kinds)
        assert rerun.score(rows.slice(0, 0)).num_rows == 0
        assert rerun.good(rows).tolist() == list(range(9))
    assert [sum(row.values()) for row in traced.to_pylist()] == [1.0] * 9
    assert traced.column("columns/kind/kind_solo").to_pylist() == [1.0, 0.0, 0.0] * 3
