"""A report with everything that a report can contain, for tests of its presentation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gnomon.compare.units import UnitGroups
from gnomon.report import (
    Axis,
    Bucket,
    Cell,
    Column,
    Count,
    Coverage,
    Diagnosis,
    Distribution,
    Example,
    Impact,
    MetricsBucket,
    OverTime,
    Report,
    Subject,
    Summary,
    Swap,
    TableUse,
    Timeline,
    Walk,
    share,
)

HOUR = "columns/clock/hour"
HOSTILE = "<script>alert('x')</script>"
DAY = datetime(2013, 4, 1, tzinfo=UTC)


def a_report() -> Report:
    """Diverged, with a confirmed diagnosis; names and values that try to be HTML."""
    return Report(
        kind="offline",
        created="2026-03-01T10:30:00+00:00",
        title="Online `hour` is 4 hours ahead of offline: 990 of 1,000 rows diverge",
        verdict="diverged",
        summary=Summary(
            what="990 of 1,000 rows diverge. 41 decisions change.",
            where="`hour`, output of step columns/clock, is the first column to differ.",
            since="2013-04-03 00:00 UTC by at, request r1; 10 rows before it agree.",
            how_many="99% of rows; the policy lets none pass.",
            how_sure="Confirmed by undoing it: 990 of 990 rows that differed then agree.",
            action="Read the same time zone's clock on both sides.",
        ),
        subject=Subject(model="trips", artifact="trips:2", digest="5d8f" * 16, role="shadow"),
        left="online",
        right="offline",
        against="offline.parquet",
        coverage=Coverage(
            logged=1_003,
            compared=1_000,
            skipped=(Count(reason="not in the table", rows=3, example="trip=t9"),),
        ),
        divergence=share(990, 1_000, 0.95),
        by_unit=UnitGroups("request", [(0, 1, 10), (1, 1, 990)]),
        exact=10,
        policy="5d8f5d8f5d8f",
        limit=0.0,
        limit_name="gates.max_skew",
        impact=Impact(
            flips=share(41, 1_000, 0.95),
            score="probability",
            mean_change=0.0512,
            largest_change=0.4,
        ),
        columns=(
            a_column("prediction", "output", 41, {}),
            a_column("probability_slow", "output", 990, {"p05": -0.1, "p50": 0.04, "p95": 0.2}),
            a_column("miles", "feature", 0, {"p05": 0.0, "p50": 0.0, "p95": 0.0}, unit="mile"),
        ),
        walk=Walk(
            rows=500,
            diverged=495,
            reproduced=500,
            columns=(
                a_column("miles", "feature", 0, {"p05": 0.0, "p50": 0.0, "p95": 0.0}),
                a_column(HOUR, "step", 990, {"p05": -20.0, "p50": 4.0, "p95": 4.0}),
                *(a_column(f"columns/kind/kind_{i}", "step", 0, {}) for i in range(9)),
                *(a_column(f"columns/late/hour_{i}", "step", 100 + i, {}) for i in range(24)),
                a_column(
                    "probability_slow",
                    "output",
                    990,
                    {"p05": -0.08225123, "p50": 6.448e-05, "p95": 0.076621234},
                ),
            ),
            first=HOUR,
        ),
        diagnosis=Diagnosis(
            verdict="confirmed",
            column=HOUR,
            step="columns/clock",
            cause="time zone",
            sentence="Online `hour` is 4 hours ahead of offline.",
            evidence=(f"`hour` is the first to differ; {HOSTILE} is not.",),
            action="Read the same time zone's clock on both sides.",
            repaired=share(990, 990, 0.95),
        ),
        timeline=Timeline(
            axis=Axis(label="at", unit="UTC"),
            seconds=86_400.0,
            buckets=tuple(
                Bucket(
                    start=(DAY + timedelta(days=day)).isoformat(),
                    end=(DAY + timedelta(days=day + 1)).isoformat(),
                    rows=50,
                    diverged=0 if day < 2 else 50,
                )
                for day in range(20)
            ),
        ),
        swaps=(
            Swap(
                column=HOUR,
                back=share(990, 990, 0.95),
                flips_back=41,
                apart=0.0512,
                left=0.0,
            ),
            Swap(column="distance", back=share(0, 990, 0.95), flips_back=0, apart=0.05, left=0.05),
        ),
        over_time=tuple(
            OverTime(
                column=column,
                kind=kind,  # type: ignore[arg-type]
                seconds=86_400.0,
                sampled=kind == "step",
                buckets=tuple(
                    MetricsBucket(
                        start=(DAY + timedelta(days=day)).isoformat(),
                        rows=50,
                        coverage=1.0,
                        consistency=1.0 if day < 2 else agreeing,
                        exact_rate=1.0 if day < 2 else 0.0,
                        left_null=0.0,
                        right_null=0.0,
                        both_null=0.0,
                        mean_difference=0.04,
                        smape=0.1,
                    )
                    for day in range(20)
                ),
            )
            for column, kind, agreeing in (
                ("probability_slow", "output", 0.2),
                ("distance", "feature", 1.0),
                (HOUR, "step", 0.0),
            )
        ),
        distributions=(
            Distribution(
                axis=Axis(label=HOUR, unit="hour"),
                rows=1_000,
                sampled=500,
                left=(0, 300, 700),
                right=(500, 500, 0),
                edges=(-0.5, 0.5, 1.5, 2.5),
            ),
            Distribution(
                axis=Axis(label="prediction"),
                rows=1_000,
                sampled=1_000,
                left=(600, 400),
                right=(641, 359),
                labels=("quick", HOSTILE),
            ),
        ),
        examples=tuple(
            Example(
                request_id=f"01962f0a-7c1e-7bb2-9f3a-2f8f5b0d9a{i:02d}",
                row=i % 2,
                arrived="2026-03-01T10:22:00+00:00",
                key={"trip": f"t{i}{HOSTILE}"},
                cells=(
                    Cell(column="prediction", left="slow", right="quick", diverged=True),
                    Cell(column="miles", left=0.1 + 0.2, right=0.3, diverged=True),
                    Cell(column=HOUR, left=17.0, right=None, diverged=True),
                ),
            )
            for i in range(6)
        ),
        table=TableUse(
            path="offline.parquet",
            on=("trip",),
            rows=1_000,
            matched=390,
            used={"prediction": "prediction"},
            ignored={"notes": "not an output, feature or step column"},
            keys=400,
            known_later=Count(reason="known only later", rows=12, example="trip=t3"),
        ),
        environment={"Python": "3.11.2", "gnomon": "0.1.0"},
        command="gnomon compare trips:2 --table offline.parquet --on trip --role shadow",
    )


def a_column(
    name: str, kind: str, diverged: int, quantiles: dict[str, float], unit: str | None = None
) -> Column:
    """One of 1,000 rows."""
    return Column(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        tolerance="equal",
        rows=1_000,
        exact=1_000 - diverged,
        diverged=diverged,
        quantiles=quantiles,
        unit=unit,
    )


def a_healthy_report() -> Report:
    """Agreement on every row of a replay: no walk, no diagnosis, no example."""
    from msgspec.structs import replace

    return replace(
        a_report(),
        kind="replay",
        verdict="ok",
        title="All 1,000 rows match the log, bit for bit",
        left="logged",
        right="replayed",
        against="trips:2",
        divergence=share(0, 1_000, 0.95),
        exact=1_000,
        impact=None,
        walk=None,
        diagnosis=None,
        timeline=None,
        over_time=(),
        distributions=(),
        examples=(),
        table=None,
    )
