"""How long one request of many slow rows delays others, with and without a bound on batches.

``python -m benchmarks.slow_rows [--rows 4000] [--milliseconds 1]``. A pipeline that takes so long
for each row gets one large request. A client asks single rows one after the other meanwhile. It is
measured with ``GNOMON_BATCH_SECONDS`` at 0, which is without a bound, and at its default.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import httpx

from gnomon.testing import serving
from tests.packing import pack_in_process, times, write_service


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--milliseconds", type=float, default=1.0)
    asked = parser.parse_args()
    code = times(2, f"time.sleep({asked.milliseconds / 1e3} * len(X))")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        pack_in_process(folder / "code", folder / "bentoml", code, "toy")
        write_service(folder / "deployment")
        print(
            "| `GNOMON_BATCH_SECONDS` | large answered after s | single rows | median ms | max ms |"
        )
        print("|---:|---:|---:|---:|---:|")
        for seconds in ("0", "0.025"):
            variables = {
                "BENTOML_HOME": str(folder / "bentoml"),
                "GNOMON_BATCH_SECONDS": seconds,
                "GNOMON_DEADLINE": "60",
            }
            root = folder / f"root-{seconds}"
            with serving(folder / "deployment", root, environment=variables) as server:
                print(measure(f"{server.url}/predict", asked.rows, seconds), flush=True)


def measure(url: str, rows: int, setting: str) -> str:
    """Send one large request together with single rows; return a row of the table."""
    row = {"x": 1.0, "id": "online"}
    took: list[float] = []
    large: list[float] = []

    def ask_large() -> None:
        began = time.perf_counter()
        httpx.post(url, json={"rows": [row] * rows}, timeout=90).raise_for_status()
        large.append(time.perf_counter() - began)

    with httpx.Client() as client:
        for _ in range(20):
            client.post(url, json=row).raise_for_status()
        thread = threading.Thread(target=ask_large)
        thread.start()
        while thread.is_alive():
            began = time.perf_counter()
            client.post(url, json=row, timeout=90).raise_for_status()
            took.append((time.perf_counter() - began) * 1e3)
        thread.join()
    return f"| {setting} | {large[0]:.1f} | {len(took)} | {median(took):.0f} | {max(took):.0f} |"


if __name__ == "__main__":
    main()
