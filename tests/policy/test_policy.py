import math
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from gnomon.errors import PolicyError
from gnomon.policy import Comparator, Decision, DriftLimits, Policy, QualityRules, policy

OUTPUTS = pa.schema(
    [("prediction", pa.int64()), ("probability_0", pa.float64()), ("probability_1", pa.float64())]
)


def read(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return Policy.read(path)


def test_an_empty_file_is_the_default_policy(tmp_path: Path) -> None:
    """Every key has a default, so an empty file and no file mean the same."""
    assert read(tmp_path, "") == Policy()


def test_all_tables_are_read(tmp_path: Path) -> None:
    """Each table of the file reaches the policy, integers standing for floats where they may."""
    policy = read(
        tmp_path,
        """
        [sampling]
        fraction = 1
        [decision]
        output = "probability_1"
        threshold = 0.3
        [compare."probability_*"]
        absolute = 0.02
        [skew.hour]
        ulps = 4
        [gates]
        min_rows = 5
        max_flips = 0.01
        [drift]
        psi = 0.1
        new = inf
        ignore = ["*/hour"]
        """,
    )
    assert policy.sampling.fraction == 1.0
    assert policy.decision == Decision(output="probability_1", threshold=0.3)
    assert policy.compare["probability_*"].absolute == 0.02
    assert policy.skew["hour"].ulps == 4
    assert (policy.gates.min_rows, policy.gates.max_flips) == (5, 0.01)
    assert (policy.drift.psi, policy.drift.new, policy.drift.js) == (0.1, math.inf, 0.2)
    assert policy.drift.ignores("columns/hour")
    assert not policy.drift.ignores("hour")


def test_the_limits_of_drift_are_one_effect_in_four_measures() -> None:
    """Half a standard deviation of a normal distribution reaches them all, to a tenth."""
    places = np.linspace(-12.0, 12.0, 200_001)
    one, other = (stats.norm(mean).pdf(places) for mean in (0.0, 0.5))
    drift, step = DriftLimits(), places[1] - places[0]
    assert (entropy(one, other) + entropy(other, one)) == pytest.approx(drift.psi, rel=0.1)
    assert jensenshannon(one, other, base=2) == pytest.approx(drift.js, rel=0.1)
    gap = np.abs(np.cumsum(one - other)) * step
    assert gap.max() == pytest.approx(drift.ks, rel=0.1)
    assert gap.sum() * step == pytest.approx(drift.wasserstein, rel=0.1)


def test_defaults_follow_the_outputs_type() -> None:
    """A class label must be equal; probabilities of two artifacts may lie 0.05 apart."""
    rules = Policy().rules(OUTPUTS, outputs={"prediction": "label"})
    assert rules.comparators["prediction"] == Comparator(kind="label")
    assert rules.comparators["probability_1"] == Comparator(kind="probability", absolute=0.05)
    assert rules.decides == {"prediction": None}


def test_one_artifact_may_only_round_differently() -> None:
    """Online against offline tolerates rounding and nothing else."""
    rules = Policy().rules(OUTPUTS, outputs={"prediction": "label"}, same=True)
    assert rules.comparators["probability_1"] == Comparator(
        kind="probability", absolute=1e-12, relative=1e-9
    )


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        (pa.float64(), "number"),
        (pa.int64(), "number"),
        (pa.timestamp("us", "UTC"), "number"),
        (pa.string(), "label"),
        (pa.bool_(), "label"),
    ],
)
def test_a_features_kind_follows_its_arrow_type(type_: pa.DataType, kind: str) -> None:
    """Whatever can be subtracted is a number; other values are equal or not."""
    rules = Policy().rules(pa.schema([("x", type_)]))
    assert rules.comparators["x"].kind == kind


@pytest.mark.parametrize(
    ("said", "type_", "kind"),
    [
        ("label", pa.float64(), "label"),
        ("number", pa.int64(), "number"),
        (None, pa.int64(), "label"),
        (None, pa.float64(), "number"),
    ],
)
def test_the_contract_says_what_a_prediction_is(
    said: str | None, type_: pa.DataType, kind: str
) -> None:
    """Only the contract distinguishes a class that is a number from a measured number."""
    outputs: Any = None if said is None else {"prediction": said}
    rules = Policy().rules(pa.schema([("prediction", type_)]), outputs=outputs)
    assert rules.comparators["prediction"].kind == kind


