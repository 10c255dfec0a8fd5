"""Models of every kind of input behind one real server: served, shadowed, replayed and compared."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

import gnomon
from gnomon.errors import InvalidRequest
from gnomon.service.client.clients import Client
from gnomon.settings import Settings
from gnomon.testing import Server, serving
from tests.cli.running import Shell
from tests.forking import run_python
from tests.load import until
from tests.packing import write_service
from tests.service.inputs import PACK, PREPROCESSING

pytestmark = pytest.mark.slow

ROWS = 24
NAMES = [
    *("prediction", "probability_0", "error", "row", "rows", "request_id", "client_id", "arrived"),
    *("_position", "moment", "outcome", "scale/prediction", "input/row", "difference", "flipped"),
]
"""Features called as outputs, columns of the log, steps and our own tables are."""


def names(n: int) -> dict[str, Any]:
    """A record of the model whose features are called like columns of ours."""
    return {name: (n * (k + 3) % 7) - 3.0 for k, name in enumerate(NAMES)} | {"customer": f"k{n}"}


def clock(n: int, notation: int) -> str:
    """The same instant in the notations of Berlin, London and New York."""
    berlin = dt.datetime(2020, 2, 3, n % 24, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    if notation == 0:
        return berlin.isoformat()
    if notation == 1:
        return berlin.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return berlin.astimezone(dt.timezone(dt.timedelta(hours=-5))).isoformat()


def types(n: int) -> dict[str, Any]:
    """A record with a field of every type."""
    return {
        "i8": n,
        "f32": n / 48,
        "level": n % 3 if n else None,
        "band": ["(-0.047, 11.75]", "(11.75, 23.5]", "(23.5, 35.25]", "(35.25, 47.0]"][n * 4 // 48],
        "arrow": n if n % 5 else None,
        "day": f"2020-02-{n % 28 + 1:02d}",
        "price": f"{n / 4:.2f}",
        "pixels": [n, n + 1, n + 2.5, 0],
        "tags": ["t"] * (n % 4),
        "clock": clock(n, n % 3),
        "customer": f"k{n}",
        "at": f"2024-01-01T{n % 24:02d}:00:00Z",
    }


def series(n: int) -> dict[str, Any]:
    """A record of one text."""
    return {"body": f"word{n % 7} and a new one"}


def records(n: int) -> dict[str, Any]:
    """A record that leaves keys out."""
    fields = {"city": f"c{n % 5}", "size": float(n), "old": True}
    return {key: value for k, (key, value) in enumerate(fields.items()) if (n + k) % 3}


def array(n: int) -> dict[str, Any]:
    """A record of the columns of a matrix, in another order than the matrix has them."""
    return {"depth": n % 3, "width": float(n), "height": n % 5}


def values(n: int) -> dict[str, Any]:
    """A record of a transformer, whose outputs are called as its features are."""
    return {"error": float(n), "row": n / 2}


def nulls(n: int) -> dict[str, Any]:
    """A record with a null in a column of each of pandas' types of text, and in one of numbers."""
    city = f"c{n % 5}" if n % 4 else None
    age = float(n) if n % 3 else None
    return {"city": city, "old_city": city, "code": f"c{n}" if n % 2 else None, "age": age}


KINDS = {
    "names": names,
    "types": types,
    "values": values,
    "series": series,
    "records": records,
    "array": array,
    "nulls": nulls,
}


@dataclass(frozen=True)
class Served:
    """A server, and a command line beside it."""

    server: Server
    shell: Shell
    settings: Settings
    asked: str
    """When each kind had been asked; what other tests ask came later."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server, whose live artifact is of each kind in turn, and its own shadow."""
    place = tmp_path_factory.mktemp("inputs")
    home, root, deployment = place / "bentoml", place / "root", place / "deployment"
    deployment.mkdir()
    (deployment / "preprocessing.py").write_text(PREPROCESSING)
    (deployment / "pack.py").write_text(PACK)
    own = {k: v for k, v in os.environ.items() if not k.startswith("GNOMON_")}
    environment = {"BENTOML_HOME": str(home), "GNOMON_ROOT": str(root)}
    packed = run_python(["pack.py"], cwd=deployment, env={**own, **environment})
    assert packed.returncode == 0, packed.stderr
    write_service(deployment, '"any"')
    shell = Shell(deployment, environment)
    shell("promote", "any:names")
    with serving(deployment, root, environment=environment) as server, server.client() as client:
        for kind, record in KINDS.items():
            ask(client, kind, record)
        asked_at = dt.datetime.now(dt.UTC).isoformat()
        yield Served(server, shell, server.settings, asked_at)


def ask(client: Client, kind: str, record: Any) -> None:
    """Make a kind live and its own shadow, ask it, and wait until both are compared."""
    for shadow in client.status().shadows:
        client.stop_shadow(shadow.artifact)
    live = f"any:{kind}"
    make_live(client, live)
    client.start_shadow(live, same=True)
    answers = client.predict([record(n) for n in range(ROWS)])
    assert [answer.error for answer in answers] == [None] * ROWS
    alone = [client.predict(record(n)) for n in range(3)]
    for single, among in zip(alone, answers, strict=False):
        assert single.prediction == pytest.approx(among.prediction)
        assert single.values == pytest.approx(among.values)
    until(lambda: compared(client, live) == ROWS + 3, "the shadow is compared", 60)


