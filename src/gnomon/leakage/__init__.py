"""Leakage: checks whether training data has information that serving will not have.

Every check is a function of frames and arrays that returns findings; nothing here runs user code or
reads a log. Modules are imported when they are used: reading findings needs neither pandas nor
scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy

if TYPE_CHECKING:
    from gnomon.leakage.checks import check_scores, check_split, check_training
    from gnomon.leakage.domain import check_domain
    from gnomon.leakage.finding import (
        LeakageEvidence,
        LeakageFinding,
        LeakageReport,
        LeakageWarning,
    )
    from gnomon.leakage.gap import ScoredStage
    from gnomon.leakage.labelled_table import KnownAt, LabelledTable

__all__ = [
    "KnownAt",
    "LabelledTable",
    "LeakageEvidence",
    "LeakageFinding",
    "LeakageReport",
    "LeakageWarning",
    "ScoredStage",
    "check_domain",
    "check_scores",
    "check_split",
    "check_training",
]

_HOMES = {
    "LeakageEvidence": "finding",
    "LeakageFinding": "finding",
    "KnownAt": "labelled_table",
    "LeakageReport": "finding",
    "LeakageWarning": "finding",
    "ScoredStage": "gap",
    "LabelledTable": "labelled_table",
    "check_domain": "domain",
    "check_scores": "checks",
    "check_split": "checks",
    "check_training": "checks",
}

__getattr__ = lazy(__name__, _HOMES)