def test_every_predicted_label_decides() -> None:
    """Of a model of several targets a row flips with any of its labels; scores decide nothing."""
    schema = pa.schema(
        [("prediction_a", pa.int64()), ("prediction_b", pa.string()), ("score_a", pa.float64())]
    )
    outputs: Any = {"prediction_a": "label", "prediction_b": "label", "score_a": "number"}
    rules = Policy().rules(schema, outputs=outputs)
    assert rules.decides == {"prediction_a": None, "prediction_b": None}
    assert rules.comparators["score_a"].kind == "number"


def test_an_exact_name_wins_over_a_pattern(tmp_path: Path) -> None:
    """Patterns set the rule for many columns; a column's own table overrides them."""
    policy = read(
        tmp_path, '[compare."probability_*"]\nabsolute = 0.1\n[compare.probability_0]\nulps = 2\n'
    )
    rules = policy.rules(OUTPUTS)
    assert rules.comparators["probability_0"] == Comparator(kind="probability", ulps=2)
    assert rules.comparators["probability_1"] == Comparator(kind="probability", absolute=0.1)


def test_an_ignored_column_is_not_compared(tmp_path: Path) -> None:
    """`ignore` takes a column out of the comparison."""
    rules = read(tmp_path, '[compare.prediction]\nkind = "ignore"\n').rules(OUTPUTS)
    assert list(rules.comparators) == ["probability_0", "probability_1"]
    assert rules.decides == {}


@pytest.mark.parametrize(
    ("text", "message", "where", "hint"),
    [
        ("[gates]\nmax_dis = 1", "unknown field `max_dis`", ": gates", "max_disagreement"),
        ("[gate]", "unknown field `gate`", "policy.toml", "sampling, decision"),
        ("[compare.x]\nabs = 1", "unknown field `abs`", ": compare", "absolute"),
        ("[gates]\nmin_rows = 'many'", 'expected `int`, got "many"', ": gates.min_rows", None),
        ("[gates]\nmax_failed = 2", "between 0 and 1, got 2", ": gates", None),
        ("[gates]\nconfidence = 1.0", "from 0.5 to below 1, got 1.0", ": gates", None),
        ("[sampling]\nfraction = 0", "above 0 and up to 1, got 0", ": sampling", None),
        ("[compare.x]\nabsolute = -1", "`absolute` to be 0 or more", ": compare", None),
        ("[compare.x]\nkind = 'labl'", 'got "labl"', ': compare["x"].kind', '"label"?'),
        ("[compare.x]\nkind = 'label'\nulps = 1", "no meaning for kind `label`", "compare", None),
        ("[decision]\noutput = 'p'", "expected the key `threshold`", ": decision", None),
        ("[quality]\nmax_increase = {bier = 0.1}", "one of error, brier", ": quality", None),
        (
            "[quality]\nmax_increase = {brier = inf}",
            "a finite `max_increase.brier`",
            "quality",
            None,
        ),
        ("[quality]\nmax_increase = {cost = 1}", "expected `cost` beside", ": quality", None),
        ("[quality]\nmaturity_days = -1", "`maturity_days` to be 0 or more", ": quality", None),
        ("[quality]\nmax_error = 0", "`max_error` above 0, got 0", ": quality", None),
        ("[quality]\nmin_probability = 0.5", "below 0.5, got 0.5", ": quality", None),
        (
            "[quality]\ncost = {false_positive = 0, false_negative = 0}",
            "a cost above 0",
            ": quality.cost",
            None,
        ),
        ("[quality]\nmissing = 'worst'", '"worst_case", got "worst"', ": quality.missing", None),
        ("[drift]\nsi = 1", "unknown field `si`", ": drift", "psi"),
        ("[drift]\npsi = 0", "`psi` above 0, got 0", ": drift", None),
        ("[drift]\npsi = nan", "`psi` above 0, got nan", ": drift", None),
        ("gates = ", "not TOML", "policy.toml", None),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, text: str, message: str, where: str, hint: str | None
) -> None:
    """A bad policy says what was expected, where, and for a mistyped key which keys there are."""
    with pytest.raises(PolicyError) as caught:
        read(tmp_path, text)
    assert message in caught.value.message
    assert where in (caught.value.where or "")
    assert (hint is None) == (caught.value.hint is None)
    assert hint is None or hint in (caught.value.hint or "")


def test_a_missing_policy_file_is_named(tmp_path: Path) -> None:
    """A path that does not exist is a PolicyError, not a traceback."""
    with pytest.raises(PolicyError, match="No such file"):
        Policy.read(tmp_path / "none.toml")


NAMED = pa.schema([("prediction", pa.string()), ("probability_late", pa.float64())])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[decision]\noutput = "probability_lte"\nthreshold = 0.3',
         r"`a:1` has no output `probability_lte`.*decision\.output.*prediction, probability_late"),
        ('[decision]\noutput = "prediction"\nthreshold = 0.3',
         r"a threshold can be applied to.*string.*its numbers are probability_late"),
        ('[compare.predction]\nkind = "label"',
         r"no column `predction` at compare\.\"predction\".*prediction, probability_late"),
        ('[compare."probabilty_*"]\nabsolute = 0.001', r"no column `probabilty_\*`"),
        ("[compare.hour]\nabsolute = 1", r"no column `hour` at compare"),
        ("[skew.minute]\nabsolute = 1", r"no column `minute` at skew.*hour, clock/hour"),
    ],
)  # fmt: skip
def test_a_name_that_the_artifact_does_not_have_is_refused(
    tmp_path: Path, text: str, says: str
) -> None:
    """The error lists the names that exist: a rule for another column would have no effect, also
    on a gate.
    """
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=says):
        Policy.read(path).check_names("a:1", NAMED, ["hour", "clock/hour"])


