"""The gateway's accounts and metrics: plain integers for status, Prometheus for ``/metrics``."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from gnomon.compat.prometheus_client import observe_many
from gnomon.shadow.shadow_counts import Latency

__all__ = ["Metrics"]

LATENCY_BUCKETS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)


MOST_NAMES = 100
"""The most names of unknown fields with a separate series: clients choose the names, and a series
is never removed."""
NAME_CHARACTERS = 64
"""The longest label; longer names are truncated."""
OTHER = "other"


class Metrics:
    """The counts of one slice.

    The Prometheus objects are in BentoML's registry, so ``/metrics`` adds up all gateway processes.
    They are made in the constructor, after BentoML has set the folder for ``prometheus_client``.
    Each change of one costs a system call or more, so values that change with every request are
    counted here and transferred by :meth:`publish`.

    Args:
        model: the deployment's model name, a label on every series.
    """

    def __init__(self, model: str) -> None:
        self.received_rows = 0
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.unlogged_rows: Counter[str] = Counter()
        self.outside_rows: Counter[str] = Counter()
        self.unknown_fields: Counter[str] = Counter()
        self._model = model
        self._unknown_names: set[str] = set()
        self._recent: deque[int] = deque(maxlen=1000)
        self._recent_epoch = 0
        self._published_rows = 0
        self._published: Counter[tuple[str, str]] = Counter()
        self._latencies: list[float] = []
        self._batches: list[tuple[int, int]] = []
        self._metrics: list[Any] = []
        try:
            self._register(model)
        except BaseException:  # For example, the disk has no space for the values.
            self.close()
            raise

    def _register(self, model: str) -> None:
        from bentoml.metrics import Counter as Counts
        from bentoml.metrics import Gauge, Histogram

        labels: dict[str, Any] = {"labelnames": ["model"]}
        self._received = self._make(
            Counts, "gnomon_rows_received_total", "Rows received by the gateway", **labels
        ).labels(model)
        self._settled = self._make(
            Counts,
            "gnomon_rows_settled_total",
            "Rows by outcome (answered, rejected, failed, timed_out, shed) and error code",
            labelnames=["model", "outcome", "code"],
        )
        self._unlogged = self._make(
            Counts,
            "gnomon_rows_unlogged_total",
            "Rows the inference log could not record, by the operating system's reason",
            labelnames=["model", "reason"],
        )
        self._unknown = self._make(
            Counts,
            "gnomon_unknown_fields_total",
            "Fields received that are not in the live contract",
            labelnames=["model", "field"],
        )
        self._outside = self._make(
            Counts,
            "gnomon_outside_values_total",
            "Values accepted although outside the domain or range seen in training",
            labelnames=["model", "feature"],
        )
        self._refused = self._make(
            Counts,
            "gnomon_requests_refused_total",
            "Requests refused for the host they name or the page that sent them, by error code",
            labelnames=["model", "code"],
        )
        self._callers = self._make(
            Counts,
            "gnomon_callers_refused_total",
            "Requests refused for their credential or its role, by route and error code",
            labelnames=["model", "route", "code"],
        )
        self._restarts = self._make(
            Counts,
            "gnomon_restarts_total",
            "Child processes that ended unexpectedly, by role",
            labelnames=["model", "role"],
        )
        self._latency = self._make(
            Histogram,
            "gnomon_request_seconds",
            "Seconds from arrival until the answer may be sent",
            buckets=LATENCY_BUCKETS,
            **labels,
        ).labels(model)
        self._worker = self._make(
            Histogram,
            "gnomon_worker_seconds",
            "Seconds the live worker spent on a batch",
            buckets=LATENCY_BUCKETS,
            **labels,
        ).labels(model)
        self._batch_rows = self._make(
            Histogram,
            "gnomon_batch_rows",
            "Rows in a batch for the live worker",
            buckets=BATCH_BUCKETS,
            **labels,
        ).labels(model)
        self._shadow = self._make(
            Gauge,
            "gnomon_shadow_rows",
            "Rows of a shadow by state, as last reported",
            labelnames=["model", "shadow", "state"],
            multiprocess_mode="livesum",
        )
        self._behind = self._make(
            Gauge,
            "gnomon_shadow_behind_seconds",
            "Seconds since the arrival of the oldest row that a shadow has yet to score",
            labelnames=["model", "shadow"],
            multiprocess_mode="livemax",
        )

    def _make(self, kind: Any, name: str, text: str, **options: Any) -> Any:
        metric = kind(name, text, **options)
        self._metrics.append(metric)
        return metric

    def close(self) -> None:
        """Unregister all metrics: the process may open another slice after this one."""
        from prometheus_client import REGISTRY

        for metric in self._metrics:
            REGISTRY.unregister(metric)

    @property
    def settled_rows(self) -> int:
        """Rows whose outcome is decided; the other received rows are in flight."""
        return self.outcomes.total()

    def received(self, rows: int) -> None:
        """Count received rows; a request that cannot be decoded counts as one row."""
        self.received_rows += rows

    def settled(self, outcome: str, rows: int, code: str = "") -> None:
        """Count rows whose outcome is decided."""
        if rows:
            self.outcomes[outcome, code] += rows

    def unlogged(self, rows: int, reason: str) -> None:
        """Count rows that the log could not record."""
        self.unlogged_rows[reason] += rows
        self._unlogged.labels(self._model, reason).inc(rows)

    def unknown(self, fields: tuple[str, ...]) -> None:
        """Count fields that are not in the contract, by name up to a number of names."""
        for name, count in Counter(map(self._label, fields)).items():
            self.unknown_fields[name] += count
            self._unknown.labels(self._model, name).inc(count)

    def outside(self, counts: dict[str, int]) -> None:
        """Count values that were accepted although out of the contract's domain or range."""
        for feature, rows in counts.items():
            self.outside_rows[feature] += rows
            self._outside.labels(self._model, feature).inc(rows)

    def _label(self, field: str) -> str:
        """Return the label of an unknown field: its name, truncated, or ``other`` beyond the most
        names."""
        name, known = field[:NAME_CHARACTERS], self._unknown_names
        if name not in known:
            if len(known) >= MOST_NAMES:
                return OTHER
            known.add(name)
        return name

    def refused(self, code: str) -> None:
        """Count a request that was refused by its head, before its body was read."""
        self._refused.labels(self._model, code).inc()

    def refused_caller(self, route: str, code: str) -> None:
        """Count a request whose credential is missing, invalid or does not suffice."""
        self._callers.labels(self._model, route, code).inc()

    def restarted(self, role: str) -> None:
        """Count a child process that ended unexpectedly."""
        self._restarts.labels(self._model, role).inc()

    def worker_latency(self, epoch: int) -> Latency | None:
        """Return the live worker's milliseconds per recent batch; None before the first.

        Args:
            epoch: the rollout decision that made the artifact live. Times of an earlier one are
                another artifact's.
        """
        if not self._recent or epoch != self._recent_epoch:
            return None
        recent = sorted(self._recent)
        return Latency(
            p50=recent[len(recent) // 2] / 1e3, p99=recent[len(recent) * 99 // 100] / 1e3
        )

    def batch(self, rows: int, micros: int, epoch: int) -> None:
        """Record a batch that the worker has scored which this rollout decision made live."""
        if epoch > self._recent_epoch:
            self._recent.clear()
            self._recent_epoch = epoch
        if epoch == self._recent_epoch:  # Else it was under way when live changed.
            self._recent.append(micros)
        self._batches.append((rows, micros))

    def latency(self, seconds: float) -> None:
        """Record the time of an answered request."""
        self._latencies.append(seconds)

    def publish(self) -> None:
        """Update the Prometheus objects."""
        self._received.inc(self.received_rows - self._published_rows)
        self._published_rows = self.received_rows
        for key, rows in self.outcomes.items():
            if rows != self._published[key]:
                self._settled.labels(self._model, *key).inc(rows - self._published[key])
                self._published[key] = rows
        latencies, self._latencies = self._latencies, []
        batches, self._batches = self._batches, []
        observe_many(self._latency, latencies)
        observe_many(self._batch_rows, [rows for rows, _ in batches])
        observe_many(self._worker, [micros / 1e6 for _, micros in batches])

    def shadow(self, shadow: str, states: dict[str, int], behind_seconds: float) -> None:
        """Set a shadow's rows by state, and how far it is behind."""
        for state, rows in states.items():
            self._shadow.labels(self._model, shadow, state).set(rows)
        self._behind.labels(self._model, shadow).set(behind_seconds)

    def accounts(self) -> dict[str, Any]:
        """Return the accounts of this process: received = the sum of the outcomes + in flight."""
        by_outcome: Counter[str] = Counter()
        for (outcome, _), rows in self.outcomes.items():
            by_outcome[outcome] += rows
        return {
            "received": self.received_rows,
            **{
                outcome: by_outcome[outcome]
                for outcome in ("answered", "rejected", "failed", "timed_out", "shed")
            },
            "in_flight": self.received_rows - self.settled_rows,
            "unlogged": self.unlogged_rows.total(),
            "reasons": {
                **{f"{name}:{code}": rows for (name, code), rows in self.outcomes.items() if code},
                **{f"unlogged:{reason}": rows for reason, rows in self.unlogged_rows.items()},
            },
            "outside": dict(self.outside_rows),
            "unknown": dict(self.unknown_fields),
        }
