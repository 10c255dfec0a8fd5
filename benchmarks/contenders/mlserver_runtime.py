"""A custom MLServer runtime, as in its guide to custom JSON: a request row is a JSON text.

MLServer merges the rows of waiting requests, so one frame and one call serve the whole batch.
A tensor for each of sixteen columns is the other way; it costs sixteen tensors a request.
"""

from __future__ import annotations

import json

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.contenders import model


class Runtime(MLModel):
    """Probabilities for every row, in the order of the classes, and the labels."""

    async def load(self) -> bool:
        """Do nothing: the pipeline was loaded with the module."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """The answers of one batch."""
        texts = StringCodec.decode_input(payload.inputs[0])
        probabilities = model.pipeline.predict_proba(model.frame([json.loads(t) for t in texts]))
        labels = [model.CLASSES[best] for best in probabilities.argmax(axis=1)]
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                StringCodec.encode_output("prediction", labels),
                NumpyCodec.encode_output("probabilities", probabilities),
            ],
        )
