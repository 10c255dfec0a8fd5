"""Gnomon: the deployment's own gateway, for the model that is raced."""

from __future__ import annotations

import os
from pathlib import Path

from gnomon.service import gateway

MODEL = os.environ["MODEL"]
POLICY = Path(__file__).resolve().parents[2] / "shadow" / "policy.toml"

Gateway = gateway(MODEL, policy=POLICY if MODEL == "flights" else None)
