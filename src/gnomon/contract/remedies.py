"""Hints for a value that a feature refuses: what to send, and which key would accept it.

The readers of :mod:`gnomon.contract.json_values` say what was expected and what was received. The
hint is given once to a client, and once for all rows of a finding of ``gnomon check``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gnomon.contract.feature import Feature, can_be_null
from gnomon.contract.json_values import is_spelled, kind_text, shown
from gnomon.errors import Breach, ValueRule
from gnomon.name_lists import did_you_mean

__all__ = ["VALUE_RULES", "missing_hint", "rule_hint", "value_hint"]

VALUE_RULES: Final = ("type", "null", "domain", "range", "timezone")

MOST_NAMED = 5
"""How many unknown fields a hint names; the others are in the body."""

_MISSING_WORDS = frozenset(("", "nan", "null", "none", "na", "n/a", "nat", "-inf", "inf"))

_SEND = {
    "integer": "a whole number, such as 3; fractions and booleans are not converted",
    "float": "a number, such as 3.5",
    "boolean": "true or false",
    "string": "text, in quotes",
    "category": "text, in quotes",
    "timestamp": "ISO 8601 text with an offset, such as 2013-01-31T18:05:00Z",
    "date": "text, such as 2013-01-31",
    "decimal": 'text, such as "12.50"',
}


def value_hint(feature: Feature, breach: Breach, value: Any) -> str:
    """Return what to do about one refused value.

    Args:
        feature: the feature that refuses it.
        breach: how the value violates the contract.
        value: the value from JSON.
    """
    if breach.rule == "null":
        return _null(feature)
    if breach.rule in ("domain", "range"):
        near = None
        if isinstance(value, str):
            near = did_you_mean(value, map(str, feature.domain or ()), '"{}"')
        admit = rule_hint(feature, breach.rule)
        return f"{near} Or {admit}" if near else admit
    if is_spelled(feature, value):
        return f"send {_unquoted(feature, value)}, or {_setting('coerce', True)}"
    if isinstance(value, str) and value.strip().casefold() in _MISSING_WORDS:
        return f"for a missing value {_null(feature)}"
    return f"send {_sendable(feature)}"


def rule_hint(feature: Feature, rule: ValueRule) -> str:
    """Return what to do about any values that break one rule."""
    if rule == "null":
        return _null(feature)
    if rule in ("domain", "range"):
        return f"{_setting('outside', 'allow')} accepts other values and counts them"
    if rule == "timezone":
        anywhere = f"; {_setting('outside', 'allow')} accepts any offset"
        own = feature.own_offset_only
        return (
            f"send each with the offset of {feature.timezone or 'UTC'}{anywhere}"
            if own
            else ("send each with its offset: without an offset the instant is unknown")
        )
    spelled = feature.type in ("integer", "float", "boolean") and not feature.coerce
    more = f"; {_setting('coerce', True)} accepts those spelled as text" if spelled else ""
    return f"send {_sendable(feature)}{more}"


_OF_OTHERS = frozenset(
    {"columns", "data", "dataframe_records", "dataframe_split", "inputs", "instances", "records"}
)
"""Fields of a request to other servers, such as TensorFlow Serving, KServe, MLServer and MLflow."""

_ROWS = '; several records are sent as {"rows": [{…}, {…}]}'


def missing_hint(feature: Feature, unknown: Sequence[str] = ()) -> str:
    """Return what to do about a missing field.

    Args:
        feature: the field.
        unknown: fields of the record that are not features: one may be a misspelling of it.
    """
    near = did_you_mean(feature.name, unknown, "`{}`")
    ways = f"{_setting('missing', 'default')} and a `default` would fill it in"
    if feature.nullable:
        ways = f"send null, or {_setting('missing', 'impute')} would treat it as null"
    if near:
        sent = near.removeprefix("did you mean ").removesuffix("?")
        return f"is {sent} meant to be `{feature.name}`? Else {ways}"
    if unknown:
        names = ", ".join(f"`{name}`" for name in unknown[:MOST_NAMED])
        several = _ROWS if _OF_OTHERS.intersection(unknown) else ""
        return f"{ways}; there are fields that are not features: {names}{several}"
    return ways


def _null(feature: Feature) -> str:
    if feature.nullable:
        return "send null"
    if feature.missing == "default":
        return f"leave it out for the default {shown(feature.default)}, or send a value"
    if not can_be_null(feature.dtype):
        return (
            f"send a value; a column of dtype `{feature.dtype}` cannot hold null, so to accept it "
            "train on a nullable dtype"
        )
    return f"send a value; if the pipeline accepts null, {_setting('nullable', True)} allows it"


def _setting(key: str, value: object) -> str:
    """Describe a setting of the feature in its contract."""
    return f'"{key}": {shown(value)} in the contract'


def _sendable(feature: Feature) -> str:
    if feature.type == "list":
        return f"an {kind_text(feature)}"
    return _SEND[feature.type]


def _unquoted(feature: Feature, value: Any) -> str:
    """Describe how to send a value that was sent as text."""
    if feature.type == "boolean":
        return "true" if value in (1, "true") else "false"
    return f"{value} without quotes"
