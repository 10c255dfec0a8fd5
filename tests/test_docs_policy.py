"""docs/policy.md has every key and gate of a rollout policy, with its default, and no other."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from gnomon.policy import (
    Decision,
    DriftLimits,
    GateLimits,
    LabelRules,
    Policy,
    QualityRules,
    RolloutRules,
    Sampling,
    Tolerance,
)
from gnomon.rollout.evidence.evidence import Evidence, ShadowRows
from gnomon.rollout.gates import drift_gate
from gnomon.rollout.gates.gates import judge
from gnomon.rollout.history import Shadow

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "policy.md").read_text()
TABLES: dict[str, type[msgspec.Struct]] = {
    "sampling": Sampling,
    "decision": Decision,
    "compare.COLUMN": Tolerance,
    "gates": GateLimits,
    "quality": QualityRules,
    "drift": DriftLimits,
    "labels": LabelRules,
    "rollout": RolloutRules,
}
GIVEN = GateLimits(min_hours=1.0, max_flips=0.1, max_skew=0.1, max_drifted_columns=0)
"""GateLimits with none unset, so that every gate is asked."""


def section(table: str) -> str:
    """The text under the heading that names a table of the file."""
    return PAGE.split(f"\n## `[{table}]`")[1].split("\n## ")[0]


def rows(text: str, columns: int) -> list[list[str]]:
    """The cells of a section's rows that begin with a key."""
    found = re.findall(r"^\| (`.*)\|$", text, re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in found]
    return [row for row in cells if len(row) == columns]


def asked(limits: GateLimits) -> list[str]:
    """The gates that are evaluated under these limits, by name."""
    shadow = Shadow(artifact="a:1", digest=None, fraction=1.0, since=0, at=datetime.now(UTC))
    evidence = Evidence(ShadowRows(), ShadowRows())
    names = [gate.name for gate in judge(limits, shadow, evidence, 0.95)]
    return [*names, drift_gate.NAME] if limits.max_drifted_columns is not None else names


def toml(value: object) -> str:
    """A default as the page writes it."""
    if isinstance(value, str):
        return f'`"{value}"`'
    return "unset" if value is None else "`[]`" if value == () else f"`{value}`"


def test_every_table_of_the_file_has_a_section() -> None:
    """No section is for a table that the file does not have."""
    named = re.findall(r"`\[([a-z]+)[.\w]*\]`", "".join(re.findall(r"^## .*", PAGE, re.MULTILINE)))
    assert sorted(named) == sorted(Policy.__struct_fields__)


@pytest.mark.parametrize("table", TABLES)
def test_every_key_is_documented(table: str) -> None:
    """Each key of a table has one row, in the order of the code; no row is left of a gone one."""
    columns = 5 if table == "gates" else 4
    keys = [row[0].strip("`") for row in rows(section(table), columns)]
    assert keys == list(TABLES[table].__struct_fields__)


@pytest.mark.parametrize("table", ["sampling", "gates", "quality", "drift", "labels", "rollout"])
def test_every_default_is_that_of_the_code(table: str) -> None:
    """It is the value that the code uses if the key is left out."""
    columns = 5 if table == "gates" else 4
    default: Any = TABLES[table]()
    written = {row[0].strip("`"): row[1] for row in rows(section(table), columns)}
    assert written == {name: toml(getattr(default, name)) for name in default.__struct_fields__}


def test_every_gate_is_documented_beside_its_limit() -> None:
    """Leaving a limit unset takes away exactly the gate in its row; `min_rows` has no unset."""
    written = {row[0].strip("`"): row[3].strip("`") for row in rows(section("gates"), 5)}
    everything = asked(GIVEN)
    found = {"min_rows": "rows", "confidence": "", "longest_burst": "", "max_excused": ""}
    for name in GateLimits.__struct_fields__:
        if name not in found:
            without = asked(msgspec.structs.replace(GIVEN, **{name: None}))
            [found[name]] = set(everything) - set(without)
    assert written == found
    assert everything == [found[name] for name in GateLimits.__struct_fields__ if found[name]]


def test_every_gate_says_when_it_fails_and_when_it_is_unknown() -> None:
    """Once each, in the table of verdicts, and no gate that is gone."""
    first = [row[0] for row in rows(section("gates"), 3)]
    assert sorted(re.findall(r"`(\w+)`", " ".join(first))) == sorted(asked(GIVEN))


def test_the_example_has_every_key_and_is_a_policy(tmp_path: Path) -> None:
    """The page promises every key; each given value reaches the policy."""
    [example] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "policy.toml"
    file.write_text(example)
    policy = Policy.read(file)
    assert policy.decision is not None
    assert policy.sampling.fraction == 0.25
    assert policy.compare["prediction"].kind == "label"
    assert policy.skew["*"].ulps == 4
    assert policy.gates.max_skew == 0.001
    keys = set(re.findall(r"^(\w+) = ", example, re.MULTILINE))
    assert keys == {key for table in TABLES.values() for key in table.__struct_fields__}


def test_the_defaults_of_tolerances_are_those_of_the_code() -> None:
    """Which the code decides column by column, from the column's type and the table."""
    schema = pa.schema([("probability_1", pa.float64()), ("hour", pa.float64())])
    text = section("compare.COLUMN").replace("| probabilities", "| `p`")
    written = rows(text.replace("| other numbers", "| `n`"), 3)
    for row, name in zip(written, schema.names, strict=True):
        for cell, same in zip(row[1:], (False, True), strict=True):
            rule = Policy().rules(schema, same=same).comparators[name]
            bounds = {k: float(v) for k, v in re.findall(r"`(\w+) = ([\d.e-]+)`", cell)}
            expected = {"absolute": rule.absolute, "relative": rule.relative}
            assert bounds == {key: value for key, value in expected.items() if value}
