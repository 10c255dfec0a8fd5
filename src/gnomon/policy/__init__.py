"""The rollout policy: what is sampled, what agrees, what a promotion must meet."""

from gnomon.policy.drift_limits import DriftLimits
from gnomon.policy.gate_limits import GateLimits
from gnomon.policy.label_rules import LabelRules
from gnomon.policy.policy import Decision, Policy, Rules, Sampling, find_policy
from gnomon.policy.quality_rules import Costs, Metric, QualityRules
from gnomon.policy.rollout_rules import RolloutRules
from gnomon.policy.tolerance import Comparator, Kind, NumberOrLabel, Tolerance

__all__ = [
    "Comparator",
    "Costs",
    "Decision",
    "DriftLimits",
    "GateLimits",
    "Kind",
    "LabelRules",
    "Metric",
    "NumberOrLabel",
    "Policy",
    "QualityRules",
    "RolloutRules",
    "Rules",
    "Sampling",
    "Tolerance",
    "find_policy",
]
