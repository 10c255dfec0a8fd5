"""What ``gnomon labels status`` says, as data."""

from __future__ import annotations

from datetime import datetime

import msgspec

from gnomon.notebook import NotebookTable, Tabular
from gnomon.quantities import percent

__all__ = ["LabelStatus", "LabelledAge", "UncountedLabel"]


class LabelledAge(msgspec.Struct, frozen=True):
    """The answered rows of one age.

    Attributes:
        days: the age in words, such as ``1 to 7``.
        answered: rows that live answered.
        labelled: those that have a label.
    """

    days: str
    answered: int
    labelled: int


class UncountedLabel(msgspec.Struct, frozen=True):
    """A label that is contradictory or unmatched.

    Attributes:
        about: what it names: a request and row, or an entity and a time. Where labels that
            contradict each other name their row in different ways, its request and row.
        fate: ``contradictory`` or ``unmatched``.
        reason: why it is unmatched.
        target: its target, if the model has several.
        value: the label.
        source: where it came from, if that was said.
        received_at: when it was received.
    """

    about: str
    fate: str
    reason: str | None
    target: str | None
    value: str | None
    source: str | None
    received_at: datetime


class LabelStatus(msgspec.Struct, Tabular, frozen=True):
    """The labels of one model. A label of several targets is counted once for each.

    Attributes:
        model: the model's name.
        received: all labels that are stored.
        fates: how many of them have each fate; together they are all that were received.
        unmatched: how many of the unmatched ones have each reason.
        late: counted ones that were known long after the request; see the policy's ``[labels]``.
        early: counted ones that were known before the request arrived. Their ``known_at`` is wrong,
            or the prediction was of no use.
        known_after_days: for counted ones, the days from the request until the label was known: the
            median and the 90th percentile; None without any.
        ages: the answered rows by age, youngest first.
        examples: the newest contradictions, each with all labels that contradict each other, then
            the newest that are unmatched.
    """

    model: str
    received: int
    fates: dict[str, int]
    unmatched: dict[str, int]
    late: int
    early: int
    known_after_days: tuple[float, float] | None
    ages: tuple[LabelledAge, ...]
    examples: tuple[UncountedLabel, ...]

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        answered = sum(age.answered for age in self.ages)
        labelled = sum(age.labelled for age in self.ages)
        return NotebookTable(
            title=f"{self.model}: {labelled:,} of {answered:,} answered rows have a label",
            verdict="",
            columns=("age in days", "answered", "labelled", "share"),
            rows=[
                (a.days, a.answered, a.labelled, percent(a.labelled / a.answered))
                for a in self.ages
                if a.answered
            ],
        )
