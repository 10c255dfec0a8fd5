"""A headless browser, for tests of pages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


def browse(address: str, profile: Path, *options: str) -> str:
    """The page's DOM after its scripts have run for a few seconds of virtual time."""
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", f"--user-data-dir={profile}",
            "--virtual-time-budget=5000", "--window-size=360,2000", *options, "--dump-dom", address,
        ],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    return done.stdout
