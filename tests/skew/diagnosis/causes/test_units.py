import numpy as np
import pytest

from tests.skew.diagnosis.cases import explained, why

VALUES = np.random.default_rng(4).normal(60, 15, 300).round(3)


@pytest.mark.parametrize(
    ("online", "finding"),
    [
        (VALUES * 1000, "is 1,000 times offline"),
        (VALUES / 60, "minutes and hours"),
        (VALUES * 2.54, "centimetres and inches"),
        (VALUES * 0.4536, "kilograms and pounds"),
        (VALUES * 1.8 + 32, "Celsius and Fahrenheit"),
        ((VALUES - 32) / 1.8, "Celsius and Fahrenheit"),
        (-VALUES, "opposite sign"),
    ],
)
def test_another_unit_is_named(online: object, finding: str) -> None:
    """Factors, powers of ten, degrees and signs, either way round."""
    found = explained(online, VALUES)
    assert [f.proposal.cause for f in found.found] == ["unit change"]
    assert finding in found.found[0].proposal.finding


@pytest.mark.parametrize(
    ("kind", "action"),
    [("feature", "State the unit"), ("step", "the step's code"), ("output", "after the pipeline")],
)
def test_the_advice_is_for_the_side_at_fault(kind: str, action: str) -> None:
    """A client cannot change anything where a step converts."""
    found = explained(VALUES / 60, VALUES, kind)
    assert action in found.found[0].proposal.action


def test_a_unit_and_lost_digits_are_two_causes() -> None:
    """Miles as kilometres, then without decimals."""
    assert why(np.round(VALUES * 1.609344, 1), VALUES) == ["unit change", "rounding"]


def test_a_scaled_column_of_a_step_is_stale_statistics() -> None:
    """A straight line of no known unit, out of a step, is another mean and deviation."""
    z = (VALUES - 60) / 15
    assert why(0.93 * z + 0.11, z, "step") == ["stale scaler statistics"]
    assert why(z + 0.25, z, "step") == ["stale scaler statistics"]


def test_a_shift_by_a_whole_number_is_an_offset() -> None:
    """Counting from one instead of from zero."""
    days = np.arange(300.0) % 7
    assert why(days + 1, days) == ["constant offset"]


def test_a_decimal_comma_drops_as_many_digits_as_there_were() -> None:
    """12.5 becomes 125 and 3.25 becomes 325, while whole numbers stay: no factor, a locale."""
    values = np.round(np.random.default_rng(5).uniform(0, 90, 300), 2)
    values[::4] = np.round(values[::4])
    read = np.array([v if v % 1 == 0 else float(repr(v).replace(".", "")) for v in values.tolist()])
    assert why(read, values) == ["locale"]


def test_a_thousands_separator_read_as_the_decimal_sign() -> None:
    """Only from a thousand on; a unit would change the small ones too."""
    values = np.random.default_rng(6).integers(1, 9_000, 300).astype(float)
    assert why(np.where(values >= 1000, values / 1000, values), values) == ["locale"]


def test_numbers_with_decimals_that_came_out_null() -> None:
    """Text with a comma that a parser could not read."""
    values = np.round(np.random.default_rng(7).uniform(0, 90, 300), 1)
    values[::3] = np.round(values[::3])
    read = np.where(values % 1 == 0, values, np.nan)
    assert why(read, values) == ["locale"]


@pytest.mark.parametrize("factor", [2.5, 0.44, 1.02])
def test_a_factor_near_a_known_one_is_not_called_by_its_name(factor: float) -> None:
    """2.5 is not 2.54, and 0.44 is not 0.4536: the factor is reported without a unit."""
    found = explained(VALUES * factor, VALUES)
    assert [f.proposal.cause for f in found.found] == ["unit change"]
    named = ("centimetres", "kilograms", "pounds", "nautical", "miles")
    assert not any(unit in found.found[0].proposal.finding for unit in named)


def test_a_line_near_a_known_one_is_not_called_by_its_name() -> None:
    """1.85 x + 32 is not the Fahrenheit of x."""
    found = explained(VALUES * 1.85 + 32, VALUES)
    assert not any("Celsius" in f.proposal.finding for f in found.found)


@pytest.mark.parametrize(
    ("online", "causes", "finding"),
    [
        (np.round((VALUES - 32) / 1.8, 1), ["unit change", "rounding"], "Celsius and Fahrenheit"),
        (np.round(VALUES * 1.8 + 32), ["unit change", "rounding"], "1.8 times offline plus 32"),
        (np.trunc(VALUES / 2.54), ["unit change", "truncation"], "centimetres and inches"),
        (np.round(VALUES * 1.19, 2), ["unit change", "rounding"], "is 1.19 times offline"),
    ],
)
def test_a_conversion_and_lost_digits(online: object, causes: list[str], finding: str) -> None:
    """Temperatures with one decimal, and a tax in whole cents."""
    found = explained(online, VALUES)
    assert [f.proposal.cause for f in found.found] == causes
    assert all(f.is_confirmed for f in found.found)
    assert finding in found.found[0].proposal.finding


def test_kelvin_is_a_unit_and_no_offset() -> None:
    """273.15 is known."""
    found = explained(VALUES + 273.15, VALUES).found[0].proposal
    assert found.cause == "unit change"
    assert found.finding == "is 273.15 higher than offline, as between Celsius and Kelvin"


def test_a_factor_of_three_digits_is_not_a_unit_by_its_name() -> None:
    """1.15 is near that of knots and miles per hour, and is as well a tax."""
    assert "knots" not in explained(VALUES * 1.15, VALUES).found[0].proposal.finding


def _without_sign(values: np.ndarray) -> np.ndarray:
    return np.array([float(repr(v).replace(".", "")) for v in values.tolist()])


def test_a_lost_decimal_comma_after_rounding() -> None:
    """Two decimals are written, and the sign between them is lost."""
    full = np.random.default_rng(8).normal(60, 15, 300)
    assert why(_without_sign(full.round(2)), full) == ["locale", "rounding"]


@pytest.mark.parametrize("part", ["late", "some"])
def test_a_comma_that_a_part_of_the_clients_lose_is_no_factor(part: str) -> None:
    """How many digits each number had tells it from 100 times."""
    values = np.random.default_rng(9).normal(60, 15, 300).round(2)
    rows = np.arange(300) > 180 if part == "late" else np.random.default_rng(1).random(300) < 0.3
    (found,) = explained(np.where(rows, _without_sign(values), values), values).found
    assert (found.proposal.cause, found.is_confirmed) == ("locale", True)
    assert not found.is_everywhere


def test_a_thousand_times_on_a_part_of_the_rows_is_a_unit() -> None:
    """Whole numbers have no decimal sign to lose."""
    values = np.random.default_rng(9).integers(1, 120, 300).astype(float)
    rows = np.random.default_rng(1).random(300) < 0.3
    assert why(np.where(rows, values * 1000, values), values) == ["unit change"]


def test_a_line_of_a_raw_feature_is_only_described() -> None:
    """A scaler is in a step: what scales a feature before the model is not known."""
    (found,) = explained(VALUES * 1.7 + 3, VALUES).found
    assert found.proposal.cause == "linear function"
    assert found.proposal.finding == "is 1.7 times offline plus 3"
    assert not found.is_confirmed
