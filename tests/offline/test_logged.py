import pytest

from gnomon.artifact import inspect
from gnomon.contract import Decoder
from gnomon.offline.logged import Range
from gnomon.settings import Settings
from gnomon.skew.replay import replay
from tests.packing import Pack
from tests.shadow.trips import LOCAL, TRAINED, Trips, trips

HALVES = TRAINED.replace('"riders": n % 5 + 1,', '"riders": n % 5 + 0.5,')
"""The same model of a team that counts children as half a rider."""


@pytest.mark.slow
def test_artifacts_with_other_types_in_one_log_keep_their_values(
    settings: Settings, pack: Pack
) -> None:
    """An integer feature of one artifact and a float of another: both replay bit for bit."""
    whole = Trips(settings, inspect(pack(LOCAL, "trips", TRAINED)), trips(21)).answer()
    records = trips(21)
    for record in records:
        record["riders"] += 0.5
    halves = Trips(settings, inspect(pack(LOCAL, "trips", HALVES)), records).answer()
    for logged in (whole, halves):
        report = replay(logged.log, logged.artifact, settings=settings)
        assert (report.verdict, report.exact, report.divergence.of) == ("ok", 21, 21)
    with whole.log.snapshot() as snapshot:
        (rows,) = Range(snapshot, whole.artifact, "live").chunks()
    assert rows.inputs.schema == whole.artifact.contract.input_schema
    assert rows.inputs.column("riders").to_pylist() == [r["riders"] for r in trips(21)]


def test_rows_are_read_again_from_their_bodies(settings: Settings, pack: Pack) -> None:
    """They are read even if row 0 of the request is not among the requested rows."""
    logged = Trips(settings, inspect(pack(LOCAL, "trips", TRAINED)), trips(9)).answer()
    with logged.log.snapshot() as snapshot:
        source = Range(snapshot, logged.artifact, "live")
        (rows,) = source.chunks(raw=True)
        decoder = Decoder(logged.artifact.contract)
        assert source.decode(rows.envelope, decoder).batch.equals(logged.inputs)
        tail = source.decode(rows.envelope.slice(3, 2), decoder)
        assert tail.batch.equals(logged.inputs.slice(3, 2))
    assert (source.logged, source.skipped) == (9, {})


def test_a_request_that_goes_on_in_the_next_chunk_is_not_looked_for(
    settings: Settings, pack: Pack
) -> None:
    """Its body is remembered, even where the log no longer holds it."""
    logged = Trips(settings, inspect(pack(LOCAL, "trips", TRAINED)), trips(9)).answer()
    decoder = Decoder(logged.artifact.contract)
    with logged.log.snapshot() as snapshot:
        source = Range(snapshot, logged.artifact, "live")
        (rows,) = source.chunks(raw=True)
        source.decode(rows.envelope.slice(0, 3), decoder)
        snapshot.close()
        assert source.decode(rows.envelope.slice(3, 2), decoder).batch.equals(
            logged.inputs.slice(3, 2)
        )
        assert source.decode(rows.envelope.slice(7, 2), decoder).batch.num_rows == 0
