"""``python -m gnomon.worker ARTIFACT DIGEST CONTROL_FD [unverified]``: the command clients run."""

from __future__ import annotations

import gc


def main() -> None:
    """Run a worker until its control socket closes."""
    # Imported modules are never freed: collecting garbage during imports takes 10% of the start.
    gc.disable()
    from gnomon.worker import process

    process.main()


if __name__ == "__main__":
    main()
