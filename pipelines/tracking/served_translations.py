"""What the model server runs for a translation model: lines in, translations out."""

from pathlib import Path

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

BEAM_SIZE = 5


class TranslationServer(PythonModel):
    """Answers each line with the best translation that a beam of 5 finds; an empty line with an empty one."""

    def load_context(self, context: PythonModelContext) -> None:
        from tokenizers import Tokenizer

        from rnn_lightning import Seq2Seq

        checkpoint = Path(context.artifacts["checkpoint"])
        self.model = Seq2Seq.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True).eval()
        self.source = Tokenizer.from_file(context.artifacts["tokenizer"])
        self.target = Tokenizer.from_file(context.artifacts["target_tokenizer"])

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, context: PythonModelContext, model_input: list[str]
    ) -> list[str]:
        import torch

        answers = []
        for line in model_input:
            tokens = torch.tensor([self.source.encode(line).ids])  # (1, S)
            found = self.model.translate(tokens, beam_size=BEAM_SIZE)
            said = found.tokens[0, 0, : int(found.lengths[0, 0]) - 1].tolist()
            answers.append(self.target.decode(said) if line.strip() else "")
        return answers


set_model(TranslationServer())
