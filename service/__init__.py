"""The deployed service: ``gnomon serve`` and ``bentoml serve .`` both find it here."""

from pathlib import Path

from gnomon.service import gateway

POLICY = Path(__file__).resolve().parent.parent / "shadow" / "policy.toml"

Gateway = gateway("flights", policy=POLICY)
