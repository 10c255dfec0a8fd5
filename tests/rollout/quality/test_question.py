from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from msgspec import structs

from gnomon.contract.contract import Output
from gnomon.contract.feature import label_text
from gnomon.errors import PolicyError, RolloutError
from gnomon.policy import Costs, Decision, Policy, QualityRules
from gnomon.rollout.quality.class_texts import class_texts
from gnomon.rollout.quality.question import UNKNOWN, metrics_of, question
from tests.rollout.quality.rows import CLASSIFIER, REGRESSOR

DECIDES = Decision(output="probability_late", threshold=0.3)


def test_the_policy_decides_which_class_is_yes() -> None:
    """The class of the decision's probability is the positive one, else the second of two."""
    assert question(CLASSIFIER, CLASSIFIER, Policy()).positive == 1
    asked = question(CLASSIFIER, CLASSIFIER, Policy(decision=DECIDES))
    assert (asked.positive, asked.truly_yes().tolist()) == (0, [True, False])
    outputs = {
        "prediction": pa.array(["on_time"] * 3),
        "probability_late": pa.array([0.3, 0.29, None]),
        "probability_on_time": pa.array([0.7, 0.71, None]),
    }
    answers = asked.answers(CLASSIFIER, outputs)
    assert answers.decided.tolist() == [1, 0, UNKNOWN]
    assert answers.score is not None
    assert answers.score[:2].tolist() == [0.3, 0.29]


def test_labels_are_read_as_classes_or_numbers() -> None:
    """A null, or text that is no class, is no label."""
    asked = question(CLASSIFIER, CLASSIFIER, Policy())
    truth = asked.truth(pa.array(["on_time", None, "other", "late"]))
    assert truth.codes.tolist() == [1, UNKNOWN, UNKNOWN, 0]
    decision = Decision(output="prediction", threshold=15)
    of_numbers = question(REGRESSOR, REGRESSOR, Policy(decision=decision), spread=100.0)
    truth = of_numbers.truth(pa.array(["15.0", "14.9", None, "nan"]))
    assert truth.codes.tolist() == [1, 0, UNKNOWN, UNKNOWN]
    assert truth.known.tolist() == [True, True, False, False]


@pytest.mark.parametrize("values", [pa.array([1.0, 0.0]), pa.array([1, 0]), pa.array(["1", "0"])])
def test_integer_classes_are_found_however_they_were_logged(values: pa.Array) -> None:
    """Beside an artifact that answers floats or text, the log has them in its type."""
    integers = structs.replace(
        CLASSIFIER, classes=(0, 1), outputs=(Output(name="prediction", type="integer"),)
    )
    asked = question(integers, integers, Policy())
    assert asked.answers(integers, {"prediction": values}).decided.tolist() == [1, 0]


@pytest.mark.parametrize("classes", [(0.0, 1.0), (0, 1), (0.0, 1)])
def test_a_whole_float_is_the_same_class_as_the_integer(classes: tuple[float, ...]) -> None:
    """In labels, predictions, and the names of outputs."""
    names = [f"probability_{label_text(label)}" for label in classes]
    outputs = [Output(name="prediction", type="float")]
    outputs += [Output(name=name, type="float") for name in names]
    floats = structs.replace(CLASSIFIER, classes=classes, outputs=tuple(outputs))
    decision = Decision(output=names[0], threshold=0.5)
    asked = question(floats, floats, Policy(decision=decision))
    assert (asked.classes, asked.positive) == (("0", "1"), 0)
    labels = class_texts(pa.array([1.0, 0.0, None]))
    assert asked.truth(labels).codes.tolist() == [1, 0, UNKNOWN]
    answers = {"prediction": [1.0, 0.0], names[0]: [0.2, 0.9], names[1]: [0.8, 0.1]}
    found = asked.answers(floats, {name: pa.array(values) for name, values in answers.items()})
    assert found.decided.tolist() == [0, 1]
    assert found.probabilities is not None
    assert found.probabilities.tolist() == [[0.2, 0.8], [0.9, 0.1]]
    by_class = question(floats, floats, Policy())
    assert by_class.answers(
        floats, {n: pa.array(v) for n, v in answers.items()}
    ).decided.tolist() == [1, 0]


