"""What the model server runs for a frame classifier: feature sequences in, scores of the classes of each frame out."""

from pathlib import Path

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class FrameServer(PythonModel):
    """Answers for (B, T, F) float32 with the scores of the classes of each frame (B, T, C)."""

    def load_context(self, context: PythonModelContext) -> None:
        from rnn_lightning import FrameClassifier

        checkpoint = Path(context.artifacts["checkpoint"])
        self.model = FrameClassifier.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True).eval()

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, context: PythonModelContext, model_input: np.ndarray
    ) -> np.ndarray:
        import torch

        with torch.inference_mode():
            answers, _ = self.model(torch.from_numpy(np.asarray(model_input, np.float32)))
            return answers.numpy()


set_model(FrameServer())
