"""What the model server runs for a language model: prompts in, continuations out."""

from pathlib import Path

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

NEW_TOKENS = 50
TEMPERATURE = 0.7


class TextServer(PythonModel):
    """Continues each prompt by 50 sampled tokens; the same question has the same answer."""

    def load_context(self, context: PythonModelContext) -> None:
        from tokenizers import Tokenizer

        from rnn_lightning import LanguageModel

        checkpoint = Path(context.artifacts["checkpoint"])
        self.model = LanguageModel.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True).eval()
        self.tokenizer = Tokenizer.from_file(context.artifacts["tokenizer"])

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, context: PythonModelContext, model_input: list[str]
    ) -> list[str]:
        import torch

        continuations = []
        for prompt in model_input:
            tokens = torch.tensor([self.tokenizer.encode(prompt).ids])  # (1, T)
            continued = self.model.generate(tokens, NEW_TOKENS, temperature=TEMPERATURE, seed=0)
            continuations.append(self.tokenizer.decode(continued[0].tolist()))
        return continuations


set_model(TextServer())