@pytest.mark.parametrize(
    "text",
    [
        "", '[decision]\noutput = "probability_late"\nthreshold = 0.3', '[compare."*"]\nulps = 1',
        "[skew.hour]\nabsolute = 1", '[skew."clock/*"]\nabsolute = 1',
    ],
)  # fmt: skip
def test_a_name_that_the_artifact_has_is_taken(tmp_path: Path, text: str) -> None:
    """The name is of an output; in [skew] it may be of a feature or of a step's column."""
    path = tmp_path / "policy.toml"
    path.write_text(text)
    Policy.read(path).check_names("a:1", NAMED, ["hour", "clock/hour"])


def test_gates_of_labels_share_the_allowed_error() -> None:
    """Two beside the three of the defaults: each interval has a fifth of it."""
    with_labels = Policy(quality=QualityRules(max_increase={"brier": 0.0, "error": 0.0}))
    assert Policy().confidence_of_each(1) == pytest.approx(1 - 0.05 / 3)
    assert with_labels.confidence_of_each(1) == pytest.approx(0.99)


def test_off_unsets_a_gate(tmp_path: Path) -> None:
    """TOML has no null. Those that have no unset refuse it, and nothing else unsets."""
    path = tmp_path / "policy.toml"
    path.write_text('[gates]\nmax_failed = "off"\nmin_coverage = "off"\nmax_lag_rows = "off"')
    gates = Policy.read(path).gates
    assert (gates.max_failed, gates.min_coverage, gates.max_lag_rows) == (None, None, None)
    assert gates.max_disagreement == 0.05
    for wrong in (
        'min_rows = "off"',
        'confidence = "off"',
        'max_failed = "on"',
        "max_failed = false",
    ):
        path.write_text(f"[gates]\n{wrong}")
        with pytest.raises(PolicyError, match=wrong.split()[0]):
            Policy.read(path)


def test_the_example_in_the_docstring_is_a_policy(tmp_path: Path) -> None:
    """It can be copied into a file."""
    assert policy.__doc__ is not None
    example = [line[4:] for line in policy.__doc__.splitlines() if line.startswith("    ")]
    file = tmp_path / "policy.toml"
    file.write_text("\n".join(example))
    read = Policy.read(file)
    assert (read.sampling.fraction, read.gates.min_rows, read.drift.psi) == (0.25, 5000, 0.25)


def test_a_policy_is_for_models_of_every_kind(tmp_path: Path) -> None:
    """A rule for probabilities has no effect on a model without; a misspelt one is refused."""
    number = pa.schema([("prediction", pa.float64())])
    policy = read(
        tmp_path, '[compare."probability_*"]\nabsolute = 0.2\n[skew."score_*"]\nulps = 2\n'
    )
    policy.check_names("m:1", number, ["a"])
    assert policy.rules(number).comparators["prediction"].kind == "number"
    misspelt = read(tmp_path, '[compare."probabilty_*"]\nabsolute = 0.2\n')
    with pytest.raises(PolicyError, match="no column `probabilty_\\*`"):
        misspelt.check_names("m:1", number)


def test_the_policy_of_a_new_deployment_fits_a_model_of_numbers() -> None:
    """`gnomon init` writes one for the first model, and the user's own is put in its place."""
    skeleton = files("gnomon.cli") / "skeleton" / "shadow" / "policy.toml.tmpl"
    with as_file(skeleton) as path:
        policy = Policy.read(path)
    number = pa.schema([("prediction", pa.float64())])
    policy.check_names("m:1", number)
    assert policy.rules(number).comparators["prediction"] == Comparator(
        kind="number", relative=0.01
    )
    assert policy.rules(OUTPUTS).comparators["prediction"].kind == "label"
