"""The rollout history: what was decided, and the state that it adds up to."""

from gnomon.rollout.history.event import FORMAT, Kind, RolloutEvent, decode_event, forced_reason
from gnomon.rollout.history.history import (
    History,
    newest_history,
    open_history,
    read_history,
    up_to_date,
)
from gnomon.rollout.history.noise_run import NoiseRun
from gnomon.rollout.history.state import RolloutState, Shadow, fold

__all__ = [
    "FORMAT",
    "History",
    "Kind",
    "NoiseRun",
    "RolloutEvent",
    "RolloutState",
    "Shadow",
    "decode_event",
    "fold",
    "forced_reason",
    "newest_history",
    "open_history",
    "read_history",
    "up_to_date",
]
