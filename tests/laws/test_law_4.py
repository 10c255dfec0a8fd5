"""Law 4: user code runs only in workers, one artifact per process."""

from __future__ import annotations

from gnomon.log import InferenceLog
from tests.conftest import Serve
from tests.load import gateways, until
from tests.packing import Pack, times


def test_two_artifacts_of_one_module_name_run_their_own_code(pack: Pack, serve: Serve) -> None:
    """Live gives 1 and its shadow 100, in one server, though both call their code
    ``preprocessing``."""
    one, hundred = pack(times(1)), pack(times(100))
    with serve(one) as server, server.client() as control:
        control.start_shadow(hundred)
        answer = control.predict({"x": 1.0, "id": "a"})
        until(lambda: control.status().shadows[0].scored == 1, "the shadow scores it")
        assert answer.prediction == 1.0
        log = InferenceLog(server.settings, "toy")
        rows = log.table(columns=["role", "output_prediction", "agreed"]).to_pylist()
    assert {row["role"]: row["output_prediction"] for row in rows} == {"live": 1.0, "shadow": 100.0}
    assert [row["agreed"] for row in rows if row["role"] == "shadow"] == [False]


def test_the_gateway_holds_no_user_code(pack: Pack, serve: Serve) -> None:
    """Nothing of the artifact, and not even scikit-learn, is mapped into the gateway."""
    with serve(pack(times(1))) as server, server.client() as control:
        control.predict({"x": 1.0, "id": "a"})
        (gateway,) = gateways(server)
        mapped = {mapping.path for mapping in gateway.memory_maps()}
    assert not [path for path in mapped if "sklearn" in path or "/scipy/" in path]