def make_live(client: Client, tag: str) -> None:
    """Promote an artifact, unless another test has, and wait until it answers."""
    status = client.status()
    if status.live.artifact != tag:  # type: ignore[union-attr]
        if tag not in {shadow.artifact for shadow in status.shadows}:  # A promotion made it one.
            client.start_shadow(tag, force=True)
        client.promote(tag, force=True)
    until(lambda: client.status().live.artifact == tag, "it is live", 60)  # type: ignore[union-attr]


def compared(client: Client, tag: str) -> int:
    """How many rows of a shadow were compared with live's."""
    return sum(s.compared for s in client.status().shadows if s.artifact == tag)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_served_and_shadowed_is_replayed(served: Served, kind: str) -> None:
    """Every row of both, from the body it came in, through the pipeline's own input."""
    for role in ("live", "shadow") if kind == "types" else ("live",):
        report = served.shell("replay", f"any:{kind}", "--role", role, "--json").json
        assert report["verdict"] == "ok", report
        assert report["divergence"]["rows"] == 0
        assert report["divergence"]["of"] >= ROWS + 3
        assert {c["kind"] for c in report["columns"]} == {"feature", "output"}


def test_nulls_of_every_kind_are_one_null(served: Served, tmp_path: Path) -> None:
    """A frame, its records with pandas' own nulls, a stream, a file and JSON have one answer."""
    plain = [nulls(n) for n in range(ROWS)]
    frame = pd.DataFrame(plain).convert_dtypes()
    frame["code"] = frame["code"].astype(object)
    file, scored = tmp_path / "rows.parquet", tmp_path / "scored.parquet"
    frame.to_parquet(file)
    with served.server.client() as client:
        make_live(client, "any:nulls")
        expected = [answer.prediction for answer in client.predict(plain)]
        for rows in (frame, frame.to_dict("records")):
            assert [answer.prediction for answer in client.predict(rows)] == expected
            for stream in (client.predict_stream(rows), client.predict_stream(iter([rows]))):
                assert [answer.prediction for answer in stream] == expected
        for batches in (frame, frame.to_dict("records"), file):
            answers = [value for b in client.predict_batches(batches) for value in b["prediction"]]
            assert [value.as_py() for value in answers] == expected
    served.shell("score", "any:nulls", str(file), "--out", str(scored))
    assert pd.read_parquet(scored)["prediction"].tolist() == expected


def test_features_called_like_columns_of_ours_are_told_from_them(
    served: Served, tmp_path: Path
) -> None:
    """A file's ``prediction`` is the output; ``input/prediction`` is the feature of that name."""
    first = pd.DataFrame([names(n) for n in range(ROWS)])
    answers = served.shell(
        "log",
        "sql",
        "SELECT input_customer, output_prediction, output_probability_0 FROM log "
        "WHERE artifact = 'any:names' AND role = 'live' ORDER BY arrived, row",
        "--json",
    ).json[:ROWS]
    table = pd.DataFrame(
        {
            "customer": first["customer"],
            "prediction": [row["output_prediction"] for row in answers],
            "probability_0": [row["output_probability_0"] for row in answers],
            "input/prediction": first["prediction"],
            "input/input/row": first["row"],
            "input/row": first["input/row"],
            "error": first["error"],
        }
    )
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    table.to_csv(good, index=False)
    table.assign(**{"input/prediction": table["input/prediction"] + 1}).assign(
        probability_0=1 - table["probability_0"]
    ).to_csv(bad, index=False)
    report = served.shell("compare", "any:names", "--table", str(good), "--json").json
    columns = {c["name"]: c["kind"] for c in report["columns"]}
    assert report["verdict"] == "ok"
    assert columns["prediction"] == "output"
    assert columns["input/prediction"] == columns["input/row"] == columns["error"] == "feature"
    report = served.shell("diagnose", "any:names", "--table", str(bad), "--json", expect=1)
    differing = {c["name"] for c in report.json["columns"] if c["diverged"]}
    assert differing == {"probability_0", "input/prediction"}


def test_a_file_is_scored_and_compared_with_the_log(served: Served, tmp_path: Path) -> None:
    """The file has the names that ``gnomon score`` gives, and ``gnomon compare`` takes it."""
    rows, out = tmp_path / "rows.csv", tmp_path / "scored.csv"
    pd.DataFrame([names(n) for n in range(ROWS)]).to_csv(rows, index=False)
    keep = [word for name in ("customer", "prediction", "error") for word in ("--keep", name)]
    served.shell("score", "any:names", str(rows), "--out", str(out), *keep)
    scored = pd.read_csv(out)
    assert list(scored.columns)[:4] == ["customer", "input/prediction", "input/error", "prediction"]
    report = served.shell("compare", "any:names", "--table", str(out), "--json").json
    assert report["verdict"] == "ok"
    assert report["coverage"]["compared"] >= ROWS


