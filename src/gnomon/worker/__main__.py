"""``python -m gnomon.worker ARTIFACT DIGEST CONTROL_FD [unverified]``: started by a client."""

from __future__ import annotations

import gc


def main() -> None:
    """Run a worker until its control socket closes."""
    # What is imported stays. To look for garbage in it again and again is a tenth of the start.
    gc.disable()
    from gnomon.worker import process

    process.main()


if __name__ == "__main__":
    main()
