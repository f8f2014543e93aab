"""What the model server runs for a translation model: lines in, translations out."""

import json
from pathlib import Path

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

BATCH_SIZE = 32


class TranslationServer(PythonModel):
    """Answers each line with the best translation that the search of its test finds; an empty line with an empty one."""

    def load_context(self, context: PythonModelContext) -> None:
        from tokenizers import Tokenizer

        from rnn_lightning import Seq2Seq
        from rnn_lightning.search import make_normalisation

        files = {name: Path(file) for name, file in context.artifacts.items()}
        self.model = Seq2Seq.load_from_checkpoint(files["checkpoint"], map_location="cpu", weights_only=True).eval()
        self.source, self.target = (Tokenizer.from_file(str(files[name])) for name in ("tokenizer", "target_tokenizer"))
        told = json.loads(files["search"].read_text())["search"]
        self.search = {**told, "normalisation": make_normalisation(told.get("normalisation"))}

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, context: PythonModelContext, model_input: list[str]
    ) -> list[str]:
        filled = [place for place, line in enumerate(model_input) if line.strip()]
        answers = [""] * len(model_input)
        for first in range(0, len(filled), BATCH_SIZE):
            places = filled[first : first + BATCH_SIZE]
            for place, answer in zip(places, self.translate([model_input[place] for place in places]), strict=True):
                answers[place] = answer
        return answers

    def translate(self, lines: list[str]) -> list[str]:
        import torch
        from torch.nn.utils.rnn import pad_sequence

        rows = [torch.tensor(self.source.encode(line).ids, dtype=torch.int64) for line in lines]
        found = self.model.translate(pad_sequence(rows, batch_first=True), torch.tensor([*map(len, rows)]), **self.search)
        lengths = found.lengths[:, 0].tolist()
        return [self.target.decode(found.tokens[row, 0, : length - 1].tolist()) for row, length in enumerate(lengths)]


set_model(TranslationServer())
