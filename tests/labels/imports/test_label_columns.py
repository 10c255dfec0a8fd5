"""Which column of a file is which field of a label."""

from __future__ import annotations

import pytest

from gnomon.contract.contract import Contract
from gnomon.errors import TableError
from gnomon.labels.imports.label_columns import LabelColumns
from tests.labels.labelled_log import CONTRACT, TIMELESS, TWO_TARGETS


def found(*names: str, contract: Contract = CONTRACT, **given: str) -> LabelColumns:
    columns = {name.replace("__", "."): column for name, column in given.items()}
    return LabelColumns.find(names, contract, columns, "labels.csv")


def test_columns_have_the_names_of_their_fields() -> None:
    """Request ids take precedence over the entity key."""
    columns = found("request_id", "row", "label", "source", "customer", "asked")
    assert columns.fields == {"request_id": "request_id", "row": "row", "source": "source"}
    assert (columns.entity, columns.values) == ({}, {None: "label"})
    columns = found("customer", "asked", "value")
    assert columns.fields == {"event_time": "asked"}
    assert (columns.entity, columns.values) == ({"customer": "customer"}, {None: "value"})
    assert found("customer", "event_time", "value", contract=TIMELESS).entity


def test_others_are_given() -> None:
    """By field."""
    columns = found("client", "when", "late", value="late", entity__customer="client",
                    event_time="when")  # fmt: skip
    assert columns.names == ["when", "client", "late"]
    columns = found("id", "a", "gate", contract=TWO_TARGETS, request_id="id", value__late="a")
    assert columns.values == {"late": "a", "gate": "gate"}


@pytest.mark.parametrize(
    ("names", "given", "says"),
    [
        (["request_id"], {}, "expected a column with the labels at labels.csv. give"),
        (["label"], {}, "expected a column `request_id`, or columns of the entity key"),
        (["customer", "label"], {}, "and of the event time at labels.csv"),
        (["id", "label"], {}, "give --column request_id=COLUMN (and --column row=COLUMN, if "
         "requests have many rows), or --column entity.customer=COLUMN --column event_time=COLUMN; "
         "the file has id, label"),
        (["request_id", "label", "label"], {}, "expected one column `label`, got 2"),
        (["request_id", "label", "value"], {}, "one column for `value`, got value, label"),
        (["request_id", "label"], {"value": "lable"}, "expected the column `lable` for `value`"),
        (["request_id", "label"], {"vlaue": "label"}, "expected a field of a label, got `vlaue`"),
        (["id", "label"], {"vlaue": "label"}, "did you mean `value`? the fields are value, "
         "request_id, row, entity.customer, event_time, known_at, source, correction"),
        (["request_id", "label"], {"event_time": "label"}, "for a file without request ids"),
        (["customer", "n", "asked", "label"], {"row": "n"}, "give --column request_id=COLUMN"),
        (["request_id;label"], {}, "seem to be separated by semicolons: write the file with"),
        (["id\tlabel"], {"value": "label"}, "separated by tabs"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_with_the_columns_that_there_are(
    names: list[str], given: dict[str, str], says: str
) -> None:
    """And with the option that would help."""
    with pytest.raises(TableError) as caught:
        found(*names, **given)
    assert says.lower() in str(caught.value).lower()
