"""What the model server runs for a classifier of texts: lines in, the name of a class for each."""

from pathlib import Path

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class ClassServer(PythonModel):
    """Answers each line with its likeliest class."""

    def load_context(self, context: PythonModelContext) -> None:
        from tokenizers import Tokenizer

        from rnn_lightning import SequenceClassifier

        checkpoint = Path(context.artifacts["checkpoint"])
        self.model = SequenceClassifier.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True).eval()
        self.tokenizer = Tokenizer.from_file(context.artifacts["tokenizer"])

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, context: PythonModelContext, model_input: list[str]
    ) -> list[str]:
        import torch

        names = self.model.hparams["classes"]
        tokens = (torch.tensor([self.tokenizer.encode(line).ids]) for line in model_input)  # (1, T) each
        return [names[int(self.model.classify(each))] for each in tokens]


set_model(ClassServer())
