"""The model of one artifact on the preprocessing of another, of real artifacts in processes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from gnomon.artifact import inspect, load, store, tags
from gnomon.artifact.combining.combination import combine, combined_tag
from gnomon.errors import ArtifactCorrupt, GnomonError, GoldenMismatch, PackRefused
from tests.artifact.conftest import no_preprocessing, reseal
from tests.packing import SCRIPT, Pack, times

pytestmark = pytest.mark.slow

HEAVY = SCRIPT.replace("np.array([1.0])", "np.array([10.0])")
"""The script whose model multiplies by ten."""

NAMED = times(1.0).replace(
    'return X[["x"]] * FACTOR', 'return (X[["x"]] * FACTOR).set_axis(["y"], axis=1)'
)
SINGLE = times(1.0).replace('X[["x"]] * FACTOR', '(X[["x"]] * FACTOR).astype("float32")')
WHOLE = SCRIPT.replace(
    "make_pipeline(Times(), LinearRegression(fit_intercept=False))", "Times()"
).replace("pipeline[-1].coef_ = np.array([1.0])", "")
"""The script that packs the transformer alone."""

OWN_MODEL = """
from sklearn.linear_model import LinearRegression

class Own(LinearRegression):
    pass
"""
OWN = SCRIPT.replace("from preprocessing import Times", "from preprocessing import Own, Times")
OWN = OWN.replace("LinearRegression(fit", "Own(fit")


def answer(tag: str) -> float:
    """The answer for x = 2."""
    with no_preprocessing():
        rows = load(tag).predict(pd.DataFrame({"x": [2.0], "id": ["a"]}))
    return float(rows.column("prediction")[0].as_py())


def test_each_half_comes_from_its_artifact(pack: Pack) -> None:
    """The code of the preprocessing, the fitted model of the other, and both in the manifest."""
    light, heavy = pack(times(1.0)), pack(times(3.0), script=HEAVY)
    exchanged, back = combine(heavy, light), combine(light, heavy)
    assert answer(light) == 2
    assert answer(heavy) == 2 * 3 * 10
    assert answer(exchanged.tag) == 2 * 10
    assert answer(back.tag) == 2 * 3
    combination = exchanged.manifest.combination
    assert combination is not None
    assert (combination.model.tag, combination.model.digest) == (heavy, inspect(heavy).digest)
    assert combination.preprocessing.digest == inspect(light).digest
    code = inspect(light).manifest.code_of("preprocessing")
    assert exchanged.manifest.code_of("preprocessing") == code


def test_it_is_made_once_and_is_never_the_newest(pack: Pack) -> None:
    """Its tag follows from both versions; a name alone still means a version that was trained."""
    one, two = pack(times(1.0)), pack(times(3.0))
    newest = inspect("toy").tag
    made = combine(two, one)
    assert made.tag == combined_tag(inspect(two), inspect(one))
    assert combine(two, one).digest == made.digest
    assert inspect("toy").tag == newest
    assert tags("toy")[-1] == made.tag
    (store.models() / "toy" / "latest").unlink(missing_ok=True)
    assert inspect("toy:latest").tag in (one, two)


@pytest.mark.parametrize(
    ("source", "script", "why"),
    [
        (NAMED, SCRIPT, "it does not give `x`, which the model needs; it gives `y`"),
        (SINGLE, SCRIPT, "`x` is float32, and the model was fitted on float64"),
    ],
)
def test_what_does_not_fit_is_named(pack: Pack, source: str, script: str, why: str) -> None:
    """The column, and what is expected of it; nothing is left in the store."""
    other = pack(source, script=script)
    live = pack(times(1.0))
    with pytest.raises(PackRefused, match=why):
        combine(live, other)
    assert len(tags("toy")) == 2


def test_an_artifact_without_halves_is_named(pack: Pack) -> None:
    """A transformer alone has no model that could be exchanged."""
    whole, live = pack(times(1.0), script=WHOLE), pack(times(1.0))
    with pytest.raises(PackRefused, match="got Times, which cannot be split") as caught:
        combine(live, whole)
    assert caught.value.where == whole


def test_code_that_both_halves_import_must_be_the_same(pack: Pack) -> None:
    """Else one of them would run the other's; the same code is fine."""
    one, two = (pack(times(factor) + OWN_MODEL, script=OWN) for factor in (1.0, 3.0))
    heavy = OWN.replace("np.array([1.0])", "np.array([10.0])")
    with pytest.raises(PackRefused, match="import `preprocessing`, and its code is not the same"):
        combine(one, two)
    other = pack(times(1.0) + OWN_MODEL, script=heavy)
    assert answer(combine(other, one).tag) == 20


def test_a_half_that_no_longer_gives_what_was_recorded_is_refused(pack: Pack) -> None:
    """Both are verified before anything is exchanged."""
    live, other = pack(times(1.0)), pack(times(3.0))
    folder = store.resolve(other)
    code = folder / "code" / "preprocessing.py"
    code.write_text(code.read_text().replace("FACTOR = 3.0", "FACTOR = 4.0"))
    with pytest.raises(ArtifactCorrupt):
        combine(live, other)
    reseal(folder)
    with pytest.raises(GoldenMismatch, match="step `times`, column `x`"):
        combine(live, other)


def test_what_makes_no_sense_is_refused_without_a_process(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own preprocessing, a combined artifact again, and versions of another model."""
    one, two = pack(times(1.0)), pack(times(3.0))
    made = combine(one, two).tag
    other_model = pack(times(1.0), name="other")
    monkeypatch.setattr("gnomon.artifact.combining.combination.ask", None)
    for model, preprocessing, why in (
        (one, one, "its own already"),
        (made, two, "itself combined: the model of"),
        (one, other_model, "not versions of one model"),
    ):
        with pytest.raises(PackRefused, match=why):
            combine(model, preprocessing)


def test_another_artifact_under_its_tag_is_not_taken_for_it(pack: Pack) -> None:
    """The digests of both are compared."""
    one, two = pack(times(1.0)), pack(times(3.0))
    made = combine(one, two)
    reseal(made.path, combination=None)
    with pytest.raises(PackRefused, match=r"another .*, which is not of these two"):
        combine(one, two)


def test_an_artifact_is_combined_where_it_is(pack: Pack, tmp_path: Path) -> None:
    """A path is as good as a tag."""
    one, two = pack(times(1.0)), pack(times(3.0))
    assert answer(combine(store.resolve(one), store.resolve(two)).tag) == 6


def test_a_process_that_dies_is_not_a_verdict(pack: Pack) -> None:
    """The error says that it ended, and what it printed."""
    live, other = pack(times(1.0)), pack(times(3.0))
    folder = store.resolve(other)
    (folder / "code" / "preprocessing.py").write_text(
        "import os\nos.write(2, b'out of cheese')\nos._exit(9)\n"
    )
    reseal(folder)
    with pytest.raises(GnomonError, match=r"status 9.*out of cheese"):
        combine(live, other)
