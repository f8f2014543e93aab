"""What the model server runs for a sequence classifier or regressor: feature sequences in, one answer a sequence out."""

from pathlib import Path

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class SequenceServer(PythonModel):
    """Answers for (B, T, F) float32 with the scores of the classes (B, C), or with values (B, 1)."""

    def load_context(self, context: PythonModelContext) -> None:
        from rnn_lightning import SequenceClassifier

        checkpoint = Path(context.artifacts["checkpoint"])
        self.model = SequenceClassifier.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True).eval()

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, context: PythonModelContext, model_input: np.ndarray
    ) -> np.ndarray:
        import torch

        with torch.inference_mode():
            answers, _ = self.model(torch.from_numpy(np.asarray(model_input, np.float32)))
            return answers.numpy()


set_model(SequenceServer())