def test_other_floats_are_found_too() -> None:
    """However large or small, and beside an infinity or a NaN that was answered."""
    classes = (0.1, 1e-5, 1e16, 1e300)
    prediction = Output(name="prediction", type="float")
    floats = structs.replace(CLASSIFIER, classes=classes, outputs=(prediction,))
    asked = question(floats, floats, Policy())
    values = pa.array([*classes, float("inf"), float("nan"), None])
    codes = [0, 1, 2, 3, UNKNOWN, UNKNOWN, UNKNOWN]
    assert asked.answers(floats, {"prediction": values}).decided.tolist() == codes
    assert asked.truth(class_texts(values)).codes.tolist() == codes


def test_the_probability_of_one_of_two_classes_is_enough() -> None:
    """Some models answer that of the second class only."""
    one = structs.replace(CLASSIFIER, outputs=CLASSIFIER.outputs[::2])
    asked = question(one, one, Policy())
    outputs = {"prediction": pa.array(["late"]), "probability_on_time": pa.array([0.2])}
    probabilities = asked.answers(one, outputs).probabilities
    assert probabilities is not None
    assert np.allclose(probabilities, [[0.8, 0.2]])


def test_a_new_class_of_the_shadow_is_one_that_live_never_answers() -> None:
    """Live gives it the probability 0."""
    more = structs.replace(
        CLASSIFIER,
        classes=("late", "on_time", "cancelled"),
        outputs=(*CLASSIFIER.outputs, Output(name="probability_cancelled", type="float")),
    )
    asked = question(CLASSIFIER, more, Policy())
    assert asked.classes == ("late", "on_time", "cancelled")
    assert asked.positive is None
    live = {
        "prediction": pa.array(["late"]),
        "probability_late": pa.array([0.6]),
        "probability_on_time": pa.array([0.4]),
    }
    found = asked.answers(CLASSIFIER, live).probabilities
    assert found is not None
    assert found.tolist() == [[0.6, 0.4, 0.0]]


def test_the_metrics_follow_from_the_outputs_and_the_policy() -> None:
    """Probabilities have scores, numbers have errors, decisions have costs."""
    both = (CLASSIFIER, CLASSIFIER)
    assert metrics_of(question(*both, Policy()), both) == ("error", "brier", "log_loss")
    costs = QualityRules(cost=Costs(false_positive=1, false_negative=5))
    assert metrics_of(question(*both, Policy(quality=costs)), both)[-1] == "cost"
    numbers = (REGRESSOR, REGRESSOR)
    assert metrics_of(question(*numbers, Policy()), numbers) == ()
    found = metrics_of(question(*numbers, Policy(), spread=10.0), numbers)
    assert found == ("absolute_error", "squared_error")


def test_a_metric_that_the_models_do_not_have_is_refused() -> None:
    """With the metrics that they have."""
    policy = Policy(quality=QualityRules(max_increase={"squared_error": 1.0}))
    with pytest.raises(PolicyError, match="expected a metric of these models") as caught:
        question(CLASSIFIER, CLASSIFIER, policy)
    assert caught.value.where == "quality.max_increase.squared_error"
    assert "error, brier, log_loss" in str(caught.value.hint)


def test_answers_of_different_kinds_are_refused() -> None:
    """No label says which of a class and a number is nearer."""
    with pytest.raises(RolloutError, match="live is a model of classification and the shadow of"):
        question(CLASSIFIER, REGRESSOR, Policy())


def test_both_need_the_output_that_is_decided_on() -> None:
    """Without it there is no decision to compare."""
    decision = Decision(output="score", threshold=1)
    with pytest.raises(RolloutError, match="live has no output `score`"):
        question(CLASSIFIER, CLASSIFIER, Policy(decision=decision))
