"""A pyfunc model for ``mlflow models serve``, written by ``python -m … FOLDER``.

It has no signature: enforcing one costs time, and its types know no categories.
"""

from __future__ import annotations

import sys
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import set_model


class Pipeline(mlflow.pyfunc.PythonModel):
    """Records in, labels and probabilities out."""

    def load_context(self, context: Any) -> None:
        """Load the pipeline in the process that serves."""
        from benchmarks.contenders import model

        self.model = model

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """An answer for every row."""
        columns = (model_input[name].tolist() for name in self.model.dtypes)
        return self.model.answers(self.model.frame_of_columns(columns))


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=__file__, pip_requirements=[])
else:
    set_model(Pipeline())
