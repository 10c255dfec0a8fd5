"""Which column of a file holds which field of a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gnomon.contract.contract import Contract
from gnomon.errors import TableError
from gnomon.labels.targets import targets_of
from gnomon.name_lists import did_you_mean, listed

__all__ = ["LabelColumns"]

_OPTIONAL = ("known_at", "source", "correction")


@dataclass(frozen=True, slots=True)
class LabelColumns:
    """The columns of a file of labels.

    Attributes:
        fields: by field of a label, its column: ``request_id``, ``row``, ``event_time``,
            ``known_at``, ``source`` and ``correction``, those that there are.
        entity: by feature of the entity key, its column; empty if the file has request ids.
        values: by target, the column of its labels; None is the only target of a model.
    """

    fields: dict[str, str]
    entity: dict[str, str]
    values: dict[str | None, str]

    @property
    def names(self) -> list[str]:
        """The columns, each once."""
        return list(
            dict.fromkeys([*self.fields.values(), *self.entity.values(), *self.values.values()])
        )

    @classmethod
    def find(
        cls, names: Sequence[str], contract: Contract, given: Mapping[str, str], where: str
    ) -> LabelColumns:
        """Return the columns of a file, from their names.

        Args:
            names: the columns of the file.
            contract: the contract of the model.
            given: columns by field: ``value``, or ``value.TARGET`` for several targets;
                ``entity.FEATURE``; and the fields of a label. The others have the name of their
                field, of their feature or target, or ``label`` for ``value``.
            where: the file, for errors.

        Raises:
            TableError: a column is missing, or a field is not one of a label.
        """
        search = _Search(names, given, where, _fields(contract))
        targets = [target.name for target in targets_of(contract)]
        values = {
            target: search.column(
                "value" if target is None else f"value.{target}",
                ("value", "label") if target is None else (f"label_{target}", target),
            )
            for target in targets
        }
        known = {target: column for target, column in values.items() if column is not None}
        fields = {name: search.column(name, (name,)) for name in _OPTIONAL}
        entity: dict[str, str | None] = {}
        request = search.column("request_id", ("request_id",))
        if request is not None:
            fields |= {"request_id": request, "row": search.column("row", ("row",))}
        else:
            event_time = contract.event_time or "event_time"
            fields["event_time"] = search.column("event_time", (event_time, "event_time"))
            entity = {
                name: search.column(f"entity.{name}", (name,)) for name in contract.entity_key
            }
        search.check_used()
        if not known:
            raise search.missing("a column with the labels", "--column value=COLUMN")
        if request is None and (not entity or None in entity.values() or not fields["event_time"]):
            raise search.missing(
                "a column `request_id`, or columns of the entity key "
                f"({listed(contract.entity_key) or 'the contract has none'}) and of the event time",
                _ways(contract),
            )
        return cls(
            {name: column for name, column in fields.items() if column is not None},
            {name: column for name, column in entity.items() if column is not None},
            known,
        )


def _ways(contract: Contract) -> str:
    """Return the options with which a file names the rows of its labels."""
    by_request = "--column request_id=COLUMN (and --column row=COLUMN, if requests have many rows)"
    if not contract.entity_key:
        return by_request
    fields = [*(f"entity.{name}" for name in contract.entity_key), "event_time"]
    return f"{by_request}, or {' '.join(f'--column {field}=COLUMN' for field in fields)}"


def _fields(contract: Contract) -> list[str]:
    """Return every field for which a column can be given."""
    targets = [target.name for target in targets_of(contract)]
    values = ["value" if name is None else f"value.{name}" for name in targets]
    entity = [f"entity.{name}" for name in contract.entity_key]
    return [*values, "request_id", "row", *entity, "event_time", *_OPTIONAL]


class _Search:
    """Looks columns up, and notes which of the given fields were used."""

    def __init__(
        self, names: Sequence[str], given: Mapping[str, str], where: str, fields: Sequence[str]
    ) -> None:
        self._names = names
        self._given = given
        self._where = where
        self._fields = fields
        self._used: list[str] = []

    def column(self, field: str, defaults: Sequence[str]) -> str | None:
        self._used.append(field)
        if field not in self._given:
            found = [name for name in dict.fromkeys(defaults) if name in self._names]
            if len(found) > 1:
                raise TableError(
                    f"expected one column for `{field}`, got {listed(found)}",
                    where=self._where,
                    hint=f"say which: --column {field}={found[0]}",
                )
            return self._once(found[0]) if found else None
        name = self._given[field]
        if name not in self._names:
            raise self.missing(f"the column `{name}` for `{field}`", "another column")
        return self._once(name)

    def _once(self, name: str) -> str:
        if self._names.count(name) > 1:
            raise TableError(
                f"expected one column `{name}`, got {self._names.count(name)}",
                where=self._where,
                hint="rename or remove all but one",
            )
        return name

    def check_used(self) -> None:
        unknown = [field for field in self._given if field not in self._fields]
        if unknown:
            near = did_you_mean(unknown[0], self._fields, "`{}`")
            known = f"the fields are {listed(self._fields)}"
            raise TableError(
                f"expected a field of a label, got `{unknown[0]}`",
                where="--column",
                hint=known if near is None else f"{near} {known}",
            )
        unused = [field for field in self._given if field not in self._used]
        if unused == ["row"]:
            raise self.missing("a column `request_id` beside `row`", "--column request_id=COLUMN")
        if unused:
            raise TableError(
                f"`{unused[0]}` is for a file without request ids, and this has them",
                where=self._where,
                hint="leave it out",
            )

    def missing(self, what: str, remedy: str) -> TableError:
        separator = _separator(self._names)
        hint = f"give {remedy}; the file has {listed(self._names)}"
        if separator is not None:
            hint = (
                f"the columns seem to be separated by {separator}: write the file with commas; "
                f"its first line is {self._names[0]}"
            )
        return TableError(f"expected {what}", where=self._where, hint=hint)


def _separator(names: Sequence[str]) -> str | None:
    """Return what seems to separate the columns of a file that has one column."""
    if len(names) != 1:
        return None
    words = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
    return next((word for sign, word in words.items() if sign in names[0]), None)
