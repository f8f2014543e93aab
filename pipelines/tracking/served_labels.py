"""What the model server runs for a recogniser: feature sequences in, log-probabilities of the labels at each step out."""

from pathlib import Path

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class LabelServer(PythonModel):
    """Answers for (B, T, F) float32 with log-probabilities of the labels (B, T, C), T as subsampling leaves it."""

    def load_context(self, context: PythonModelContext) -> None:
        from rnn_lightning import CTCRecognizer

        checkpoint = Path(context.artifacts["checkpoint"])
        self.model = CTCRecognizer.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True).eval()

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, context: PythonModelContext, model_input: np.ndarray
    ) -> np.ndarray:
        import torch

        with torch.inference_mode():
            answers, _ = self.model(torch.from_numpy(np.asarray(model_input, np.float32)))
            return answers.numpy()


set_model(LabelServer())
