"""How a flight becomes numbers: this deployment's transformers and its feature contract.

An artifact carries a copy of this package, so what was trained is what serves. The contract lives
in :mod:`preprocessing.contract`, apart, because it is needed to pack and not to predict.
"""

from preprocessing.columns import columns
from preprocessing.local_time import LocalTime
from preprocessing.measures import Measures
from preprocessing.stateless import Stateless

__all__ = ["LocalTime", "Measures", "Stateless", "columns"]
