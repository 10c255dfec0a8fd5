"""LitServe with batching: requests become one frame, its answers are dealt out again.

LitServe reads the type of a request off ``decode_request``, so annotations must not be strings.
"""

import argparse
from typing import Any

import litserve
import pandas as pd


class Pipeline(litserve.LitAPI):
    """The pipeline in LitServe's five steps."""

    def setup(self, device: str) -> None:
        """Load the pipeline in the process that predicts."""
        from benchmarks.contenders import model

        self.model = model

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the request: it is a record already."""
        return request

    def batch(self, inputs: list[dict[str, Any]]) -> pd.DataFrame:
        """Make one frame of the whole batch."""
        return self.model.frame(inputs)

    def predict(self, x: pd.DataFrame) -> list[dict[str, Any]]:
        """Call the pipeline once for the whole batch."""
        return self.model.answers(x)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Split the batch into one answer per request."""
        return output

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Return the answer: it can be sent as it is."""
        return output


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    server = litserve.LitServer(
        Pipeline(max_batch_size=64, batch_timeout=0.005),
        accelerator="cpu",
        timeout=60,
        fast_queue=True,  # a third less work a request than the default queue
    )
    server.run(host="127.0.0.1", port=asked.port, generate_client_file=False, log_level="warning")
