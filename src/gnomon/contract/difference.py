"""What changes for existing clients when one contract replaces another.

An existing request is one that the old contract accepts and that has its features. Fields that are
not features are accepted with any content. So nothing can be said about an unknown field with the
name of a new feature; ``gnomon check`` of the log shows what clients send there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from gnomon.contract.contract import Contract
from gnomon.contract.feature import Feature, Output
from gnomon.contract.json_values import inside, is_bounded, limits, shown, years

__all__ = ["Change", "Level", "difference", "worst"]

Level = Literal["compatible", "warning", "incompatible"]
_ORDER: tuple[Level, ...] = ("incompatible", "warning", "compatible")
_TEXT = ("string", "category")
_NEVER_COERCED = (*_TEXT, "timestamp")
"""For a timestamp, ``outside`` decides, and is compared."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between the contracts.

    Attributes:
        level: ``incompatible``: existing requests are refused, or get another meaning.
            ``warning``: some may be, or answers change. ``compatible``: none is.
        where: the feature or the output, or the key of the contract.
        what: the key that changed; ``added`` or ``removed``.
        old, new: the old and the new value, in words.
        says: the consequence for clients.
    """

    level: Level
    where: str
    what: str
    old: str
    new: str
    says: str

    def __str__(self) -> str:
        return f"`{self.where}` {self.what}: {self.old} -> {self.new}: {self.says}"


def difference(old: Contract, new: Contract) -> list[Change]:
    """Compare two contracts and judge each difference for the requests that clients send today.

    Returns:
        The changes, the most severe first, then in the order of the contracts. Without incompatible
        changes and warnings, ``new`` accepts every request that ``old`` accepts.
    """
    changes = [*_features(old, new), *_keys(old, new), *_answers(old, new)]
    return sorted(changes, key=lambda change: _ORDER.index(change.level))


def worst(changes: Iterable[Change]) -> Level:
    """Return the most severe level; ``compatible`` if there are no changes."""
    return min((change.level for change in changes), key=_ORDER.index, default="compatible")


def _features(old: Contract, new: Contract) -> Iterator[Change]:
    before, after = ({f.name: f for f in contract.features} for contract in (old, new))
    for name, feature in before.items():
        if name in after:
            yield from _feature(feature, after[name])
        else:
            says = "it is ignored, and counted as unknown, where clients still send it"
            yield _change("compatible", feature, "removed", feature.type, "no feature", says)
    for name in [name for name in after if name not in before]:
        yield _added(after[name])


def _added(feature: Feature) -> Change:
    if feature.missing == "error":
        says = "requests without it are refused"
        return _change("incompatible", feature, "added", "no feature", "required", says)
    says = "requests without it are filled in"
    return _change("compatible", feature, "added", "no feature", _when_missing(feature), says)


def _feature(old: Feature, new: Feature) -> Iterator[Change]:
    yield from _type(old, new)
    yield from _null(old, new)
    yield from _missing(old, new)
    yield from _reading(old, new)
    yield from _values(old, new)
    yield from _meaning(old, new)


def _type(old: Feature, new: Feature) -> Iterator[Change]:
    if old.type == new.type:
        return
    if {old.type, new.type} <= {*_TEXT}:
        yield _change("compatible", new, "type", old.type, new.type, "both accept text")
    elif (old.type, new.type) == ("integer", "float"):
        yield _change("compatible", new, "type", old.type, new.type, "every integer is accepted")
    else:
        says = f"what was sent as {old.type} is refused"
        yield _change("incompatible", new, "type", old.type, new.type, says)


def _null(old: Feature, new: Feature) -> Iterator[Change]:
    if old.nullable and not new.nullable:
        yield _change("incompatible", new, "nullable", "true", "false", "null is refused")
    elif new.nullable and not old.nullable:
        yield _change("compatible", new, "nullable", "false", "true", "null is accepted too")


def _missing(old: Feature, new: Feature) -> Iterator[Change]:
    was, becomes = _when_missing(old), _when_missing(new)
    if was == becomes:
        return
    if old.missing == "error":
        yield _change("compatible", new, "missing", was, becomes, "it may be left out")
    elif new.missing == "error":
        says = "requests that leave it out are refused"
        yield _change("incompatible", new, "missing", was, becomes, says)
    else:
        says = "requests that leave it out get another value"
        yield _change("warning", new, "missing", was, becomes, says)


def _when_missing(feature: Feature) -> str:
    if feature.missing == "default":
        return f"default {shown(feature.default)}"
    return "required" if feature.missing == "error" else "null when left out"


def _reading(old: Feature, new: Feature) -> Iterator[Change]:
    """Compare how values are read: as text, with an offset, within the limits of a dtype."""
    if old.coerce and not new.coerce and old.type not in _NEVER_COERCED:
        says = "values are no longer converted, and refused in another type"
        yield _change("incompatible", new, "coerce", "true", "false", says)
    elif new.coerce and not old.coerce and new.type not in _NEVER_COERCED:
        yield _change("compatible", new, "coerce", "false", "true", "more spellings are accepted")
    if old.type != "timestamp" or new.type != "timestamp":
        return
    was, becomes = old.timezone or "UTC", new.timezone or "UTC"
    if was != becomes:
        level: Level = "incompatible" if new.own_offset_only else "compatible"
        says = f"timestamps in {was} are refused" if new.own_offset_only else "it is converted"
        yield _change(level, new, "timezone", was, becomes, says)
    if new.own_offset_only != old.own_offset_only:
        offsets = {True: "the zone's own", False: "any"}
        was, becomes = offsets[old.own_offset_only], offsets[new.own_offset_only]
        level = "incompatible" if new.own_offset_only else "compatible"
        says = f"offsets different from that of {new.timezone or 'UTC'} are refused"
        says = says if new.own_offset_only else "any offset is converted"
        yield _change(level, new, "outside", was, becomes, says)
    (first, last), (low, high) = years(old.dtype), years(new.dtype)
    if first < low or high < last:
        says = f"years before {low} and after {high} are refused"
        yield _change("warning", new, "dtype", old.dtype, new.dtype, says)


def _values(old: Feature, new: Feature) -> Iterator[Change]:
    """Compare domain, range and dtype: find values that were accepted and are now refused."""
    if {old.type, new.type} <= {*_TEXT}:
        yield from _domain(old, new)
    elif {old.type, new.type} <= {"integer", "float"}:
        yield from _range(old, new)


def _domain(old: Feature, new: Feature) -> Iterator[Change]:
    was, becomes = set(old.domain or ()), set(new.domain or ())
    removed = [value for value in old.domain or () if value not in becomes]
    if new.outside == "error" and new.domain and (old.outside == "allow" or removed or not was):
        if removed or not was:
            examples = ", ".join(map(shown, removed[:5])) or "other values"
            yield _narrowed(old, new, "domain", "incompatible", f"{examples} refused")
        else:
            yield _narrowed(old, new, "domain", "warning", "values never seen are refused")
    elif removed and new.domain:
        says = f"{', '.join(map(shown, removed[:5]))} accepted, but never seen in training"
        yield _narrowed(old, new, "domain", "warning", says)
    elif was != becomes or old.outside != new.outside:
        yield _narrowed(old, new, "domain", "compatible", "every value is accepted as before")


def _range(old: Feature, new: Feature) -> Iterator[Change]:
    old_limits, new_limits = limits(old), limits(new)
    if _within(old_limits, new_limits):
        if (old.minimum, old.maximum, old.outside) != (new.minimum, new.maximum, new.outside):
            yield _narrowed(old, new, "range", "compatible", "every value is accepted as before")
        return
    low, high = old_limits
    usual = (
        low if old.minimum is None else max(low, old.minimum),
        high if old.maximum is None else min(high, old.maximum),
    )
    level: Level = "warning" if _within(usual, new_limits) else "incompatible"
    says = f"numbers outside {new_limits[0]:g} to {new_limits[1]:g} are refused"
    yield _narrowed(old, new, "range", level, says)


def _within(inner: tuple[float, float], outer: tuple[float, float]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _narrowed(old: Feature, new: Feature, what: str, level: Level, says: str) -> Change:
    return _change(level, new, what, _bounds(old), _bounds(new), says)


def _bounds(feature: Feature) -> str:
    if not is_bounded(feature):
        return f"any {feature.type} in `{feature.dtype}`"
    return inside(feature) + (" only" if feature.outside == "error" else "")


def _meaning(old: Feature, new: Feature) -> Iterator[Change]:
    """Compare what no check of a value can see: the unit and the age."""
    if _word(old.unit) != _word(new.unit):
        was, becomes = old.unit or "not stated", new.unit or "not stated"
        if old.unit and new.unit:
            says = "the same numbers have another meaning"
            yield _change("incompatible", new, "unit", was, becomes, says)
        else:
            says = "it is unknown whether clients send that unit"
            yield _change("warning", new, "unit", was, becomes, says)
    if old.max_age != new.max_age:
        longer = new.max_age is None or (old.max_age is not None and new.max_age > old.max_age)
        says = "`gnomon check` accepts older values" if longer else "older values are stale now"
        level: Level = "compatible" if longer else "warning"
        yield _change(level, new, "max_age", str(old.max_age), str(new.max_age), says)


def _word(unit: str | None) -> str:
    """Normalise a unit: ``Miles`` are miles."""
    return (unit or "").strip().casefold()


def _keys(old: Contract, new: Contract) -> Iterator[Change]:
    if old.entity_key != new.entity_key:
        was, becomes = (", ".join(c.entity_key) or "none" for c in (old, new))
        says = "sampling and joins use another key"
        yield _change_at("warning", "entity_key", "changed", was, becomes, says)
    if old.event_time != new.event_time:
        says = "another feature gives the time of a row"
        was, becomes = old.event_time or "none", new.event_time or "none"
        yield _change_at("warning", "event_time", "changed", was, becomes, says)


def _answers(old: Contract, new: Contract) -> Iterator[Change]:
    if old.task != new.task:
        says = "the answers cannot be compared"
        yield _change_at("incompatible", "task", "changed", old.task, new.task, says)
        return
    if set(map(shown, old.classes)) != set(map(shown, new.classes)):
        was, becomes = (", ".join(map(shown, c.classes)) for c in (old, new))
        yield _change_at(
            "warning", "classes", "changed", was, becomes, "other answers are possible"
        )
    before, after = ({o.name: o for o in contract.outputs} for contract in (old, new))
    for name, output in before.items():
        yield from _output(output, after.get(name))
    for name in [name for name in after if name not in before]:
        says = "answers have it too"
        yield _change_at("compatible", name, "output added", "no output", after[name].type, says)


def _output(old: Output, new: Output | None) -> Iterator[Change]:
    if new is None:
        says = "answers no longer have it"
        yield _change_at("warning", old.name, "output removed", old.type, "no output", says)
        return
    for what in ("type", "unit"):
        was, becomes = getattr(old, what), getattr(new, what)
        if was != becomes:
            says = f"answers are in another {what}"
            was, becomes = was or "not stated", becomes or "not stated"
            yield _change_at("warning", old.name, f"output {what}", was, becomes, says)


def _change(level: Level, feature: Feature, what: str, old: str, new: str, says: str) -> Change:
    return _change_at(level, feature.name, what, old, new, says)


def _change_at(level: Level, where: str, what: str, old: str, new: str, says: str) -> Change:
    return Change(level=level, where=where, what=what, old=old, new=new, says=says)