def test_lists_dates_and_decimals_are_compared_and_diagnosed(
    served: Served, tmp_path: Path
) -> None:
    """A Parquet file has them as they are; where one differs, it is named."""
    rows = [types(n) for n in range(ROWS)]
    frame = pd.DataFrame(
        {
            "customer": [row["customer"] for row in rows],
            "day": [dt.date.fromisoformat(row["day"]) for row in rows],
            "price": [Decimal(row["price"]) for row in rows],
            "pixels": [[float(pixel) for pixel in row["pixels"]] for row in rows],
            "tags": [row["tags"] for row in rows],
            "level": pd.array([row["level"] for row in rows], dtype="Int64"),
            "prediction": float("nan"),
        }
    )
    query = (
        "SELECT input_customer AS customer, any_value(output_prediction) AS prediction FROM log "
        f"WHERE artifact = 'any:types' AND role = 'live' AND arrived < '{served.asked}' "
        "GROUP BY ALL"
    )
    predictions = {
        r["customer"]: r["prediction"] for r in served.shell("log", "sql", query, "--json").json
    }
    frame["prediction"] = frame["customer"].map(predictions)
    good, bad = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    frame.to_parquet(good)
    until_then = "--end", served.asked, "--json"
    report = served.shell("compare", "any:types", "--table", str(good), *until_then).json
    assert report["verdict"] == "ok"
    assert {c["name"] for c in report["columns"]} >= {"day", "price", "pixels", "tags", "level"}
    frame["pixels"] = [[pixels[0] + 100, *pixels[1:]] for pixels in frame["pixels"]]
    frame["price"] = [price + 1 for price in frame["price"]]
    frame["day"] = [day + dt.timedelta(days=1) for day in frame["day"]]
    frame["prediction"] += 5.0
    frame.to_parquet(bad)
    diagnosis = served.shell(
        "diagnose", "any:types", "--table", str(bad), *until_then, expect=1
    ).json
    differing = {c["name"] for c in diagnosis["columns"] if c["diverged"]}
    assert differing == {"prediction", "pixels", "price", "day"}


@pytest.mark.parametrize("kind", ["names", "types"])
def test_drift_and_check_accept_features_named_like_columns(served: Served, kind: str) -> None:
    """Each column is counted in its own name space."""
    drift = served.shell("drift", f"any:{kind}", "--json", expect=None)
    assert drift.code in (0, 1)
    columns = {(column["kind"], column["name"]) for column in drift.json["columns"]}
    assert {("input", name) for name in KINDS[kind](1)} <= columns
    assert ("output", "prediction") in columns
    checked = served.shell("check", f"any:{kind}", "--role", "live", "--json", expect=None)
    assert checked.code in (0, 1)
    broken = {f["feature"] for f in checked.json["findings"] if f["level"] == "broken"}
    assert broken <= {"day", "price", "pixels"}  # as another test sends them, to be refused


def test_a_list_of_another_length_is_refused_with_its_length(served: Served) -> None:
    """A field that no record has is counted, as always."""
    with served.server.client() as client:
        make_live(client, "any:types")
        with pytest.raises(InvalidRequest, match="array of 4 float items, got an array of 3"):
            client.predict({**types(1), "pixels": [1, 2, 3]})
        with pytest.raises(InvalidRequest, match="decimal of 2 digits after the point"):
            client.predict({**types(1), "price": "1.234"})
        with pytest.raises(InvalidRequest, match="expected date"):
            client.predict({**types(1), "day": "31.1.2020"})
        assert client.predict({**types(1), "price": 0.25}).prediction is not None
    document = httpx.get(f"{served.server.url}/docs.json").json()
    described = document["components"]["schemas"]["Record"]["properties"]
    assert described["pixels"]["minItems"] == described["pixels"]["maxItems"] == 4
    assert described["day"]["format"] == "date"
    assert "not given to the model" in described["customer"]["description"]


def test_equal_instants_with_other_offsets_are_equal(served: Served) -> None:
    """The same answer, and the same value in the log, on the fast way and on the careful one."""
    with served.server.client() as client:
        ask(client, "types", types)
        for extra in ({}, {"beyond the contract": 1}):
            sent = [
                {**types(7), "clock": clock(7, k), "customer": "one", **extra} for k in range(3)
            ]
            alone = [client.predict(record) for record in sent]
            together = client.predict(sent)
            assert len({answer.prediction for answer in [*alone, *together]}) == 1
        query = (
            "SELECT DISTINCT input_clock FROM log WHERE artifact = 'any:types' "
            "AND role = 'live' AND input_customer = 'one'"
        )
        assert len(served.shell("log", "sql", query, "--json").json) == 1


def test_the_log_is_sealed_and_read_with_every_type(served: Served) -> None:
    """Lists, dates and decimals come out of the table as they went into the segments."""
    served.shell("log", "seal")
    query = "SELECT input_pixels, input_day, input_price FROM log WHERE artifact = 'any:types'"
    with_types = gnomon.open_log("any", settings=served.settings).sql(query)
    assert with_types.num_rows >= ROWS
